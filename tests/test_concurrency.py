"""Many senders at once, with real threads and real commits."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection, transaction

from btec_sync import arrivals, parking
from btec_sync.deliveries import process
from btec_sync.models import Arrival, Delivery, IdempotencyKey, RecordResult, Tenant
from payments.models import Payment
from tests import factories
from tests.api import Sender, receive
from units.models import Unit

pytestmark = pytest.mark.usefixtures("committed")


def at_once(*calls):
    """The results of calls that start together, each in a thread with a connection of its own."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait(30)
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.fixture
def tenant():
    return factories.TenantFactory()


def test_each_record_is_new_exactly_once(tenant):
    ids = [f"u{n}" for n in range(40)]

    def send(seed):
        shuffled = random.Random(seed).sample(ids, len(ids))
        return Sender().results("units", *[factories.UnitRecord(id=i, Unit_Name="same") for i in shuffled])

    answers = at_once(*[lambda seed=seed: send(seed) for seed in range(8)])

    states = Counter((r["zoho_unit_id"], r["status"]) for answer in answers for r in answer)
    assert {zoho_id for zoho_id, state in states if state == "NEW"} == set(ids)
    assert all(states[zoho_id, "NEW"] == 1 for zoho_id in ids)
    assert Unit.objects.count() == len(ids)


def test_shuffled_versions_end_at_the_highest(tenant):
    versions = random.Random(1).sample(range(1, 17), 16)

    at_once(
        *[
            lambda v=v: Sender().post("units", factories.UnitRecord(id="u", Unit_Name=f"v{v}", Version=v))
            for v in versions
        ]
    )

    assert Unit.objects.get().unit_name == "v16"


def test_one_key_is_executed_once_and_all_get_the_same_bytes(tenant):
    record = factories.UnitRecord(id="u")

    responses = at_once(*[lambda: Sender().post("units", record, key="k")] * 12)

    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    assert Delivery.objects.filter(attempts=1).count() == 1
    assert IdempotencyKey.objects.count() == 1


def test_none_stays_parked_whose_parents_are_there(tenant):
    Sender().post("students", factories.StudentRecord(id="stud_456"))
    Sender().post("programs", factories.ProgramRecord(id="prog_789"))
    children = [
        lambda n=n: Sender().post(
            "payments", factories.PaymentRecord(id=f"p{n}", Registration={"id": f"r{n}"})
        )
        for n in range(8)
    ]
    parents = [
        lambda n=n: Sender().post("registrations", factories.RegistrationRecord(id=f"r{n}")) for n in range(8)
    ]

    at_once(*[call for pair in zip(children, parents, strict=True) for call in pair])

    assert Payment.objects.count() == 8
    assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"done"}


def test_two_releases_at_once_do_the_work_once(tenant):
    Sender().post("payments", *[factories.PaymentRecord(id=f"p{n}") for n in range(5)])
    Sender().post("students", factories.StudentRecord(id="stud_456"))
    Sender().post("programs", factories.ProgramRecord(id="prog_789"))
    Sender().post("registrations", factories.RegistrationRecord(id="reg_456"))
    payments = Delivery.objects.get(module="payments")
    assert payments.attempts == 2
    Payment.objects.all().delete()
    RecordResult.objects.filter(delivery=payments, attempt=2).delete()
    RecordResult.objects.filter(delivery=payments).update(current=True)
    arrivals.add(tenant, "registrations", ["reg_456"])
    Delivery.objects.filter(pk=payments.pk).update(attempts=1, new=0, invalid=5, state="incomplete")

    at_once(*[lambda: parking.release(tenant)] * 4)

    payments.refresh_from_db()
    assert (payments.attempts, payments.new, payments.invalid, payments.state) == (2, 5, 0, "done")


def test_one_delivery_processed_by_several_at_once_is_applied_once(tenant):
    delivery = receive(tenant, "units", factories.UnitRecord(id="u"))
    received = [Delivery.objects.get(pk=delivery.pk) for _ in range(4)]

    answers = at_once(*[lambda d=d: process(d) for d in received])

    delivery.refresh_from_db()
    assert delivery.attempts == 1
    assert {answer.body for answer in answers} == {bytes(delivery.answer)}
    assert Unit.objects.count() == 1
    assert RecordResult.objects.count() == 1


@contextmanager
def turn_held(tenant):
    """Somebody else has the tenant's turn until the block ends."""
    held, let_go = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
            held.set()
            let_go.wait(20)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    try:
        yield
    finally:
        let_go.set()
        holder.join()


@pytest.mark.postgresql
def test_who_waits_too_long_for_a_turn_is_told_when_to_come_back(tenant, settings):
    settings.BTEC_LOCK_SECONDS = 1

    with turn_held(tenant):
        first = Sender().post("units", factories.UnitRecord(id="u"), key="k")
        second = Sender().post("units", factories.UnitRecord(id="u"), key="k")

    assert (first.status_code, first.json()["code"]) == (503, "unavailable")
    assert (second.status_code, second.json()["code"]) == (409, "key_in_flight")
    assert int(first.headers["Retry-After"]) > 0
    assert int(second.headers["Retry-After"]) > 0
    assert set(Delivery.objects.values_list("state", flat=True)) == {"received"}
    assert Sender().states("units", factories.UnitRecord(id="u"), key="k") == ["NEW"]


@pytest.mark.postgresql
def test_a_release_waits_for_its_turn(tenant, settings):
    settings.BTEC_LOCK_SECONDS = 1
    Sender().post("programs", factories.ProgramRecord(id="prog_789"))
    Sender().post("registrations", factories.RegistrationRecord())
    Sender().post("students", factories.StudentRecord(id="somebody_else"))
    arrivals.add(tenant, "students", [RecordResult.objects.get(module="registrations").waits_for_id])

    with turn_held(tenant), pytest.raises(OperationalError):
        parking.release(tenant)

    assert Arrival.objects.count() == 1


@pytest.mark.postgresql
def test_a_busy_tenant_does_not_keep_the_others_from_being_replayed(tenant, settings, replay):
    settings.BTEC_LOCK_SECONDS = 1
    calm = factories.TenantFactory(slug="calm")
    receive(tenant, "units", factories.UnitRecord(id="u"))
    receive(calm, "units", factories.UnitRecord(id="u"))

    with turn_held(tenant):
        status, output = replay()

    assert status == 1
    assert "1 of 2 deliveries are not done" in output
    assert list(Unit.objects.values_list("tenant__slug", flat=True)) == ["calm"]
