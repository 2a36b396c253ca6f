"""manage.py erase_student: a person is gone from tables, results, bodies and answers, and stays out."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from btec_sync import deliveries, tombstones
from btec_sync.models import Delivery, RecordResult, Tombstone
from btec_sync.reference.models import Student
from btec_sync.services import services
from grades.models import Grade
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.api import Sender, receive
from tests.erasing import (
    HERS,
    counts,
    erase,
    grade,
    hers_everywhere,
    payment,
    registration,
    send_hers,
    student,
)
from tests.pruning import age, prune
from tests.triggers import refusing


@pytest.fixture
def hers(sender, parents):
    send_hers(sender)


def test_she_is_gone_from_every_table_body_answer_and_result(hers):
    assert hers_everywhere()

    output = erase()

    assert hers_everywhere() == []
    assert counts(output) == {
        "students": 1,
        "registrations": 1,
        "payments": 1,
        "grades": 1,
        "results": 6,
        "bodies redacted": 7,
        "records in bodies": 7,
    }
    assert set(Tombstone.objects.values_list("module", "zoho_id", "person")) == {
        ("students", "stud_z", "stud_z"),
        ("registrations", "reg_z", "stud_z"),
        ("payments", "pay_z", "stud_z"),
        ("grades", "grade_z", "stud_z"),
    }


def test_what_is_others_stays_and_can_be_replayed(hers, replay):
    before = {
        service.module: set(service.model.objects.exclude(zoho_id__endswith="_z").values_list("zoho_id"))
        for service in services().values()
    }
    erase()

    replay("--all")

    after = {
        service.module: set(service.model.objects.values_list("zoho_id")) for service in services().values()
    }
    assert after == before
    assert hers_everywhere() == []
    assert Student.objects.get(zoho_id="other").phone == "2"


def test_the_other_records_of_a_body_keep_their_bytes_and_their_places(sender, parents):
    other = '{"id":"pay_o" , "Registration":{"id":"reg_456"},"Amount":5.00e2,"Payment_Status":"\\u0633"}'
    her = json.dumps(payment(Registration={"id": "reg_z"}))
    sender.post("students", student())
    sender.post("registrations", registration())
    sender.post_body("payments", f'\n{{ "data" : [ {her} ,\t{other},{her} ] }} ')

    erase()

    body = bytes(Delivery.objects.latest("pk").body).decode()
    assert body == f'\n{{ "data" : [ {{"$erased": true}} ,\t{other},{{"$erased": true}} ] }} '


def test_the_redacted_answer_is_a_true_answer(hers):
    erase()

    answer = json.loads(bytes(Delivery.objects.filter(module="students").order_by("pk")[1].answer))
    assert answer["status"] == "partial"
    assert answer["summary"] == {"NEW": 1, "UNCHANGED": 0, "UPDATED": 0, "INVALID": 1, "ERROR": 0}
    assert [result["status"] for result in answer["results"]] == ["NEW", "INVALID"]
    assert answer["results"][1]["zoho_student_id"] is None
    assert answer["results"][1]["errors"][0]["code"] == "erased"


@pytest.mark.parametrize("more", [[], ["--lift"]], ids=["erased", "lifted"])
def test_a_replay_of_a_redacted_body_leaves_nobody_a_record_to_mend(hers, replay, more):
    erase()
    erase(*more)

    assert replay("--all")[0] == 0

    assert not RecordResult.objects.filter(current=True, state="INVALID").exists()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"done"}
    assert set(Delivery.objects.values_list("invalid", flat=True)) == {0}


def test_an_answer_that_was_not_final_says_erased_after_a_replay(sender, replay):
    sender.post("registrations", registration(id="reg_z"), factories.RegistrationRecord(id="reg_2"))
    erase()
    delivery = Delivery.objects.latest("pk")

    replay(str(delivery.uid))

    delivery.refresh_from_db()
    answer = json.loads(bytes(delivery.answer))
    assert [result["errors"][0]["code"] for result in answer["results"]] == ["erased", "missing_dependency"]
    assert (delivery.invalid, delivery.results.filter(current=True).count()) == (1, 1)


def test_a_sender_that_writes_what_stands_for_an_erased_record_is_told(sender):
    (result,) = sender.results("students", {"$erased": True})

    assert result["errors"][0]["code"] == "erased"
    assert Delivery.objects.get().invalid == 1


@pytest.mark.parametrize(
    ("module", "record", "field"),
    [
        ("students", student(), "id"),
        ("registrations", registration(id="reg_new"), "Student.id"),
        ("payments", payment(id="pay_new"), "Registration.id"),
        ("grades", grade(id="grade_new"), "Student.id"),
    ],
)
def test_what_is_sent_anew_is_refused_not_parked_and_not_kept(hers, sender, module, record, field):
    erase()

    (result,) = sender.results(module, record)

    assert result["status"] == "INVALID"
    assert [(error["field"], error["code"]) for error in result["errors"]] == [(field, "erased")]
    assert "retryable" not in result
    assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()
    assert HERS.encode() not in bytes(Delivery.objects.latest("pk").body)
    assert not services()[module].model.objects.filter(zoho_id=record["id"]).exists()


def test_a_payment_for_a_registration_that_was_refused_is_refused_as_well(hers, sender):
    erase()
    early = sender.results("payments", payment(id="pay_new", Registration={"id": "reg_new"}))
    sender.post("registrations", registration(id="reg_new"))

    late = sender.results("payments", payment(id="pay_late", Registration={"id": "reg_new"}))

    assert early[0]["retryable"]
    assert late[0]["errors"][0]["code"] == "erased"
    assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()
    assert not any(HERS.encode() in bytes(d.body) for d in Delivery.objects.all())


def test_neighbours_in_a_refused_batch_are_stored(hers, sender):
    erase()

    states = sender.states("students", student(), factories.StudentRecord(id="new"))

    assert states == ["INVALID", "NEW"]


def test_the_same_key_and_bytes_get_the_redacted_answer_and_store_nothing(sender, parents):
    sender.post("students", student(), key="k")
    erase()

    response = sender.post("students", student(), key="k")

    assert response.headers["Idempotent-Replayed"] == "true"
    assert response.json()["results"][0]["errors"][0]["code"] == "erased"
    assert not Student.objects.filter(zoho_id="stud_z").exists()
    assert not any(HERS.encode() in bytes(d.body) for d in Delivery.objects.all())


def test_parked_records_that_wait_for_her_are_gone(sender, parents):
    sender.post("payments", payment())
    sender.post("registrations", registration())
    sender.post("grades", grade())

    erase()

    assert hers_everywhere() == []
    assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()
    assert sender.states("students", student()) == ["INVALID"]
    assert not Registration.objects.filter(zoho_id="reg_z").exists()


def test_invalid_unprocessed_and_failed_deliveries_are_redacted(sender, tenant, parents):
    sender.post("students", student(Name=None))
    sender.post("registrations", registration(Student="stud_z"))
    sender.post_body("grades", json.dumps({"data": [grade()]}).replace('"stud_z"', '"\\u0073tud_z"'))
    receive(tenant, "students", student())
    crashed = receive(tenant, "students", student(id="stud_z"))
    Delivery.objects.filter(pk=crashed.pk).update(state="failed", traceback=f"(1, {HERS})")

    erase()

    assert hers_everywhere() == []


def test_a_registration_that_is_somebody_elses_by_now_stays(sender, parents):
    sender.post("students", student())
    sender.post("registrations", registration())
    sender.post("registrations", registration(Student={"id": "stud_456"}, Enrollment_Status="Active"))

    erase()

    assert Registration.objects.get(zoho_id="reg_z").student.zoho_id == "stud_456"
    assert not any("stud_z" in place for place in hers_everywhere())
    moved = RecordResult.objects.get(state="UPDATED")
    assert moved.changed_fields["student"] == ["erased", "stud_456"]
    answer = json.loads(bytes(moved.delivery.answer))
    assert answer["results"][0]["changed_fields"]["student"] == ["erased", "stud_456"]
    assert sender.states("registrations", registration(Student={"id": "stud_456"})) == ["UPDATED"]


def figures() -> list[tuple]:
    """Of each delivery its state and counts, in the order of arrival."""
    columns = ("state", "new", "unchanged", "updated", "invalid", "error")
    return list(Delivery.objects.order_by("pk").values_list("module", *columns))


def test_a_delivery_counts_what_is_left_of_it(hers):
    erase()

    assert figures()[-7:] == [
        ("students", "done", 1, 0, 0, 0, 0),
        ("registrations", "done", 1, 0, 0, 0, 0),
        ("payments", "done", 1, 0, 0, 0, 0),
        ("grades", "done", 1, 0, 0, 0, 0),
        ("students", "done", 0, 0, 1, 0, 0),
        ("students", "done", 0, 0, 0, 0, 0),
        ("payments", "done", 0, 0, 0, 0, 0),
    ]


def test_a_delivery_is_done_once_all_that_was_refused_of_it_is_erased(sender, parents):
    with refusing(f"NEW.name LIKE '{HERS}%'", table="reference_student"):
        sender.post("students", student(), factories.StudentRecord())
    sender.post("payments", payment(), factories.PaymentRecord())  # parked
    sender.post("registrations", registration(Enrollment_Status=7), {"id": "broken"})
    before = figures()[-3:]

    erase()

    assert before == [
        ("students", "incomplete", 1, 0, 0, 0, 1),
        ("payments", "incomplete", 1, 0, 0, 1, 0),
        ("registrations", "incomplete", 0, 0, 0, 2, 0),
    ]
    assert figures()[-3:] == [
        ("students", "done", 1, 0, 0, 0, 0),
        ("payments", "done", 1, 0, 0, 0, 0),
        ("registrations", "incomplete", 0, 0, 0, 1, 0),
    ]
    age(91)
    prune()
    assert not Delivery.objects.filter(body_removed_at=None).exists()


def test_a_delivery_whose_body_is_gone_is_counted_anew_as_well(hers):
    age(91)
    prune()

    erase()

    assert figures()[-7] == ("students", "done", 1, 0, 0, 0, 0)
    assert not RecordResult.objects.filter(zoho_id="stud_z").exists()


def test_another_tenants_student_of_the_same_id_stays(hers):
    other = Sender(factories.TenantFactory(slug="other").slug)
    other.post("students", student())

    erase()

    assert Student.objects.get(zoho_id="stud_z").tenant.slug == "other"
    assert other.states("students", student(Name=f"{HERS} R")) == ["UPDATED"]


def test_lifted_she_may_come_back_and_what_was_erased_does_not(hers, sender, replay):
    erase()

    output = StringIO()
    call_command("erase_student", "default", "stud_z", "--lift", stdout=output)
    replay("--all")

    assert "Lifted: 4 tombstones" in output.getvalue()
    assert not Student.objects.filter(zoho_id="stud_z").exists()
    assert sender.states("students", student()) == ["NEW"]
    assert sender.states("registrations", registration()) == ["NEW"]
    assert (
        Payment.objects.filter(zoho_id="pay_z").count(),
        Grade.objects.filter(zoho_id="grade_z").count(),
    ) == (
        0,
        0,
    )


def test_a_delivery_under_way_when_she_was_erased_stores_nothing(sender, tenant, parents):
    under_way = receive(tenant, "students", student())  # read, but its turn has not come
    erase("--unknown")

    deliveries.process(under_way)

    assert not Student.objects.filter(zoho_id="stud_z").exists()
    assert HERS.encode() not in bytes(Delivery.objects.get(pk=under_way.pk).body)


def test_without_tombstones_a_batch_asks_for_no_more(sender, parents, django_assert_num_queries):
    sender.post("students", student())
    service = services()["students"](Student.objects.first().tenant)

    candidates = service.parse([(1, 0, student())])
    with django_assert_num_queries(0):
        assert tombstones.refuse(service, candidates, some=[]) == candidates
