"""Sync health in the admin: is everything in, what is stuck, why; who sees it, and what it asks for."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from btec_sync.models import Delivery, Tenant
from tests import factories
from tests.admin import fill, links, logged_in, staff, superuser
from tests.health import PAGE, all_kinds, figures_of, front, page, shown


@pytest.fixture
def client(db):
    return superuser()


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
