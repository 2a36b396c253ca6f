"""Sync health in the admin: is everything in, what is stuck, why; and each figure is what its list shows."""

import html
import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from btec_sync import deliveries, figures
from btec_sync.models import Delivery, RecordResult, State, Tenant
from tests import factories, test_oracle
from tests.admin import fill, links, logged_in, staff, superuser, text
from tests.api import Sender, receive

PAGE = "/admin/sync-health/"
# A number that leads to a list, alone or with what it counts; a tenant's stands behind the tenant's name.
FIGURE = re.compile(
    r'<a href="(/admin/btec_sync/(delivery|recordresult|recordtomend)/\?[^"]+)">'
    r"(?:&times;|amman |zarqa )?([\d,]+)[ <]"
)
OLD = timedelta(hours=1)


@pytest.fixture
def client(db):
    return superuser()


def page(client, **query) -> str:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return text(response).replace("\xa0", " ")


def front(client) -> str:
    return text(client.get("/admin/")).replace("\xa0", " ")


def figures_of(response) -> list[tuple[str, str, int]]:
    return figures_in(response.content.decode())


def figures_in(source: str) -> list[tuple[str, str, int]]:
    """Each figure of a page: the address of its list, the kind of the list, and the figure."""
    found = FIGURE.findall(source)
    return [(html.unescape(address), kind, int(count.replace(",", ""))) for address, kind, count in found]


def shown(client, address: str) -> int:
    """How many rows the list at an address says it has."""
    response = client.get(address)
    assert response.status_code == 200, response.headers.get("Location")
    return int(
        re.search(r"([\d,]+) (deliver|record result|records? to mend)", text(response))[1].replace(",", "")
    )


def all_kinds() -> None:
    """Two tenants with everything that can become of a delivery and of a record."""
    for slug in ("amman", "zarqa"):
        tenant = fill(slug, slug, 2)
        sender = Sender(slug)
        for n in range(3):
            sender.post("grades", {"id": f"g{n}", "Score": 101, "Nonsense": 1})
        sender.post("units", {"id": 7}, {"id": "u"})
        failed, left = (receive(tenant, "students", {"id": "x"}) for _ in range(2))
        Delivery.objects.filter(pk=failed.pk).update(state="failed")
        Delivery.objects.filter(pk=left.pk).update(received_at=timezone.now() - OLD)
        receive(tenant, "students", {"id": "under way"})
        again = Delivery.objects.filter(tenant=tenant, module="payments").earliest("pk")
        deliveries.process(again)
        result = RecordResult.objects.filter(tenant=tenant, module="units", state="NEW").latest("pk")
        RecordResult.objects.filter(pk=result.pk).update(state="ERROR")
        Delivery.objects.filter(pk=result.delivery_id).update(new=1, error=1, state="incomplete")


# --- In one look -------------------------------------------------------------------------------------


def test_before_the_first_delivery_a_sentence_says_so(client, tenant):
    for said in (front(client), page(client)):
        assert "Nothing has been delivered yet." in said
    assert "canvas" not in client.get(PAGE).content.decode()


def test_the_front_page_begins_with_everything_is_in(client, sender):
    sender.post("students", {"id": "s", "Name": "Layla"})

    said = front(client)

    assert "Everything that was delivered is in. Last delivery: just now (students)" in said
    assert said.index("Sync health") < said.index("Authentication and Authorization")
    assert PAGE in links(client.get("/admin/"))


def test_what_was_refused_is_the_senders_and_does_not_raise_the_alarm(client, sender):
    sender.post("units", *(factories.UnitRecord(Credit_Hours=10_000) for _ in range(3)), {"id": "u"})
    sender.post_body("units", "no JSON")

    said = front(client)

    assert "All that could be stored is in. Some was refused." in said
    assert "4 records were refused" in said
    assert f"Credit_Hours: out of range ×3 since {timezone.localtime():%a %d %b}" in said
    assert "1 delivery was rejected Each was refused as a whole; its page says why." in said


def test_the_same_error_of_two_modules_is_two_with_their_names(client, sender):
    sender.post("units", {"id": "u", "Odd": 1})
    sender.post("grades", {"id": "g", "Odd": 1}, {"id": "h", "Odd": 1})

    said = front(client)

    assert "grades Odd: unexpected field ×2 since" in said
    assert "units Odd: unexpected field ×1 since" in said


def test_what_waits_is_said_with_what_it_waits_for_until_that_is_there(client, sender, parents):
    records = [factories.PaymentRecord(Registration={"id": "reg_9"}) for _ in range(3)]
    sender.post("payments", *records)
    said = front(client)

    sender.post("registrations", factories.RegistrationRecord(id="reg_9"))

    assert "Not everything is in." in said
    assert "3 records wait for their parents payments ×3 for registrations" in said
    assert "Everything that was delivered is in." in front(client)


def test_a_parked_record_that_is_old_is_stuck_whatever_the_period(client, sender):
    sender.post("payments", factories.PaymentRecord())
    Delivery.objects.update(received_at=timezone.now() - timedelta(days=100))

    said = page(client, period="24h")

    assert (
        "1 record waits for its parent payments ×1 for registrations, the oldest received 3 months ago"
        in said
    )
    assert "payments 3 months ago silent" in said
    assert "students never silent" in said
    assert "Nothing was delivered in the last 24 hours." in said


def test_crashes_leftovers_and_refusals_of_the_database_are_stuck(client, db):
    all_kinds()

    said = front(client)

    assert "2 deliveries failed ( amman 1 ; zarqa 1 )" in said
    assert "2 deliveries are not processed ( amman 1 ; zarqa 1 )" in said  # not the one of this moment
    assert "2 records are an ERROR ( amman 1 ; zarqa 1 )" in said


# --- Figures and lists -------------------------------------------------------------------------------


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


# --- Who sees what -----------------------------------------------------------------------------------


def test_staff_see_the_figures_of_their_own_tenants(db):
    all_kinds()
    client = staff(Tenant.objects.get(slug="amman"))

    for said in (front(client), page(client), page(client, tenant="zarqa")):
        assert "1 delivery failed" in said
        assert "zarqa" not in said
    assert Delivery.objects.filter(state="failed").count() == 2


def test_staff_without_a_tenant_are_told_so_and_see_nothing(db):
    all_kinds()

    client = staff()
    for said in (front(client), page(client)):
        assert "You are a member of no college yet. A superuser can add you" in said
        assert "Nothing has been delivered" not in said
        assert "By module" not in said


def test_a_superuser_before_the_first_tenant_is_a_member_of_all(client):
    assert "Nothing has been delivered yet." in front(client)


@pytest.mark.parametrize("permission", ["view_student", "view_delivery", "view_recordresult"])
def test_who_may_not_look_at_deliveries_and_results_sees_no_figures(db, permission):
    all_kinds()
    user = User.objects.create_user("finance", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=permission))
    Tenant.objects.first().members.add(user)
    client = logged_in(user)

    assert "Sync health" not in front(client)
    assert client.get(PAGE).status_code == 403


def test_who_is_not_logged_in_is_asked_to(db):
    assert Client().get(PAGE).url == f"/admin/login/?next={PAGE}"


def test_who_is_not_active_is_not_counted_and_can_be_chosen(client, db):
    all_kinds()
    Tenant.objects.filter(slug="zarqa").update(active=False)

    for said in (front(client), page(client)):
        assert "1 delivery failed" in said
        assert "Not active, and not counted here: zarqa" in said
    for address, _, count in figures_of(client.get(PAGE)):
        if "records=UNCHANGED" not in address:
            assert shown(client, address) == count, address
    chosen = page(client, tenant="zarqa")
    assert "1 delivery failed" in chosen
    assert "Not active" not in chosen


def test_whose_only_tenant_is_not_active_is_told_so(db):
    tenant = fill("amman", "amman")
    Tenant.objects.update(active=False)

    for said in (front(client := staff(tenant)), page(client)):
        assert "Nothing has been delivered to an active tenant yet." in said
        assert "Not active, and not counted here: amman" in said


# --- Addresses and queries ---------------------------------------------------------------------------

GARBAGE = [
    "",
    "x",
    "\0",
    "9" * 100,
    "1e9",
    "2026-11-24",
    "2026-13-01T00:00:00+00:00",
    "0001-01-01T00:00+14:00",
]


@pytest.mark.once
def test_no_address_breaks_the_page_or_its_filters(client, db):
    all_kinds()

    for value in GARBAGE:
        for name in ("period", "tenant", "module"):
            assert client.get(PAGE, {name: value}).status_code == 200
        for name in ("since", "before", "records", "waits_for", "error", "current", "parents"):
            for kind in ("delivery", "recordresult", "recordtomend"):
                response = client.get(f"/admin/btec_sync/{kind}/", {name: value}, follow=True)
                assert response.status_code in (200, 400), (name, value)


def test_a_field_with_a_colon_in_its_name_is_found_by_its_error(client, sender):
    sender.post("units", factories.UnitRecord(**{"a:b": 1}), factories.UnitRecord(a=1))

    address = next(a for a, _, _ in figures_of(client.get(PAGE)) if "a%3Ab" in a)

    assert shown(client, address) == 1


def queries_of(client) -> list[int]:
    """How many queries the front page and the page of its own make."""
    counts = []
    for address in ("/admin/", PAGE):
        client.get(address)  # what is asked once and remembered
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        counts.append(len(queries))
    return counts


def test_the_number_of_queries_does_not_depend_on_what_there_is(client, db):
    all_kinds()
    few = queries_of(client)
    for slug in ("irbid", "aqaba", "karak"):
        fill(slug, slug, 3)

    many = queries_of(client)

    assert many == few
    assert max(many) <= 16
