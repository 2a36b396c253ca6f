"""Idempotency keys, and the hint that stands in for them."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from btec_sync import deliveries
from btec_sync.models import Delivery, IdempotencyKey, RecordResult
from btec_sync.services import SyncService
from payments.models import Payment
from tests import factories
from tests.api import Sender, receive
from units.models import Unit

A = factories.UnitRecord(id="u", Unit_Name="A")
B = factories.UnitRecord(id="u", Unit_Name="B")


def unit_name() -> str:
    return Unit.objects.get(zoho_id="u").unit_name


def test_the_same_key_and_body_get_the_same_bytes(sender):
    first = sender.post("units", A, key="k")

    second = sender.post("units", A, key="k")

    assert second.content == first.content
    assert second.status_code == 200
    assert second.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert first.json()["idempotency_key"] == "k"


def test_a_repeat_is_kept_but_not_applied(sender):
    sender.post("units", A, key="k")
    sender.post("units", B)

    sender.post("units", A, key="k")

    original, _, repeat = Delivery.objects.order_by("pk")
    assert unit_name() == "B"
    assert (repeat.state, repeat.repeats, repeat.attempts) == ("done", original, 0)


def test_a_repeat_is_not_applied_by_a_replay_either(sender, replay):
    sender.post("units", A, key="k")
    sender.post("units", B)
    sender.post("units", A, key="k")

    replay("--all")
    IdempotencyKey.objects.all().delete()  # keys have their time
    replay(str(Delivery.objects.latest("pk").uid))
    replay("--all")

    assert unit_name() == "B"


def test_another_body_under_the_same_key_is_refused_and_not_applied(sender, replay):
    sender.post("units", A, key="k")

    response = sender.post("units", B, key="k")

    assert response.status_code == 422
    assert response.json()["code"] == "key_reused"
    assert unit_name() == "A"
    IdempotencyKey.objects.all().delete()
    replay()
    assert unit_name() == "A"


def test_a_key_belongs_to_one_module_of_one_tenant(sender):
    other = Sender(factories.TenantFactory(slug="other").slug)
    sender.post("units", A, key="k")

    states = [
        *sender.states("students", factories.StudentRecord(), key="k"),
        *other.states("units", A, key="k"),
    ]

    assert states == ["NEW", "NEW"]


def test_a_refused_request_burns_no_key(sender):
    refused = sender.post_body("units", "{", key="k")

    states = sender.states("units", A, key="k")

    assert refused.status_code == 400
    assert states == ["NEW"]


def test_a_key_is_free_again_after_its_hours(sender, settings):
    sender.post("units", A, key="k")
    long_ago = timezone.now() - timedelta(hours=settings.BTEC_IDEMPOTENCY_HOURS, seconds=1)
    IdempotencyKey.objects.update(created_at=long_ago)

    states = sender.states("units", B, key="k")

    assert states == ["UPDATED"]
    assert IdempotencyKey.objects.get().delivery == Delivery.objects.latest("pk")


def test_an_invalid_record_is_final_for_its_key(sender):
    record = {**A, "Nonsense": 1}
    first = sender.post("units", record, key="k")

    second = sender.post("units", record, key="k")

    assert second.content == first.content
    assert second.headers["Idempotent-Replayed"] == "true"


def test_a_key_with_a_parked_record_runs_its_delivery_again(sender):
    payment = factories.PaymentRecord(id="p", Registration={"id": "r"})
    first = sender.post("payments", payment, key="k")
    for module, record in (
        ("students", factories.StudentRecord(id="stud_456")),
        ("programs", factories.ProgramRecord(id="prog_789")),
        ("registrations", factories.RegistrationRecord(id="r")),
    ):
        sender.post(module, record)

    second = sender.post("payments", payment, key="k")
    third = sender.post("payments", payment, key="k")

    assert first.json()["results"][0]["status"] == "INVALID"
    assert second.json()["results"][0]["status"] == "UNCHANGED"
    assert second.json()["delivery_id"] == first.json()["delivery_id"]
    assert third.content == second.content
    assert third.headers["Idempotent-Replayed"] == "true"


def test_a_parked_records_key_sent_again_does_not_roll_back_what_came_between(sender, parents):
    late = factories.PaymentRecord(id="p", Registration={"id": "r"}, Amount=1)
    sender.post("payments", late, key="k")
    sender.post("payments", factories.PaymentRecord(id="p", Amount=2))
    sender.post("registrations", factories.RegistrationRecord(id="r"))

    states = sender.states("payments", late, key="k")

    assert states == ["UNCHANGED"]
    assert Payment.objects.get(zoho_id="p").amount == 2


def test_a_crash_leaves_no_key_and_the_sender_may_try_again(sender, monkeypatch, replay):
    def crash(*args):
        raise RuntimeError("Failing row contains (Ahmed)")

    with monkeypatch.context() as patch:
        patch.setattr(SyncService, "compare", crash)
        response = sender.post("units", A, key="k")

    failed = Delivery.objects.get()
    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "processing_failed"
    assert response.json()["delivery_id"] == str(failed.uid)
    assert b"Ahmed" not in response.content
    assert failed.state == "failed"
    assert "Ahmed" in failed.traceback
    assert not IdempotencyKey.objects.exists()
    assert sender.states("units", A, key="k") == ["NEW"]
    replay()
    failed.refresh_from_db()
    assert failed.state == "done"


def test_without_a_key_the_answer_names_the_earlier_delivery_of_the_same_bytes(sender):
    first = sender.post("units", A).json()

    second = sender.post("units", A).json()
    third = sender.post("units", A).json()

    assert first["duplicate_of"] is None
    assert second["idempotency_key"] == first["idempotency_key"]
    assert len(first["idempotency_key"]) == 64
    assert second["duplicate_of"] == third["duplicate_of"] == first["delivery_id"]
    assert second["results"][0]["status"] == "UNCHANGED"


def test_the_hint_never_names_another_tenants_or_modules_delivery(sender):
    other = Sender(factories.TenantFactory(slug="other").slug)
    body = json.dumps({"data": [factories.StudentRecord(id="x")]})
    sender.post_body("students", body)

    answers = [other.post_body("students", body).json(), sender.post_body("programs", body).json()]

    assert [answer["duplicate_of"] for answer in answers] == [None, None]


def test_a_b_a_without_keys_ends_in_a(sender):
    states = [sender.states("units", record)[0] for record in (A, B, A)]

    assert states == ["NEW", "UPDATED", "UPDATED"]
    assert unit_name() == "A"


@pytest.mark.parametrize("key", ["k", None])
def test_a_payment_sent_again_after_its_registration_arrived_is_stored(sender, parents, key):
    payment = factories.PaymentRecord(id="p", Registration={"id": "r"})
    sender.post("payments", payment, key=key)
    RecordResult.objects.update(current=False)  # as if it had not been parked at all
    sender.post("registrations", factories.RegistrationRecord(id="r"))

    states = sender.states("payments", payment, key=key)

    assert states == ["NEW"]
    assert Payment.objects.filter(zoho_id="p").exists()


def test_a_key_that_was_used_anew_belongs_to_its_later_delivery_after_a_rebuild_too(sender, settings, replay):
    sender.post("units", A, key="k")
    long_ago = timezone.now() - timedelta(hours=settings.BTEC_IDEMPOTENCY_HOURS, seconds=1)
    Delivery.objects.update(received_at=long_ago)
    IdempotencyKey.objects.update(created_at=long_ago)
    sender.post("units", B, key="k")
    Unit.objects.all().delete()
    RecordResult.objects.all().delete()
    IdempotencyKey.objects.all().delete()

    replay("--all")

    assert sender.post("units", B, key="k").headers["Idempotent-Replayed"] == "true"


def test_what_waits_for_a_replay_while_its_key_is_used_anew_is_not_refused(sender, tenant, settings, replay):
    waiting = receive(tenant, "units", factories.UnitRecord(id="waited"))
    waiting.headers["Idempotency-Key"] = "k"
    waiting.received_at -= timedelta(hours=settings.BTEC_IDEMPOTENCY_HOURS, seconds=1)
    waiting.save()
    later = factories.UnitRecord(id="later")
    sender.post("units", later, key="k")

    status, _ = replay()

    assert status == 0
    assert set(Unit.objects.values_list("zoho_id", flat=True)) == {"waited", "later"}
    assert sender.post("units", later, key="k").headers["Idempotent-Replayed"] == "true"


def test_who_was_overtaken_by_a_replay_gets_the_answer_that_is_kept(tenant):
    delivery = receive(tenant, "units", A)
    waiting = Delivery.objects.select_related("tenant").get(pk=delivery.pk)
    first = deliveries.process(delivery)

    second = deliveries.process(waiting)

    assert second.body == first.body
    assert Delivery.objects.get().attempts == 1
