"""manage.py erase_student: a person is gone from tables, results, bodies and answers, and stays out."""

import gzip
import json
import zlib
from contextlib import nullcontext
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from btec_sync import deliveries, tombstones, unreadable
from btec_sync.erasure import Erasure
from btec_sync.models import Delivery, RecordResult, Tenant, Tombstone
from btec_sync.reference.models import Student
from btec_sync.services import services
from grades.models import Grade
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.api import Sender, receive
from tests.pruning import age, prune
from tests.triggers import refusing
from units.models import Unit

#: Whatever is hers holds this word; nothing else does.
HERS = "Zenobia"


def erase(*arguments: str, person: str = "stud_z", tenant: str = "default") -> str:
    output = StringIO()
    call_command("erase_student", tenant, person, "--yes", *arguments, stdout=output)
    return output.getvalue()


def counts(output: str) -> dict[str, int]:
    rows = [line.rsplit(None, 1) for line in output.splitlines() if line.startswith("  ")]
    return {name.strip(): int(number.replace(",", "")) for name, number in rows if number != "0"}


def student(**changes) -> dict:
    return {"id": "stud_z", "Name": f"{HERS} Q", "Phone": f"{HERS} 1", **changes}


def registration(**changes) -> dict:
    found = {"id": "reg_z", "Student": {"id": "stud_z", "name": HERS}, "Program": {"id": "prog_789"}}
    return {**found, "Enrollment_Status": f"Active {HERS}", **changes}


def payment(**changes) -> dict:
    hers = {"id": "pay_z", "Registration": {"id": "reg_z"}, "Payment_Status": HERS, "Amount": 500}
    return {**hers, "Description": HERS, **changes}


def grade(**changes) -> dict:
    hers = {"id": "grade_z", "Student": {"id": "stud_z"}, "Unit": {"id": "unit_789"}}
    return {**hers, "Grade_Value": HERS, **changes}


def hers_everywhere() -> list[str]:
    """Where the word, or one of her ids, stands in any table but the tombstones."""
    found = []
    words = (HERS.encode(), b"stud_z", b"reg_z", b"pay_z", b"grade_z")
    for delivery in Delivery.objects.all():
        for column in ("body", "answer"):
            value = bytes(getattr(delivery, column)).replace(b"\\u005a", b"Z").replace(b"\\u0073", b"s")
            found += [f"{column} {delivery.pk} {word}" for word in words if word in value]
        found += [f"traceback {delivery.pk}" for word in words if word.decode() in delivery.traceback]
    for result in RecordResult.objects.all():
        text = (
            f"{result.zoho_id} {result.message} {result.errors} {result.changed_fields} {result.waits_for_id}"
        )
        found += [f"result {result.pk} {word}" for word in words if word.decode() in text]
    for service in services().values():
        found += [f"{service.module} {row}" for row in service.model.objects.filter(zoho_id__endswith="_z")]
    return found


@pytest.fixture
def hers(sender, parents):
    """Her records among others', created, changed and sent again unchanged."""
    sender.post("students", factories.StudentRecord(id="other"), student())
    sender.post("registrations", registration(), factories.RegistrationRecord(id="reg_other"))
    sender.post("payments", payment(), factories.PaymentRecord(id="pay_other"))
    sender.post("grades", factories.GradeRecord(id="grade_other"), grade())
    sender.post("students", student(Phone=f"{HERS} 2"), factories.StudentRecord(id="other", Phone="2"))
    sender.post("students", student(Phone=f"{HERS} 2"))
    sender.post("payments", payment(Amount=750.5, Description=f"{HERS} again"))


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


def test_a_replay_of_a_redacted_body_says_erased(hers, replay):
    erase()
    delivery = Delivery.objects.filter(module="grades").latest("pk")

    replay(str(delivery.uid))

    result = delivery.results.get(current=True)
    assert (result.position, result.state, result.zoho_id) == (1, "INVALID", "")
    assert result.errors[0]["code"] == "erased"


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


def test_a_body_that_is_no_json_is_removed_as_a_whole(sender, parents):
    sender.post("students", student())
    sender.post_body("students", '{"data": [{"id": "stud_z", "Name": "Zenobia"')
    sender.post_body("students", '{"data": [{"id": "stud_zz"')

    output = erase()

    one, other = Delivery.objects.filter(state="rejected").order_by("pk")
    assert (bytes(one.body), one.body_removed_at is None) == (b"", False)
    assert bytes(other.body)
    assert counts(output)["bodies removed"] == 1


ELSEWHERE = ["programs", "units", "registrations", "payments", "grades"]


@pytest.mark.parametrize("ignores", [False, True])
@pytest.mark.parametrize("module", ELSEWHERE)
def test_what_came_of_her_to_a_wrong_address_is_gone_too(sender, tenant, parents, module, ignores):
    if ignores:
        Tenant.objects.update(unknown_fields="ignore")
    sender.post(module, student(Academic_Email=f"{HERS}@x"), factories.RECORDS[module](id="other"))
    sender.post(module, {"id": "visit_1", "Visitor": {"id": "stud_z", "name": HERS}})
    sender.post(module, {"id": "visits", "Visitors": [{"Who": {"id": "stud_z", "name": HERS}}]})
    sender.post(module, [student()], "neither")
    assert hers_everywhere()
    told = counts(erase("--dry-run"))

    output = erase()

    assert hers_everywhere() == []
    assert HERS not in str([bytes(delivery.body) for delivery in Delivery.objects.all()])
    assert counts(output) == told == {"results": 4, "bodies redacted": 4, "records in bodies": 4}
    assert services()[module].model.objects.filter(zoho_id="other").exists()
    delivery = Delivery.objects.order_by("-pk")[3]
    assert (delivery.state, delivery.new, delivery.invalid) == ("done", 1, 0)
    answer = json.loads(bytes(delivery.answer))
    assert [result["status"] for result in answer["results"]] == ["INVALID", "NEW"]
    assert answer["summary"]["INVALID"] == 1
    # Nothing but her own id is kept out: a visit may be somebody else's when it is sent anew.
    assert set(Tombstone.objects.values_list("module", "zoho_id")) == {
        ("students", "stud_z"),
        (module, "stud_z"),
    }


@pytest.mark.parametrize("module", ["students", *ELSEWHERE])
@pytest.mark.parametrize(
    "record",
    [
        {"id": "x", "Student": [{"id": "stud_z", "name": HERS}]},
        {"id": "x", "Student": {"Contact": {"id": "stud_z"}, "name": HERS}},
        {"id": "x", "Student": {"id": {"id": "stud_z"}, "name": HERS}},
        {"id": "stud_z ", "Name": HERS},
        {"Id": "stud_z", "Name": HERS},
    ],
    ids=json.dumps,
)
def test_what_is_spelled_wrong_is_hers_as_it_was_meant(sender, parents, module, record):
    sender.post("students", student())
    sender.post(module, record)

    erase()

    assert HERS not in str([bytes(delivery.body) for delivery in Delivery.objects.all()])


def test_who_owns_a_record_is_no_student_whatever_the_number(sender, parents):
    sender.post("units", factories.UnitRecord(id="u", Owner={"id": "stud_z", "name": "office"}))
    before = bytes(Delivery.objects.latest("pk").body)

    erase("--unknown")

    assert bytes(Delivery.objects.latest("pk").body) == before


def test_a_record_that_was_never_stored_is_found_in_what_was_read_before_it_was_known(sender, parents):
    sender.post("students", student())
    sender.post("students", {"id": "note", "Registration": {"id": "reg_z", "name": HERS}})
    sender.post("registrations", {**registration(), "Enrollment_Status": 1})
    assert not Registration.objects.filter(zoho_id="reg_z").exists()

    erase()

    assert HERS not in str([bytes(delivery.body) for delivery in Delivery.objects.all()])


@pytest.mark.parametrize("module", ["students", "programs", "units"])
def test_her_records_that_came_to_a_wrong_address_are_gone_too(hers, sender, module):
    sender.post(module, registration(), factories.RECORDS[module](id="other_too"))
    sender.post(module, payment())
    sender.post(module, grade())

    erase()

    assert hers_everywhere() == []
    assert services()[module].model.objects.filter(zoho_id="other_too").exists()


@pytest.mark.parametrize("module", ELSEWHERE)
def test_another_modules_record_of_the_same_id_stays(hers, sender, tenant, module):
    genuine = factories.RECORDS[module](id="stud_z")
    sender.post(module, genuine)
    sender.post(module, {**genuine, "Status": 7})
    before = list(Delivery.objects.filter(module=module).order_by("-pk").values()[:2])

    erase()

    assert services()[module].model.objects.filter(zoho_id="stud_z").exists()
    assert list(Delivery.objects.filter(module=module).order_by("-pk").values()[:2]) == before
    results = RecordResult.objects.filter(module=module, zoho_id="stud_z").order_by("pk")
    assert [result.state for result in results] == ["NEW", "INVALID"]
    assert not Tombstone.objects.filter(module=module, zoho_id="stud_z").exists()
    assert sender.states(module, genuine) == ["UNCHANGED"]


def test_a_parked_record_of_another_module_under_the_same_id_stays(sender, tenant, parents):
    sender.post("students", student())
    sender.post("payments", factories.PaymentRecord(id="stud_z", Registration={"id": "reg_late"}))

    erase()
    sender.post("registrations", factories.RegistrationRecord(id="reg_late"))

    assert Payment.objects.filter(zoho_id="stud_z").exists()


def test_who_points_at_another_modules_record_of_the_same_id_stays(hers, sender):
    sender.post("programs", factories.ProgramRecord(id="stud_z"))
    sender.post("registrations", factories.RegistrationRecord(id="reg_o", Program={"id": "stud_z"}))

    erase()

    assert Registration.objects.get(zoho_id="reg_o").program.zoho_id == "stud_z"
    assert b"reg_o" in bytes(Delivery.objects.latest("pk").body)
    assert RecordResult.objects.filter(zoho_id="reg_o").exists()


def test_what_was_sent_to_a_wrong_address_is_found_without_its_body(sender, tenant):
    sender.post("programs", student())
    age(91)
    prune()

    erase()

    assert not RecordResult.objects.exists()
    assert Delivery.objects.get().invalid == 0


def test_a_visit_that_is_stored_stays_but_for_the_version_that_named_her(sender, tenant):
    Tenant.objects.update(unknown_fields="ignore")
    unit = factories.UnitRecord(id="u")
    sender.post("students", student())
    sender.post("units", {**unit, "Leader": {"id": "stud_z", "name": HERS}})
    sender.post("units", {**unit, "Level": "L9"})

    erase()

    assert hers_everywhere() == []
    assert Unit.objects.get().level == "L9"
    assert sender.states("units", {**unit, "Level": "L9"}) == ["UNCHANGED"]


HER_BODY = json.dumps({"data": [student()]})
DEFLATE = zlib.compressobj(wbits=-zlib.MAX_WBITS)
NOT_READ = {
    "gzip": gzip.compress(HER_BODY.encode()),
    "gzip of UTF-16": gzip.compress(HER_BODY.encode("utf-16")),
    "two gzip files": gzip.compress(b" ") + gzip.compress(HER_BODY.encode()),
    "gzip without its end": gzip.compress(b" " * 100_000 + HER_BODY.encode())[:-9],
    "zlib": zlib.compress(HER_BODY.encode()),
    "deflate": DEFLATE.compress(HER_BODY.encode()) + DEFLATE.flush(),
    "UTF-16": HER_BODY.encode("utf-16"),
    "UTF-16-LE": HER_BODY.encode("utf-16-le"),
    "UTF-16-BE": HER_BODY.encode("utf-16-be"),
    "UTF-32": HER_BODY.encode("utf-32"),
    "a byte order mark": HER_BODY.encode("utf-8-sig"),
    "no end": HER_BODY[:-1].encode(),
    "no end, and another escape before": HER_BODY[:-1].replace("stud_z", "\\nstud_z").encode(),
    "no end and an escape": HER_BODY[:-1].replace("stud_z", "\\u0073tud_z").encode(),
    "a key twice": HER_BODY.replace('"Name"', '"id": "other", "Name"').encode(),
    "Latin-1": HER_BODY.replace("Q", "é").encode("latin-1"),
    "a form": b"id=stud_z&Name=Zenobia",
}


@pytest.mark.parametrize("module", ["students", "units"])
@pytest.mark.parametrize("body", NOT_READ.values(), ids=NOT_READ)
def test_a_body_that_is_not_read_and_holds_her_id_is_removed_whatever_it_is_packed_in(
    sender, tenant, module, body
):
    sender.post("students", student())
    assert sender.post_body(module, body).status_code == 400
    sender.post_body(module, gzip.compress(b'{"data": [{"id": "stud_zz"}]}'))

    output = erase()

    hers, other = Delivery.objects.order_by("pk")[1:]
    assert (bytes(hers.body), hers.state, hers.body_removed_at is None) == (b"", "rejected", False)
    assert bytes(other.body)
    assert counts(output)["bodies removed"] == 1


def test_a_body_that_is_refused_for_its_encoding_is_removed(sender, tenant):
    body = gzip.compress(HER_BODY.encode())
    response = sender.post_body("students", body, **{"Content-Encoding": "gzip"})
    assert response.status_code == 415

    erase("--unknown")

    assert bytes(Delivery.objects.get().body) == b""


def test_a_packed_body_is_unpacked_within_bounds(monkeypatch):
    monkeypatch.setattr(unreadable, "MOST_UNPACKED", 10_000)
    bomb = gzip.compress(b" " * 100_000_000 + b"stud_z")

    found = [len(reading) for reading in unreadable.readings(bomb)]

    assert max(found) == len(bomb)
    assert 10_000 in found


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


def test_a_dry_run_counts_the_same_and_changes_nothing(hers):
    before = list(Delivery.objects.values()), RecordResult.objects.count(), Student.objects.count()

    told = erase("--dry-run")

    assert (list(Delivery.objects.values()), RecordResult.objects.count(), Student.objects.count()) == before
    assert not Tombstone.objects.exists()
    done = counts(erase())
    assert counts(told) == done


def test_an_interrupted_run_is_finished_by_the_next(hers, tenant, sender):
    sender.post("payments", payment(id="pay_parked_z", Registration={"id": "reg_parked_z"}))
    sender.post("registrations", registration(id="reg_parked_z", Program={"id": "nowhere"}))

    class Killed(Exception):
        pass

    def die(read: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        Erasure(tenant, "stud_z").run(die)
    assert not Student.objects.filter(zoho_id="stud_z").exists()
    assert hers_everywhere()

    erase()

    assert hers_everywhere() == []


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


def test_run_twice_it_finds_nothing_more(hers):
    erase()

    assert counts(erase()) == {}


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody", "stud_z"], "no tenant nobody"),
        (["default", "stud z"], "not a Zoho id"),
        (["default", "never_sent"], "--unknown"),
        (["default", "never_sent", "--lift"], "No student never_sent was erased"),
    ],
)
def test_wrong_use_says_what_to_mend(sender, tenant, arguments, says):
    with pytest.raises(CommandError, match=says) as error:
        call_command("erase_student", *arguments, "--yes")

    assert error.value.returncode == 2
    assert not Tombstone.objects.exists()


@pytest.mark.parametrize(("typed", "erased"), [("stud_z", True), ("yes", False), (EOFError, False)])
def test_it_asks_before_it_erases(hers, monkeypatch, typed, erased):
    def answer(question: str) -> str:
        if typed is EOFError:
            raise EOFError
        return typed

    monkeypatch.setattr("builtins.input", answer)

    with nullcontext() if erased else pytest.raises(CommandError, match="Nothing was erased"):
        call_command("erase_student", "default", "stud_z", stdout=StringIO())

    assert Student.objects.filter(zoho_id="stud_z").exists() is not erased
