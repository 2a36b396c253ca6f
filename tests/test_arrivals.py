"""A parent that comes is noted once, and what waits for it goes on in batches."""

import pytest
from django.db import connection

from btec_sync import arrivals, deliveries, parking
from btec_sync.models import Arrival, Delivery, RecordResult
from btec_sync.reference.models import Student
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.api import receive
from tests.conftest import payload


@pytest.fixture
def student(sender, tenant):
    """A student's delivery, and before it a registration and five payments that wait for it in a chain."""
    sender.post("registrations", factories.RegistrationRecord(id="reg_456"))
    sender.post("payments", *[factories.PaymentRecord(id=f"p{n}") for n in range(5)])
    sender.post("programs", factories.ProgramRecord(id="prog_789"))
    return receive(tenant, "students", factories.StudentRecord(id="stud_456"))


def test_parked_records_are_released_in_their_order_of_arrival(sender, tenant):
    grade = payload("grade")
    sender.post("units", {**payload("unit"), "id": grade["Unit"]["id"]})
    for n in range(3):
        sender.post("grades", {**grade, "id": f"g{n}"})
    student = receive(tenant, "students", {"id": grade["Student"]["id"], "Name": "A"})
    deliveries.process(student, enough_releases=0)

    ready = [result.delivery_id for result in parking._ready(tenant, arrivals.first(tenant, 10))]

    assert len(ready) == 3
    assert ready == sorted(ready)


def test_a_parent_is_noted_once_and_touches_nothing_that_waits_for_it(sender, tenant, student):
    others = RecordResult.objects.exclude(delivery=student).order_by("pk")
    before = list(others.values())

    answer = deliveries.process(student, enough_releases=0)
    noted = list(Arrival.objects.values_list("tenant", "module", "zoho_id"))
    untouched = list(others.values()) == before
    released = parking.release(tenant)

    assert answer.releases_left
    assert noted == [(tenant.pk, "students", "stud_456")]
    assert untouched
    assert released
    assert Payment.objects.count() == 5
    assert not Arrival.objects.exists()


def test_a_parent_that_nothing_waits_for_is_not_noted(tenant):
    student = receive(tenant, "students", factories.StudentRecord())

    answer = deliveries.process(student, enough_releases=0)

    assert not answer.releases_left
    assert not Arrival.objects.exists()


def test_more_parked_records_than_one_batch_follow_once_the_answer_is_out(sender, monkeypatch):
    monkeypatch.setattr(parking, "BATCH", 2)
    sender.post("programs", payload("program"))
    for n in range(5):
        sender.post("registrations", factories.RegistrationRecord(id=f"r{n}"))
        sender.post("payments", factories.PaymentRecord(id=f"p{n}", Registration={"id": f"r{n}"}))

    answer = deliveries.process(
        receive(factories.TenantFactory(), "students", payload("student")), enough_releases=2
    )
    at_the_answer = Registration.objects.count()
    parking.release(factories.TenantFactory())

    assert answer.releases_left
    assert at_the_answer == 2
    assert (Registration.objects.count(), Payment.objects.count()) == (5, 5)


def test_over_http_all_of_them_follow(sender, monkeypatch):
    monkeypatch.setattr(parking, "BATCH", 2)
    sender.post("programs", payload("program"))
    sender.post("registrations", *[factories.RegistrationRecord(id=f"r{n}") for n in range(5)])

    sender.post("students", payload("student"))

    assert Registration.objects.count() == 5


def test_what_another_process_has_released_is_not_released_again(sender, tenant, monkeypatch):
    registration = payload("registration")
    sender.post("programs", payload("program"))
    sender.post("registrations", registration, {**registration, "id": "bad", "Enrollment_Status": 1})
    with monkeypatch.context() as crash:
        crash.setattr(parking, "release", lambda tenant, enough=None: True)
        sender.post("students", payload("student"))
    ready = parking._ready(tenant, arrivals.first(tenant, 1))

    for _ in range(2):
        parking._release(tenant, ready)

    delivery = Delivery.objects.get(module="registrations")
    assert (delivery.attempts, delivery.new, delivery.invalid) == (2, 1, 1)
    assert delivery.state == "incomplete"


def test_small_batches_release_all_behind_one_parent_and_behind_several(sender, tenant, student, monkeypatch):
    monkeypatch.setattr(parking, "BATCH", 2)
    sender.post(
        "payments", *[factories.PaymentRecord(id=f"q{n}", Registration={"id": f"r{n}"}) for n in range(5)]
    )
    late = [factories.RegistrationRecord(id=f"r{n}") for n in range(5)]
    registrations = receive(tenant, "registrations", *late)

    deliveries.process(registrations, enough_releases=0)
    deliveries.process(student)

    assert Payment.objects.count() == 10
    assert not arrivals.waiting().exists()
    assert not Arrival.objects.exists()


def test_of_many_behind_several_parents_only_some_are_put_in_order(sender, tenant, student, monkeypatch):
    monkeypatch.setattr(parking, "BATCH", 3)
    monkeypatch.setattr(parking, "SORTED", 4)
    for n in range(3):
        payments = [factories.PaymentRecord(id=f"{n}{r}", Registration={"id": r}) for r in "abcd"]
        sender.post("payments", *payments)
    late = receive(tenant, "registrations", *[factories.RegistrationRecord(id=r) for r in "abcd"])
    deliveries.process(student, enough_releases=0)
    deliveries.process(late, enough_releases=0)

    released = parking.release(tenant)

    assert released
    assert Payment.objects.count() == 5 + 12
    assert not Arrival.objects.exists()


def test_an_arrival_that_nothing_waits_for_any_more_is_forgotten(sender, tenant):
    arrivals.add(tenant, "students", ["s1", "s2"])
    arrivals.add(tenant, "students", ["s2"])
    noted = Arrival.objects.count()

    sender.post("units", factories.UnitRecord())

    assert noted == 2
    assert not Arrival.objects.exists()


def test_a_parent_that_was_taken_away_meanwhile_is_waited_for_again(sender, tenant, student):
    deliveries.process(student, enough_releases=0)
    Student.objects.all().delete()

    released = parking.release(tenant)
    waiting = list(arrivals.waiting().values_list("module", "waits_for_id").distinct())
    noted = Arrival.objects.exists()
    sender.post("students", factories.StudentRecord(id="stud_456"))

    assert released
    assert sorted(waiting) == [("payments", "reg_456"), ("registrations", "stud_456")]
    assert not noted
    assert Payment.objects.count() == 5


def test_what_waits_in_a_module_that_is_no_more_holds_nobody_up(sender, tenant, student):
    RecordResult.objects.filter(module="registrations").update(module="gone")

    deliveries.process(student)

    assert RecordResult.objects.filter(module="gone", current=True).exclude(waits_for_id="").exists()
    assert not Arrival.objects.exists()
    assert parking.release(tenant)


def test_what_may_go_on_still_may_after_the_migration_and_back(migrated, tenant, sender, student):
    deliveries.process(student, enough_releases=0)

    migrated("0007_newest_to_mend")
    with connection.cursor() as cursor:
        cursor.execute("SELECT zoho_id FROM btec_sync_recordresult WHERE ready")
        ready = cursor.fetchall()
    migrated("0008_arrivals")
    noted = list(Arrival.objects.values_list("tenant", "module", "zoho_id"))
    released = parking.release(tenant)

    assert ready == [("reg_456",)]
    assert noted == [(tenant.pk, "students", "stud_456")]
    assert released
    assert Payment.objects.count() == 5
