"""What goes wrong in a release stays with the records that were released: their parent has its answer."""

import threading
import time

import pytest
from django.db import connection

from btec_sync import parking
from btec_sync.models import Delivery, RecordResult
from btec_sync.services import SyncService
from payments.models import Payment
from tests import factories
from tests.api import Sender
from tests.triggers import END_SESSION, at_commit, at_once

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def tenant(committed):
    return factories.TenantFactory()


@pytest.fixture
def parked_payments(tenant):
    """Three deliveries of a payment each that wait for the same registration, whose parents are there."""
    Sender().post("students", factories.StudentRecord(id="stud_456"))
    Sender().post("programs", factories.ProgramRecord(id="prog_789"))
    return [
        Sender().post("payments", factories.PaymentRecord(id=f"p{n}")).json()["delivery_id"] for n in range(3)
    ]


def test_a_released_record_that_cannot_be_committed_fails_its_own_delivery_alone(parked_payments, replay):
    with at_commit("payments_payment", rows="NEW.zoho_id = 'p1'"):
        states = Sender().states("registrations", factories.RegistrationRecord(id="reg_456"))
    first, broken, last = [Delivery.objects.get(uid=uid) for uid in parked_payments]
    stored = set(Payment.objects.values_list("zoho_id", flat=True))
    result = broken.results.get(current=True)
    status, _ = replay()

    assert states == ["NEW"]
    assert stored == {"p0", "p2"}
    assert [(d.state, d.new) for d in (first, broken, last)] == [("done", 1), ("failed", 0), ("done", 1)]
    assert "Traceback" in broken.traceback
    assert (broken.invalid, broken.error) == (0, 1)
    assert (result.state, result.waits_for_id, result.errors, result.faults) == ("ERROR", "", [], "")
    assert result.message == "Payment could not be stored. It is kept and can be replayed."
    assert (status, Payment.objects.count()) == (0, 3)
    assert Delivery.objects.get(uid=broken.uid).state == "done"


def crash(*_: object) -> None:
    raise RuntimeError("a crash of our own")


def test_who_crashes_in_a_release_that_another_has_done_fails_nothing(parked_payments, monkeypatch):
    once = parking.with_retries

    def crash_behind(transact):
        once(transact)
        crash()

    monkeypatch.setattr(parking, "with_retries", crash_behind)
    Sender().post("registrations", factories.RegistrationRecord(id="reg_456"))

    assert {Delivery.objects.get(uid=uid).state for uid in parked_payments} == {"done"}
    assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()


@pytest.mark.postgresql
def test_who_crashes_in_a_release_waits_for_another_that_is_in_it(parked_payments, tenant, monkeypatch):
    """Else the other would leave as parked what it has stored, on a delivery that is done."""
    with monkeypatch.context() as ours:
        ours.setattr(parking, "release", lambda tenant, enough=None: True)
        Sender().post("registrations", factories.RegistrationRecord(id="reg_456"))
    sync, inside = SyncService.sync, threading.Event()

    def slow_sync(self, *arguments):
        outcomes = sync(self, *arguments)
        inside.set()
        time.sleep(1)
        return outcomes

    def release() -> None:
        parking.release(tenant)
        connection.close()

    other = threading.Thread(target=release)
    with monkeypatch.context() as slow:
        slow.setattr(SyncService, "sync", slow_sync)
        other.start()
        inside.wait(20)
    with monkeypatch.context() as ours:
        ours.setattr(parking, "_parse", crash)
        parking.release(tenant)
    other.join()

    assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()
    assert {Delivery.objects.get(uid=uid).state for uid in parked_payments} == {"done"}


@pytest.mark.postgresql
@pytest.mark.parametrize("when", [at_once, at_commit])
def test_a_session_that_ends_in_a_release_leaves_the_parent_its_answer(parked_payments, replay, when):
    registration = factories.RegistrationRecord(id="reg_456")
    with when("payments_payment", action=END_SESSION):
        states = Sender().states("registrations", registration)
    stored = Payment.objects.count()
    Sender().post("units", factories.UnitRecord())  # whoever comes next

    assert (states, stored) == (["NEW"], 0)
    assert Payment.objects.count() == 3
    assert replay()[0] == 0
