"""The admin as staff use it: a page for every row, links between them, and nothing to edit."""

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from btec_sync import deliveries
from btec_sync.models import ApiKey, Delivery, RecordResult, Tenant, Tombstone
from btec_sync.reference.models import Student
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.admin import (
    MODELS,
    READ_ONLY,
    SCRIPT,
    count,
    crawl,
    fill,
    links,
    page_of,
    superuser,
    text,
    url,
)
from tests.conftest import payload


@pytest.fixture
def client(db):
    return superuser()


@pytest.fixture
def filled(db):
    return fill("default", "word")


def test_every_row_has_its_page(client, filled):
    for model in MODELS:
        for row in model.objects.all():
            assert client.get(page_of(row)).status_code == 200


@pytest.mark.parametrize("model", READ_ONLY)
def test_nothing_can_be_added_changed_or_deleted(client, filled, model):
    row = model.objects.first()
    before = list(model.objects.order_by("pk").values())

    for address in (url(model, "add"), url(model, "delete", row.pk)):
        assert client.get(address).status_code == 403
        assert client.post(address, {"post": "yes", "zoho_id": "x", "name": "x"}).status_code == 403
    assert client.post(page_of(row), {"zoho_id": "x", "name": "x"}).status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    client.post(url(model), selected)

    assert "Save" not in text(client.get(page_of(row)))
    assert list(model.objects.order_by("pk").values()) == before


def test_a_records_page_links_parents_children_deliveries_and_history(client, sender, parents):
    sender.post("payments", payload("payment"))
    sender.post(
        "registrations", {**payload("registration"), "id": "reg_456", "Enrollment_Status": "Completed"}
    )
    registration = Registration.objects.get(zoho_id="reg_456")
    came, changed = Delivery.objects.filter(module="registrations").order_by("pk")

    response = client.get(page_of(registration))
    page, found = text(response), links(response)

    for parent in (registration.student, registration.program, registration.tenant, came, changed):
        assert page_of(parent) in found
    payments = url(Payment) + f"?registration__id__exact={registration.pk}"
    assert payments in found
    assert "1 payment" in page
    assert "enrollment_status: Active → Completed" in page
    assert page.index("Registration updated") < page.index("Registration created")
    shown = client.get(payments)
    assert count(client, Payment, registration__id__exact=registration.pk) == 1
    assert f"By registration All {registration}" in text(shown)
    assert url(Payment) + "?" in links(shown)


def test_a_record_says_which_delivery_its_values_are_of(client, sender):
    for version in (5, 4):
        sender.post("students", {"id": "s", "Name": f"Layla {version}", "Version": version})
    newer = Delivery.objects.earliest("pk")

    page = text(client.get(page_of(Student.objects.get())))

    assert f"Values last sent by: {str(newer.uid)[:8]} , received" in page


def test_a_records_history_is_its_results(client, filled):
    payment = Payment.objects.get(zoho_id="word_pay_0")

    response = client.get(url(Payment, "history", payment.pk), follow=True)

    assert response.redirect_chain
    assert "3 record results" in text(response)
    assert "word_pay_parked" not in text(response)


def test_a_deliverys_page_shows_body_results_and_answer(client, filled):
    delivery = Delivery.objects.filter(module="payments", invalid=1, unchanged=1).get()

    response = client.get(page_of(delivery))
    page = text(response)

    assert '"Amount": "word"' in page
    assert "1 UNCHANGED, 1 INVALID" in page
    assert "Amount: expected a JSON number" in page
    assert '"status": "partial"' in page
    assert "Traceback" not in page
    assert page_of(Payment.objects.get(zoho_id="word_pay_0")) in links(response)


def test_a_delivery_without_results_says_why(client, sender):
    for _ in range(2):
        sender.post("students", {"id": "s", "Name": "Layla"})

    page = text(client.get(page_of(Delivery.objects.latest("pk"))))

    assert "1 UNCHANGED" in page
    assert "None. A record that is UNCHANGED has no result of its own." in page


def test_a_repeat_links_the_delivery_that_answered_for_it(client, sender):
    for _ in range(2):
        sender.post("students", {"id": "s", "Name": "Layla"}, key="once")
    first, second = Delivery.objects.order_by("pk")

    found = links(client.get(page_of(second)))

    assert found.count(page_of(first)) == 2  # duplicate of, repeats


def test_a_delivery_that_crashed_shows_its_traceback(client, sender, monkeypatch):
    monkeypatch.setattr(deliveries, "read_envelope", lambda *_, **__: 1 / 0)
    sender.post("students", {"id": "s", "Name": "Layla"})

    page = text(client.get(page_of(Delivery.objects.get())))

    assert "Failed" in page
    assert "ZeroDivisionError: division by zero" in page


def test_a_delivery_of_a_thousand_records_is_a_page_like_any_other(client, sender, tenant):
    sender.post("students", *factories.StudentRecord.build_batch(1_000))
    delivery = Delivery.objects.get()

    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = client.get(page_of(delivery))

    assert len(queries) < 20
    assert len(response.content) < 600_000
    assert "Only the first 100 are shown here." in text(response)
    everything = url(RecordResult) + f"?delivery__id__exact={delivery.pk}"
    assert everything in links(response)
    assert count(client, RecordResult, delivery__id__exact=delivery.pk) == 1_000


def test_a_result_leads_to_its_record_once_that_is_stored(client, filled):
    stored, parked = (
        RecordResult.objects.filter(zoho_id=f"word_pay_{n}").latest("pk") for n in ("0", "parked")
    )

    assert page_of(Payment.objects.get(zoho_id="word_pay_0")) in links(client.get(page_of(stored)))
    page = client.get(page_of(parked))
    assert "word_pay_parked" in text(page)
    assert "registrations word_nowhere" in text(page)
    assert not [link for link in links(page) if link.startswith(url(Payment) + "1")]


def test_a_record_without_a_readable_id_has_its_result(client, sender, tenant):
    sender.post("students", {"id": 12, "Name": "Layla"}, 7)

    assert "(no id)" in text(client.get(page_of(Delivery.objects.get())))
    for result in RecordResult.objects.all():
        assert "(no id)" in text(client.get(page_of(result)))


def test_an_api_keys_digest_is_nowhere(client, filled):
    key = ApiKey.objects.get()

    for address in (url(ApiKey), page_of(key), url(ApiKey, "history", key.pk)):
        assert key.digest[:10] not in client.get(address).content.decode()


def send_scripts(sender, name: str) -> None:
    """A record of every module, with markup wherever text is taken."""
    student, program, unit, registration = ({"id": lookup} for lookup in "spur")
    records = {
        "students": {"Name": name, "Academic_Email": SCRIPT, "Phone": SCRIPT, "Status": name},
        "programs": {"Product_Name": name, "MoodleID": SCRIPT, "Status": name},
        "units": {"Unit_Code": name, "Unit_Name": SCRIPT, "Level": SCRIPT, "Status": name},
        "registrations": {"Student": student, "Program": program, "Enrollment_Status": name},
        "payments": {
            "Registration": registration,
            "Amount": 1,
            "Payment_Status": name,
            "Description": SCRIPT,
        },
        "grades": {"Student": student, "Unit": unit, "Grade_Value": name, "Comments": SCRIPT},
    }
    for record_id, (module, record) in zip("spurag", records.items(), strict=True):
        sent = {"id": record_id, **record}
        assert sender.states(module, sent, key=name, **{"User-Agent": SCRIPT}) in (["NEW"], ["UPDATED"])


@pytest.mark.once
def test_whatever_is_stored_is_shown_escaped(client, sender, tenant):
    Tenant.objects.update(name=SCRIPT)
    ApiKey.objects.create(tenant=tenant, name=SCRIPT, prefix="<script>", digest="")
    Tombstone.objects.create(tenant=tenant, module=SCRIPT, zoho_id=SCRIPT, person=SCRIPT)
    send_scripts(sender, SCRIPT)
    send_scripts(sender, SCRIPT + "again")
    sender.post("grades", {"id": SCRIPT, SCRIPT: SCRIPT, "Student": {"id": SCRIPT}})
    sender.post_body("grades", SCRIPT)
    # What no sender can do today.
    Delivery.objects.filter(module="grades").update(traceback=SCRIPT, headers={SCRIPT: SCRIPT})
    RecordResult.objects.filter(module="grades").update(
        message=SCRIPT,
        errors=[{"field": SCRIPT, "code": SCRIPT, "message": SCRIPT}],
        changed_fields={SCRIPT: [SCRIPT, {SCRIPT: SCRIPT}]},
        waits_for_module="students",
        waits_for_id=SCRIPT,
    )

    files = re.compile("/body/$|/export/")
    pages = {address: page for address, page in crawl(client).items() if not files.search(address)}

    assert len(pages) > 100
    assert [address for address, page in pages.items() if "<script>alert" in page] == []
    for model in MODELS:
        assert "&lt;script&gt;" in pages[page_of(model.objects.latest("pk"))], model
    # A strict Content-Security-Policy forbids these.
    assert [address for address, page in pages.items() if re.search(r"<(style|script)>| style=", page)] == []


class TestTenants:
    def test_a_superuser_adds_and_changes_them(self, client):
        member = User.objects.create_user("registrar", is_staff=True)
        posted = {"slug": "irbid", "name": "Irbid", "active": "on", "unknown_fields": "reject"}

        client.post(url(Tenant, "add"), posted)
        tenant = Tenant.objects.get()
        client.post(
            page_of(tenant), {**posted, "slug": "other", "name": "Irbid campus", "members": [member.pk]}
        )

        tenant.refresh_from_db()
        assert (tenant.slug, tenant.name, *tenant.members.all()) == ("irbid", "Irbid campus", member)

    def test_none_is_deleted(self, client, tenant):
        assert client.post(url(Tenant, "delete", tenant.pk), {"post": "yes"}).status_code == 403
        client.post(
            url(Tenant), {"action": "delete_selected", "_selected_action": [tenant.pk], "post": "yes"}
        )
        assert Tenant.objects.exists()


def test_a_superuser_ends_keys(client, filled):
    key = ApiKey.objects.get()
    selected = {"action": "revoke", "_selected_action": [key.pk]}

    first = text(client.post(url(ApiKey), selected, follow=True))
    key.refresh_from_db()
    ended = key.revoked_at
    second = text(client.post(url(ApiKey), selected, follow=True))
    key.refresh_from_db()

    assert "Revoked: 1." in first
    assert "Revoked: 0." in second
    assert key.revoked_at == ended
    assert "Revoked." in text(client.get(url(ApiKey, "history", key.pk)))
