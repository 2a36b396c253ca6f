"""The page of one record's result: its state, what it waits for, what to do next, and what was sent."""

import json

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from btec_sync.models import Delivery, RecordResult, RecordToMend
from btec_sync.redaction import redact_body
from tests import factories
from tests.admin import links, list_of, logged_in, page_of, superuser, text, url
from tests.test_mending import refused_by_the_database

GONE = "Registration r1 not found. Create registration first."


@pytest.fixture
def client(tenant):
    return superuser()


def post_payment(sender, zoho_id: str = "p1", **values) -> None:
    sender.post("payments", factories.PaymentRecord(id=zoho_id, Registration={"id": "r1"}, **values))


def pages_of(client, zoho_id: str) -> list[str]:
    """What the record's page says, reached from Records to mend and from Record results."""
    found = RecordToMend.objects.get(zoho_id=zoho_id), RecordResult.objects.get(zoho_id=zoho_id)
    return [text(client.get(page_of(result))) for result in found]


def page(client, zoho_id: str = "") -> str:
    return text(client.get(page_of(RecordToMend.objects.filter(zoho_id=zoho_id).latest("pk"))))


# --- What became of it -------------------------------------------------------------------------------


def test_a_parked_record_says_so_once_and_what_it_waits_for(client, sender):
    post_payment(sender)

    to_mend, result = pages_of(client, "p1")

    assert "State: parked Waits for: registrations r1 What is wrong:" in to_mend
    assert "State: INVALID, parked Waits for: registrations r1 What is wrong:" in result
    for said in (to_mend, result):
        assert said.count(GONE) == 1
        assert "Send registrations r1 from Zoho. This record follows by itself." in said


def test_it_leads_to_its_parents_own_result_and_to_its_delivery(client, sender):
    post_payment(sender)
    sender.post("registrations", factories.RegistrationRecord(id="r1", Student={"id": "gone"}))
    payment, parent = (RecordToMend.objects.get(zoho_id=zoho_id) for zoho_id in ("p1", "r1"))

    response = client.get(page_of(payment))

    assert "Waits for: registrations r1, parked itself" in text(response)
    assert "follow the link to the one that is really missing" in text(response)
    assert url(RecordResult, "change", parent.pk) in links(response)
    assert page_of(payment.delivery) in links(response)
    assert "students gone" in page(client, "r1")


def test_a_parent_that_is_wrong_itself_is_to_be_mended(client, sender):
    post_payment(sender)
    sender.post("registrations", {"id": "r1"})

    said = page(client, "p1")

    assert "registrations r1 came and is INVALID itself : see there." in said


def test_what_is_to_be_done_about_an_invalid_record(client, sender):
    sender.post("students", {"id": "s1", "Name": 7}, {"id": "s2", "Name": "x", "Odd": 1}, {"id": 3})

    for zoho_id in ("s1", "s2", ""):
        said = page(client, zoho_id)
        assert "State: INVALID What is wrong:" in said
        assert "Mend it in Zoho and save it there, so that it is sent again." in said
        assert ("tell your operator" in said) == (zoho_id == "s2")
        assert ("nobody can tell which record it was" in said) == (not zoho_id)


def test_what_is_to_be_done_about_an_error(client, sender, monkeypatch):
    refused_by_the_database(monkeypatch)
    sender.post("students", {"id": "s1", "Name": "Layla"})

    said = page(client, "s1")

    assert said.count("Student could not be stored.") == 1
    assert "The fault is on this side: our database refused the record. Tell your operator." in said


def test_what_is_no_work_any_more_says_so(client, sender):
    sender.post("students", {"id": "s1", "Name": 7})
    result = RecordToMend.objects.get()
    sender.post("students", {"id": "s1", "Name": "Layla"})

    response = client.get(page_of(result))

    assert "Nothing: something later was heard of this record, and that counts." in text(response)
    assert "Mend it in Zoho" not in text(response)
    heard = next(link for link in links(response) if link.startswith(url(RecordResult) + "?q=s1"))
    assert "2 record results" in text(client.get(heard))


def test_an_earlier_attempt_says_that_a_later_one_counts(client, sender, replay):
    sender.post("students", {"id": "s1", "Name": 7})
    replay()
    first, last = RecordResult.objects.order_by("pk")

    assert "Attempt: 1; a later one counts" in text(client.get(page_of(first)))
    assert "Attempt: 2, the last" in text(client.get(page_of(last)))


def test_a_stored_record_has_nothing_to_be_done(client, sender):
    sender.post("students", {"id": "s1", "Name": "Layla"})

    said = text(client.get(page_of(RecordResult.objects.get())))

    assert "State: NEW Message: Student created" in said
    assert "What to do" not in said


def test_the_lists_and_the_deliverys_page_mark_what_is_parked(client, sender):
    post_payment(sender)
    sender.post("students", {"id": "s1", "Name": 7})

    assert "p1 INVALID, parked" in list_of(client, RecordResult)
    assert "p1 INVALID, parked" in text(client.get(page_of(Delivery.objects.earliest("pk"))))
    assert "INVALID, parked" not in text(client.get(page_of(Delivery.objects.latest("pk"))))


# --- What was sent -----------------------------------------------------------------------------------


def test_the_record_alone_is_shown_as_it_was_sent(client, sender):
    body = (
        '{"data":[{"id":"s0","Name":"Sara"}, {"id":"s1","Name":7.50,"Odd":"\\u0633"},{"id":"s2","Name":"x"}]}'
    )
    sender.post_body("students", body)

    said = page(client, "s1")

    assert 'What was sent: { "id": "s1", "Name": 7.50, "Odd": "س" }' in said
    assert "Sara" not in said
    assert "s2" not in said


def test_every_position_is_its_own_record(client, sender):
    sender.post("students", *({"id": f"s{n}", "Name": n} for n in range(5)))

    for n in range(5):
        assert f'"id": "s{n}", "Name": {n} }}' in page(client, f"s{n}")


NOT_THERE = {
    "removed": (
        lambda delivery: {"body": b"", "body_removed_at": timezone.now()},
        "What was sent: Removed on",
    ),
    "erased": (
        lambda delivery: {"body": redact_body(bytes(delivery.body), [0])},
        "What was sent: Not kept: the record was erased",
    ),
    "no JSON": (lambda delivery: {"body": b"{"}, "What was sent: It cannot be read"),
    "no UTF-8": (lambda delivery: {"body": b"\xff"}, "What was sent: It cannot be read"),
    "nested": (lambda delivery: {"body": b'{"data":' + b"[" * 100_000}, "What was sent: It cannot be read"),
    "fewer records": (lambda delivery: {"body": b'{"data": []}'}, "What was sent: It cannot be read"),
}


@pytest.mark.parametrize("what", NOT_THERE)
def test_what_is_not_there_any_more_is_said(client, sender, what):
    values, said = NOT_THERE[what]
    sender.post("students", {"id": "s1", "Name": 7})
    delivery = Delivery.objects.get()
    Delivery.objects.filter(pk=delivery.pk).update(**values(delivery))

    assert said in page(client, "s1")


def test_a_huge_record_does_not_bloat_the_page(client, sender):
    sender.post("students", {"id": "s1", "Name": "x" * 4_000_000})

    response = client.get(page_of(RecordToMend.objects.get()))

    assert "Only the beginning is shown" in text(response)
    assert len(response.content) < 500_000


def test_it_is_for_whoever_may_look_at_deliveries(tenant, sender):
    sender.post("students", {"id": "s1", "Name": 7})
    for name, sees in (("view_delivery", True), ("view_tombstone", False)):
        user = User.objects.create_user(name, is_staff=True)
        user.user_permissions.set(
            Permission.objects.filter(codename__in=[name, "view_recordresult", "view_recordtomend"])
        )
        tenant.members.add(user)

        for said in pages_of(logged_in(user), "s1"):
            assert ("What was sent" in said) == sees
            assert ('"Name": 7' in said) == sees


def test_its_queries_do_not_depend_on_what_there_is(client, sender):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(page_of(RecordToMend.objects.filter(zoho_id="p1").get()))
        return len(captured)

    post_payment(sender)
    queries()
    few = queries()
    for n in range(20):
        post_payment(sender, f"more{n}")
    sender.post("registrations", factories.RegistrationRecord(id="r1", Student={"id": "gone"}))

    assert queries() == few <= 12


# --- A delivery that was refused as a whole ----------------------------------------------------------


def refused(sender, settings) -> dict[str, Delivery]:
    """One of each code that is no fault of the envelope alone, by its code."""
    settings.BTEC_MAX_BATCH = 1
    sender.post("units", {"id": "u1"}, {"id": "u2"})
    sender.post("units", {"id": "u1"}, key="k")
    sender.post("units", {"id": "u2"}, key="k")
    sender.post_body("units", "no JSON")
    rejected = Delivery.objects.filter(state="rejected")
    return {json.loads(bytes(delivery.answer))["code"]: delivery for delivery in rejected}


def test_it_says_why_beside_its_state_and_has_no_results(client, sender, settings):
    found = refused(sender, settings)

    assert found.keys() == {"too_large", "key_reused", "malformed_json"}
    for code, delivery in found.items():
        said = text(client.get(page_of(delivery)))
        detail = json.loads(bytes(delivery.answer))["detail"]
        assert f"State: Rejected Why: {detail} ({code})" in said
        assert "None: it was refused as a whole." in said
        assert "UNCHANGED has no result" not in said


def test_why_is_not_told_by_an_answer_that_is_gone_or_another(client, sender, settings):
    first, second, _ = refused(sender, settings).values()
    Delivery.objects.filter(pk=first.pk).update(body=b"", answer=b"", body_removed_at=timezone.now())
    Delivery.objects.filter(pk=second.pk).update(answer=b'{"status": "success"}')

    assert "Why: Removed on" in text(client.get(page_of(first)))
    assert "Why: Not kept: the answer is that of an earlier attempt." in text(client.get(page_of(second)))


def test_a_delivery_that_is_not_processed_has_no_results_yet(client, tenant):
    delivery = Delivery.objects.create(tenant=tenant, module="units", body=b"{}")

    assert "None yet: it was not processed." in text(client.get(page_of(delivery)))
