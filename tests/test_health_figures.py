"""Sync health's figures: each is what its list shows, in the step of time in which it came."""

import html
import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from btec_sync import figures
from btec_sync.models import Delivery, State, Tenant
from tests import factories, test_oracle
from tests.admin import superuser, text
from tests.health import OLD, PAGE, all_kinds, figures_in, figures_of, page, shown


@pytest.fixture
def client(db):
    return superuser()


@pytest.mark.parametrize("period", figures.PERIODS)
def test_each_figure_is_what_its_list_shows(client, db, period):
    all_kinds()

    for query in ({"period": period}, {"period": period, "tenant": "amman", "module": "payments"}):
        found = figures_of(client.get(PAGE, query))

        assert len(found) > 10
        for address, kind, count in dict.fromkeys(found):
            if "records=UNCHANGED" in address:
                listed = client.get(address).context["cl"].queryset
                assert sum(listed.values_list("unchanged", flat=True)) == count, address
            else:
                assert shown(client, address) == count, (address, kind)


def test_the_front_pages_figures_are_what_their_lists_show(client, db):
    all_kinds()

    found = [
        (html.unescape(address), int(count))
        for address, count in re.findall(
            r'<strong><a href="([^"]+)">(\d+) ', client.get("/admin/").content.decode()
        )
    ]

    assert len(found) == 6
    for address, count in found:
        assert shown(client, address) == count, address


def test_the_chart_says_what_its_table_says(client, db):
    all_kinds()

    response = client.get(PAGE, {"period": "7d"})
    source = response.content.decode()
    chart = json.loads(
        re.search(r'<script id="health-figures" type="application/json">(.*?)</script>', source)[1]
    )
    totals = {dataset["label"]: sum(dataset["data"]) for dataset in chart["datasets"]}

    assert len(chart["labels"]) == 8
    assert totals == {
        state: sum(getattr(delivery, state.lower()) for delivery in Delivery.objects.all()) for state in State
    }
    assert not re.search(r"<style| style=|<script(?! (src=|id=\"\S+\" type=\"application/json\"))", source)


class Counted(test_oracle.Machine):
    """The oracle's traffic, at whose end the figures must be what the oracle counts."""

    def teardown(self):
        if getattr(self, "oracle", None):
            for tenant in self.tenants:
                self.check_figures(tenant)

    def check_figures(self, tenant):
        since = timezone.now() - timedelta(days=1)
        scope = figures.Scope([tenant.pk], test_oracle.MODULES, since)
        posts = [post for post in self.oracle.posts if post.tenant == tenant.slug]
        wanted, found = {}, {}
        for post in posts:
            for state in post.states:
                wanted[post.module, state] = wanted.get((post.module, state), 0) + 1
        for row in figures.traffic(scope, [since]):
            for state, count in row.records.items():
                if count:
                    found[row.module, state] = found.get((row.module, state), 0) + count
        assert found == wanted
        assert sum(one.records for one in figures.parked(scope)) == self.waiting(tenant.slug, posts)
        parked = sum(len(post.parked) for post in posts)
        invalid = sum(post.states.count("INVALID") for post in posts)
        assert figures.invalid_records(figures.invalid(scope)).get(tenant.pk, 0) == invalid - parked
        assert (
            sum(error.records for error in figures.frequent_errors(figures.invalid(scope)))
            == invalid - parked
        )

    def waiting(self, tenant, posts):
        """How many records were last heard of as parked, and are not stored by a later delivery."""
        last = {
            (post.module, record["id"]): ((post.number, position), position in post.parked)
            for post in posts
            for position, record in enumerate(post.records)
            if post.states and post.states[position] == "INVALID"
        }
        stored = {
            key: row.place
            for key in last
            if (row := self.oracle.table(tenant, key[0]).get(key[1])) is not None
        }
        return sum(parked and stored.get(key, place) <= place for key, (place, parked) in last.items())


@pytest.mark.django_db
def test_the_figures_are_what_the_oracle_counts():
    run_state_machine_as_test(
        Counted,
        settings=settings(
            max_examples=int(os.environ.get("BTEC_TEST_ORACLE_EXAMPLES", "6")),
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )


def test_each_period_counts_its_own_whichever_was_looked_at_before(client, sender):
    now = timezone.now()
    for number, days in enumerate((0, 3, 20)):
        sender.post("units", {"id": f"u{number}"})
        Delivery.objects.filter(pk=Delivery.objects.latest("pk").pk).update(
            received_at=now - timedelta(days=days)
        )

    for period, refused in [("7d", 2), ("24h", 1), ("30d", 3), ("24h", 1), ("7d", 2)]:
        assert re.search(rf"{refused} records? w(as|ere) refused", page(client, period=period)), period
        chart = client.get(PAGE, {"period": period}).context["chart"]
        invalid = next(one["data"] for one in chart["datasets"] if one["label"] == "INVALID")
        assert sum(invalid) == refused, period
        assert sum(invalid[-2:]) == 1, period  # today's; an hour may have ended meanwhile


@pytest.mark.postgresql
def test_refused_records_are_counted_in_an_index_alone(sender):
    sender.post("units", {"id": "u"})
    scope = figures.Scope([Tenant.objects.get().pk], ["units"], timezone.now() - OLD)

    with CaptureQueriesContext(connection) as queries:
        found = figures.invalid(scope)
    with connection.cursor() as cursor:
        # What the index can do, whatever the one row of a test would make cheaper.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("DROP INDEX recordresult_unsettled, recordresult_newest, recordresult_record")
        cursor.execute(f"EXPLAIN {queries[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert found[0][3] == 1
    assert "Index Only Scan using recordresult_refused" in plan, plan


def test_a_day_begins_at_midnight_where_the_college_is(client, sender, settings):
    settings.TIME_ZONE = "Asia/Amman"  # 3 hours before UTC
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    sender.post("students", {"id": "s", "Name": "Layla"})
    sender.post("students", {"id": "t", "Name": "Sara"})
    before, after = Delivery.objects.order_by("pk")
    Delivery.objects.filter(pk=before.pk).update(received_at=midnight - timedelta(seconds=1))
    Delivery.objects.filter(pk=after.pk).update(received_at=midnight)

    days = figures.PERIODS["7d"].begins()
    rows = figures.traffic(figures.Scope([Tenant.objects.get().pk], ["students"], days[0]), days)

    assert days[-1] == midnight
    assert {row.begins: row.records["NEW"] for row in rows} == {days[-2]: 1, days[-1]: 1}


def test_errors_are_counted_as_their_list_finds_them(client, sender):
    both = {"Shoe  Size": 1, "Shoe Size": 2}
    sender.post("units", factories.UnitRecord(**{"Shoe  Size": 1}), factories.UnitRecord(**{"Shoe Size": 1}))
    sender.post("units", factories.UnitRecord(**both), 7)

    source = client.get(PAGE).content.decode().split("Most frequent errors since")[1]

    found = figures_in(source)
    assert [count for _, _, count in found] == [3, 1]
    for address, _, count in found:
        assert shown(client, address) == count, address
    assert "Shoe Size: unexpected field" in source


def test_what_they_wait_for_leads_to_one_record_for_each_parent(client, sender):
    waiting = [("p1", "r1"), ("p2", "r1"), ("p3", "r1"), ("p4", "r2")]
    sender.post("payments", *(factories.PaymentRecord(id=p, Registration={"id": r}) for p, r in waiting))
    sender.post("grades", factories.GradeRecord())

    source = client.get(PAGE, {"module": "payments"}).content.decode()
    found = figures_in(source.split("Parked now")[1].split("Most frequent")[0])

    assert [count for _, _, count in found] == [4, 2]
    assert [shown(client, address) for address, _, _ in found] == [4, 2]
    listed = text(client.get(found[1][0]))
    assert "registrations r1" in listed
    assert "registrations r2" in listed


def test_an_hour_that_comes_twice_is_two(monkeypatch, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 10, 25, 3, 30, tzinfo=UTC))

    begins = figures.PERIODS["24h"].begins()

    assert len(set(begins)) == 25
    assert [hour.astimezone(UTC).hour for hour in begins[-4:]] == [0, 1, 2, 3]


@pytest.mark.parametrize(("period", "hours"), [("24h", 24), ("7d", 7 * 24), ("30d", 30 * 24)])
def test_a_period_is_at_least_as_long_as_it_is_called(client, sender, monkeypatch, period, hours):
    now = datetime(2026, 11, 26, 18, 59, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    sender.post("units", factories.UnitRecord(), {"id": "bad"})
    Delivery.objects.update(received_at=now - timedelta(hours=hours) + timedelta(seconds=1))

    source = client.get(PAGE, {"period": period, "module": "units"}).content.decode()

    by_module = source.split("By module, since")[1].split("Parked now")[0]
    assert [count for _, _, count in figures_in(by_module)] == [1, 1, 1]  # NEW, INVALID, incomplete
    assert "silent" not in by_module


@pytest.mark.parametrize(
    ("period", "hours"),
    [("24h", 24), ("7d", 7 * 24), ("30d", 30 * 24)],
)
def test_silent_is_who_sent_nothing_for_as_many_hours(client, sender, period, hours):
    sender.post("units", factories.UnitRecord())
    for seconds, silent in ((-60, False), (60, True)):
        ago = timedelta(hours=hours, seconds=seconds)
        Delivery.objects.update(received_at=timezone.now() - ago)

        source = client.get(PAGE, {"period": period, "module": "units"}).content.decode()

        assert ('class="btec-silent"' in source) == silent
