"""What /metrics counts for Prometheus, and whom it tells."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from btec_sync.imports import Imported, import_records
from btec_sync.mending import PARKED
from btec_sync.models import Delivery, State
from btec_sync.services import services
from tests import factories
from tests.api import Sender, receive
from tests.metrics import TOKEN

COUNTS = ("btec_deliveries", "btec_records", "btec_recent_deliveries", "btec_recent_records")


@pytest.fixture(autouse=True)
def token(settings):
    settings.BTEC_METRICS_TOKEN = TOKEN


# --- Totals ------------------------------------------------------------------------------------------


def test_deliveries_and_records_are_counted_by_tenant_module_and_state(sender, scrape):
    unit = factories.UnitRecord()
    sender.post("units", unit, unit, {"id": "u2"})
    sender.post("units", factories.UnitRecord())
    sender.post_body("units", "no JSON")
    other = factories.TenantFactory(slug="other")
    receive(other, "units", factories.UnitRecord())

    found = scrape()

    ours = {state: found["btec_deliveries"]["default", "units", state] for state in Delivery.State.values}
    assert ours == {"received": 0, "done": 1, "incomplete": 1, "rejected": 1, "failed": 0}
    assert found["btec_deliveries"]["other", "units", "received"] == 1
    records = {state: found["btec_records"]["default", "units", state] for state in State.values}
    assert records == {"NEW": 2, "UNCHANGED": 1, "UPDATED": 0, "INVALID": 1, "ERROR": 0}
    assert found["btec_database_up"][()] == 1


def test_a_tenant_that_has_sent_nothing_has_every_count_at_nought_and_no_age(tenant, scrape):
    found = scrape()

    assert len(found["btec_deliveries"]) == len(services()) * len(Delivery.State)
    assert len(found["btec_records"]) == len(services()) * len(State)
    assert len(found["btec_recent_deliveries"]) == len(services()) * len(Delivery.State)
    assert len(found["btec_recent_records"]) == len(services()) * len([*State, PARKED])
    assert len(found["btec_parked_records"]) == len(services())
    assert not any(sum(found[name].values()) for name in COUNTS)
    assert not found["btec_last_delivery_age_seconds"]
    assert not found["btec_oldest_parked_age_seconds"]


def test_the_age_of_the_last_delivery_is_told_for_each_module(sender, scrape):
    sender.post("units", factories.UnitRecord())
    sender.post("units", factories.UnitRecord())
    sender.post("students", factories.StudentRecord())
    Delivery.objects.filter(module="students").update(received_at=timezone.now() - timedelta(hours=5))

    ages = scrape()["btec_last_delivery_age_seconds"]

    assert ages.keys() == {("default", "units"), ("default", "students")}
    assert 0 <= ages["default", "units"] < 60
    assert 5 * 3600 <= ages["default", "students"] < 5 * 3600 + 60


def test_a_delivery_from_a_clock_that_is_ahead_is_not_younger_than_nought(sender, scrape):
    sender.post("units", factories.UnitRecord())
    Delivery.objects.update(received_at=timezone.now() + timedelta(minutes=5))

    assert scrape()["btec_last_delivery_age_seconds"]["default", "units"] == 0


def test_an_import_does_not_make_silence_shorter(sender, tenant, scrape):
    sender.post("units", factories.UnitRecord(), **{"User-Agent": "Zoho-Deluge"})
    sender.post("students", factories.StudentRecord())
    Delivery.objects.update(received_at=timezone.now() - timedelta(days=3))
    for module in ("units", "students", "programs"):
        record = json.dumps(factories.RECORDS[module]()).encode()
        list(import_records(tenant, module, [(1, record)], Imported()))

    ages = scrape()["btec_last_delivery_age_seconds"]

    assert ages.keys() == {("default", "units"), ("default", "students")}
    assert min(ages.values()) >= 3 * 86_400


def recent(found, module: str = "payments") -> dict[str, float]:
    """How many records of the last hour are in each state, those in which none is left out."""
    states = [*State.values, PARKED]
    counts = {state: found["btec_recent_records"]["default", module, state] for state in states}
    return {state: count for state, count in counts.items() if count}


def test_of_the_last_hour_what_waits_is_parked_and_only_what_is_refused_is_invalid(sender, scrape, replay):
    waiting = [factories.PaymentRecord(Registration={"id": f"r{n}"}) for n in range(3)]
    sender.post("payments", *waiting, {"id": "bad"})
    sender.post("payments", *waiting)
    replay()

    assert recent(scrape()) == {"INVALID": 1, "parked": 6}


def test_what_was_parked_twice_and_is_sent_with_its_parent_is_not_refused(sender, parents, scrape):
    waiting = [factories.PaymentRecord(id=f"p{n}", Registration={"id": "mistyped"}) for n in range(3)]
    sender.post("payments", *waiting)
    sender.post("payments", *waiting)

    sender.post("payments", *({**record, "Registration": {"id": "reg_456"}} for record in waiting))

    found = scrape()
    assert recent(found) == {"NEW": 3, "parked": 6}
    assert found["btec_parked_records"]["default", "payments"] == 0


def test_what_was_released_within_the_hour_is_parked_no_more(sender, parents, scrape):
    sender.post("payments", factories.PaymentRecord(Registration={"id": "late"}), {"id": "bad"})

    sender.post("registrations", factories.RegistrationRecord(id="late"))

    assert recent(scrape()) == {"NEW": 1, "INVALID": 1}


def test_what_is_older_than_an_hour_is_not_recent_even_if_it_is_replayed_or_goes_on(
    sender, parents, scrape, replay
):
    sender.post("payments", factories.PaymentRecord(Registration={"id": "late"}), {"id": "bad"})
    sender.post_body("payments", "no JSON")
    Delivery.objects.update(received_at=timezone.now() - timedelta(minutes=61))
    sender.post("payments", {"id": "bad"})

    replay("--all")
    found = scrape()

    assert recent(found) == {"INVALID": 1}
    deliveries = found["btec_recent_deliveries"]
    assert {place: n for place, n in deliveries.items() if n} == {("default", "payments", "incomplete"): 1}
    assert found["btec_parked_records"]["default", "payments"] == 1


def test_deliveries_of_the_last_hour_are_counted_by_state(sender, scrape):
    sender.post("units", factories.UnitRecord())
    sender.post_body("units", "no JSON")

    deliveries = scrape()["btec_recent_deliveries"]

    assert {state: n for (_, _, state), n in deliveries.items() if n} == {"done": 1, "rejected": 1}


def test_what_another_tenant_sent_is_not_in_ours(sender, scrape):
    factories.TenantFactory(slug="other")
    Sender("other").post("payments", factories.PaymentRecord(Registration={"id": "late"}), {"id": "bad"})

    found = scrape()

    assert recent(found) == {}
    assert found["btec_recent_records"]["other", "payments", "INVALID"] == 1
    assert found["btec_recent_records"]["other", "payments", "parked"] == 1


def test_without_a_tenant_there_is_nothing_to_tell_but_the_database(scrape):
    assert {name for name, series in scrape().items() if series} == {"btec_database_up"}


def test_parked_records_are_counted_until_they_are_released(sender, parents, scrape):
    sender.post("payments", factories.PaymentRecord(Registration={"id": "late"}), {"id": "bad"})
    sender.post("payments", factories.PaymentRecord(Registration={"id": "later"}))
    Delivery.objects.filter(module="payments").update(received_at=timezone.now() - timedelta(days=2))

    before = scrape()
    sender.post("registrations", factories.RegistrationRecord(id="late"))
    sender.post("registrations", factories.RegistrationRecord(id="later"))
    after = scrape()

    assert before["btec_parked_records"]["default", "payments"] == 2
    age = before["btec_oldest_parked_age_seconds"]["default", "payments"]
    assert 2 * 86_400 <= age < 2 * 86_400 + 60
    assert before["btec_records"]["default", "payments", "INVALID"] == 3
    assert after["btec_parked_records"]["default", "payments"] == 0
    assert not after["btec_oldest_parked_age_seconds"]
    assert after["btec_records"]["default", "payments", "INVALID"] == 1


def test_a_replay_does_not_make_what_is_parked_younger(sender, scrape, replay):
    sender.post("payments", factories.PaymentRecord(Registration={"id": "late"}))
    Delivery.objects.update(received_at=timezone.now() - timedelta(days=2))

    replay()

    assert scrape()["btec_oldest_parked_age_seconds"]["default", "payments"] >= 2 * 86_400


def test_a_tenant_that_is_not_active_is_left_out(sender, scrape, tenant):
    sender.post("payments", factories.PaymentRecord(Registration={"id": "late"}))
    tenant.active = False
    tenant.save()

    found = scrape()

    assert {name for name, series in found.items() if series} == {"btec_database_up"}


def test_the_number_of_queries_does_not_grow_with_tenants_and_deliveries(sender, scrape):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            scrape()
        return len(captured)

    before = queries()
    for n in range(5):
        factories.TenantFactory(slug=f"t{n}")
        other = Sender(f"t{n}")
        for module, record in factories.RECORDS.items():
            other.post(module, record())

    assert before == queries() == 6


def test_where_the_database_fails_it_is_told_and_nothing_is_made_up(tenant, scrape):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE btec_sync_recordresult RENAME TO gone")

    assert scrape() == {"btec_database_up": {(): 0}}


# --- Who may read it ---------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
        ("Bearer é", 401),
    ],
)
@pytest.mark.parametrize("debug", [True, False])
def test_only_who_has_the_token_may_read(client, settings, authorization, status, debug):
    settings.DEBUG = debug
    headers = {} if authorization is None else {"Authorization": authorization}

    response = client.get("/metrics", headers=headers)

    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) == (status == 401)
    assert (b"btec_" in response.content) == (status == 200)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("debug", "address", "headers", "status"),
    [
        (True, "127.0.0.1", {}, 200),
        (True, "::1", {}, 200),
        (True, "10.0.0.5", {}, 404),
        (True, "", {}, 404),
        (True, "127.0.0.1", {"X-Forwarded-For": "10.0.0.5"}, 404),
        (False, "127.0.0.1", {}, 404),
        (False, "127.0.0.1", {"Authorization": "Bearer "}, 404),
    ],
)
def test_without_a_token_only_a_developer_at_the_machine_may_read(
    client, settings, debug, address, headers, status
):
    settings.BTEC_METRICS_TOKEN = ""
    settings.DEBUG = debug

    response = client.get("/metrics", headers=headers, REMOTE_ADDR=address)

    assert response.status_code == status


def test_a_key_of_a_tenant_does_not_open_it(client, tenant):
    key = factories.api_key(tenant)

    assert client.get("/metrics", headers={"Authorization": f"Bearer {key}"}).status_code == 401
