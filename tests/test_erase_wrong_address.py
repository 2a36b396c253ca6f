"""What came of a person to a wrong address, or spelled wrong, is erased too, and what only looks so stays."""

import json

import pytest

from btec_sync.models import Delivery, RecordResult, Tenant, Tombstone
from btec_sync.services import services
from payments.models import Payment
from registrations.models import Registration
from tests import factories
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
from units.models import Unit


@pytest.fixture
def hers(sender, parents):
    send_hers(sender)


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
