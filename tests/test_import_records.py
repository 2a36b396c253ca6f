"""manage.py import_records: an export comes in by the way of requests."""

import json
from decimal import Decimal
from functools import partial

import pytest

from btec_sync import bulk_read, deliveries
from btec_sync.models import Delivery
from btec_sync.reference.models import Program, Student
from btec_sync.reference.serializers import StudentSerializer
from btec_sync.reference.services import StudentSync
from grades.models import Grade
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.bulk_read import PAYMENTS, STUDENTS, counts, import_records, zipped
from units.models import Unit


@pytest.fixture
def run(tenant, tmp_path):
    return partial(import_records, tmp_path)


def test_a_bulk_read_csv_is_imported_by_way_of_a_delivery(run):
    status, output = run(
        "students",
        "id,Name,Academic_Email,Phone,Status,Owner,Created_Time,Modified_Time\n"
        's1,"Ahmed, M.",,+962 1,,9,2026-01-01T00:00:00+03:00,2026-01-15T11:15:13+04:00\n',
    )

    student = Student.objects.get()
    assert (student.zoho_id, student.name, student.phone) == ("s1", "Ahmed, M.", "+962 1")
    assert student.modified_time.isoformat() == "2026-01-15T07:15:13+00:00"
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.new) == ("done", 1)
    assert json.loads(bytes(delivery.body))["data"][0]["Name"] == "Ahmed, M."
    assert (status, counts(output)) == (0, {"NEW": 1})
    assert "1 record in 1 delivery." in output


def test_money_is_a_number_as_it_is_spelled(run, parents):
    run("payments", PAYMENTS + "p1,reg_456,500.10,Completed,2026-01-20,,\n")

    assert '"Amount": 500.10' in bytes(Delivery.objects.latest("pk").body).decode()
    assert Payment.objects.get().amount == Decimal("500.10")


@pytest.mark.parametrize(
    "amount", ["", "five", "1,000", "٥٠٠", " 500", "+500", "0500", "NaN", "-1", "500.001", "1e999999999"]
)
def test_what_is_no_amount_is_invalid_and_kept(run, parents, amount):
    status, output = run("payments", PAYMENTS + f'p1,reg_456,"{amount}",Completed,,,\n')

    assert not Payment.objects.exists()
    assert (status, counts(output)) == (1, {"INVALID": 1})
    assert Delivery.objects.latest("pk").state == "incomplete"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Student,Program", "stud_456,prog_789"),
        ("Student.id,Program.id", "stud_456,prog_789"),
        ("Student,Student.id,Program.id,Program", "Ahmed,stud_456,prog_789,Business"),
        ("Student.id,Student.name,Student.Academic_Email,Program.id", "stud_456,Ahmed,a@b,prog_789"),
    ],
)
def test_lookups_are_read_however_their_columns_are_written(run, parents, header, row):
    status, _ = run("registrations", f"id,{header},Enrollment_Status\nr1,{row},Active\n", "--empty-missing")

    registration = Registration.objects.get(zoho_id="r1")
    assert (registration.student.zoho_id, registration.program.zoho_id) == ("stud_456", "prog_789")
    assert status == 0


def test_every_module_is_read_by_its_own_fields(run, parents):
    run("programs", "id,Product_Name,Program_Price,MoodleID,Status\np1,HND,3000.00,42,\n")
    run("units", "id,Unit_Code,Unit_Name,Credit_Hours,Level,Status,Description\nu1,U,Unit,15.5,,Active,\n")
    grade = "g1,stud_456,u1,D,95,2026-06-15,\n"
    run("grades", f"id,Student.id,Unit.id,Grade_Value,Score,Grade_Date,Comments\n{grade}")

    program = Program.objects.get(zoho_id="p1")
    assert (program.program_price, program.moodle_id) == (Decimal("3000.00"), "42")
    assert Unit.objects.get(zoho_id="u1").credit_hours == Decimal("15.50")
    assert Grade.objects.get(zoho_id="g1").score == Decimal(95)


def test_json_lines_come_in_as_they_are_spelled(run, parents):
    line = '{"id":"p1","Registration":{"id":"reg_456"},"Amount":5.0010e2,"Payment_Status":"\\u0633"}'

    status, _ = run("payments", f"\n{line}\n\n", name="export.jsonl")

    assert line in bytes(Delivery.objects.latest("pk").body).decode()
    assert Payment.objects.get().amount == Decimal("500.10")
    assert status == 0


@pytest.mark.parametrize("name", ["600.csv", "600.jsonl"])
def test_a_zip_is_read_as_what_is_in_it(run, tmp_path, name):
    content = f"{STUDENTS}s1,A,,,\n" if name.endswith("csv") else '{"id": "s1", "Name": "A"}\n'

    status, _ = run("students", zipped(tmp_path, {name: content}), name="export.zip")

    assert Student.objects.get().name == "A"
    assert status == 0


def test_a_byte_order_mark_empty_lines_and_line_ends_in_cells_are_fine(run):
    content = '\ufeffid,Unit_Code,Unit_Name,Status,Description\r\n\r\nu1,U,سارة,A,"two\r\nlines"\r\n\r\n'

    status, _ = run("units", content, "--empty-missing")

    unit = Unit.objects.get()
    assert (unit.unit_name, unit.description) == ("سارة", "two\r\nlines")
    assert status == 0


def test_batches_hold_no_more_than_a_request_may(run, settings):
    settings.BTEC_MAX_BATCH = 3
    settings.BTEC_MAX_BODY_BYTES = 200
    rows = [f"s{n},{'x' * (80 if n > 6 else 1)},,,\n" for n in range(9)]

    run("students", STUDENTS + "".join(rows))

    bodies = [bytes(delivery.body) for delivery in Delivery.objects.order_by("pk")]
    assert [len(json.loads(body)["data"]) for body in bodies] == [3, 3, 2, 1]
    assert all(len(body) <= 200 for body in bodies)
    assert Student.objects.count() == 9


def test_run_again_everything_is_unchanged(run):
    run("students", STUDENTS + "s1,A,,,\ns2,B,,,\n")

    status, output = run("students", STUDENTS + "s1,A,,,\ns2,B,,,\n")

    assert (status, counts(output)) == (0, {"UNCHANGED": 2})


def test_what_waits_for_a_parent_is_told(run):
    status, output = run(
        "registrations",
        '{"id": "r1", "Student": {"id": "s1"}, "Program": {"id": "p1"}, "Enrollment_Status": "Active"}',
        name="export.jsonl",
    )

    assert status == 1
    assert "1 of the INVALID ones wait for a parent that is missing." in output


def test_an_import_can_be_replayed(run, replay):
    run("students", STUDENTS + "s1,A,,,\n")
    Student.objects.all().delete()

    assert replay("--all")[0] == 0
    assert Student.objects.get().name == "A"


def test_it_goes_into_the_tenant_that_is_named(run):
    factories.TenantFactory(slug="other")

    run("students", STUDENTS + "s1,A,,,\n", tenant="other")

    assert Student.objects.get().tenant.slug == "other"


def test_a_crash_is_told_and_the_rest_goes_on(run, monkeypatch, settings):
    settings.BTEC_MAX_BATCH = 1
    real = StudentSync.compare

    def crash(self, row, candidate):
        if candidate.zoho_id == "s1":
            raise ZeroDivisionError
        return real(self, row, candidate)

    monkeypatch.setattr(StudentSync, "compare", crash)

    status, output = run("students", STUDENTS + "s1,A,,,\ns2,B,,,\n")

    failed = Delivery.objects.get(state="failed")
    assert status == 1
    assert f"Delivery {failed.uid} could not be processed" in output
    assert list(Student.objects.values_list("zoho_id", flat=True)) == ["s2"]


def test_several_files_are_imported_one_after_the_other(run):
    more = {
        "2.csv": "Status,Phone,Academic_Email,Name,id\n,2,,B,s2\n",
        "3.jsonl": '{"id": "s1", "Name": "C"}\n',
    }

    status, output = run("students", STUDENTS + "s1,A,,,\n", name="1.csv", more=more)

    assert (status, counts(output)) == (0, {"NEW": 2, "UPDATED": 1})
    assert "3 records in 3 deliveries." in output
    assert set(Student.objects.values_list("zoho_id", "name", "phone")) == {("s1", "C", ""), ("s2", "B", "2")}


def test_a_json_line_empties_what_it_lacks_as_a_request_does(run, sender):
    sender.post("students", factories.StudentRecord(id="s1", Name="A", Phone="1"))

    status, output = run("students", '{"id": "s1", "Name": "A"}\n', name="export.jsonl")

    assert (status, counts(output)) == (0, {"UPDATED": 1})
    assert Student.objects.get().phone == ""


def test_a_tenant_that_ignores_unknown_fields_has_unknown_columns_left_out(run, tenant):
    tenant.unknown_fields = "ignore"
    tenant.save()

    status, _ = run("students", "id,Name,Academic_Email,Phone,Status,Shoe_Size\ns1,A,,,,9\n")

    assert status == 0
    assert "Shoe_Size" not in bytes(Delivery.objects.get().body).decode()


def test_every_line_is_read_once_and_only_when_it_is_asked_for(tmp_path):
    file = tmp_path / "export.csv"
    file.write_text(STUDENTS + "s,x,,,\n" * 1_000)

    with bulk_read.opened(file, StudentSerializer, ignore_unknown=False, most_bytes=10_000) as export:
        assert next(export.records()) == (2, b'{"id": "s", "Name": "x"}')
        assert export.line == 2


def test_what_was_refused_is_told_and_where_to_see_the_rest(run, monkeypatch):
    monkeypatch.setattr("btec_sync.imports.MOST_NAMED", 2)
    lines = [json.dumps({"id": f"s{n}", "Name": n or "fine"}) for n in range(4)]
    parked = json.dumps(factories.RegistrationRecord(id="r", Student={"id": "gone"}))

    _, output = run("students", "\n".join(lines), name="s.jsonl")
    _, of_parked = run("registrations", parked, name="r.jsonl")

    refused = output.partition("Refused (Records to mend in the admin has all of them):\n")[2]
    assert refused.splitlines() == [f"  s{n}: Name: expected a string, got a number." for n in (1, 2)]
    assert "Refused" not in of_parked


@pytest.mark.parametrize(("name", "content"), [("a.csv", STUDENTS), ("a.jsonl", "\n \n")])
def test_files_without_a_record_are_an_error(run, name, content):
    status, output = run("students", content, name=name)

    assert status == 2
    assert f"{name}: no record in it, so nothing was imported." in output


def test_the_delivery_that_was_under_way_is_named_with_what_finishes_it(run, monkeypatch, replay):
    def interrupted(delivery):
        raise KeyboardInterrupt

    monkeypatch.setattr(deliveries, "process", interrupted)
    status, output = run("students", STUDENTS + "s1,Ahmed,,,\n")
    monkeypatch.undo()

    uid = str(Delivery.objects.get(state="received").uid)
    assert status == 130
    assert "0 records in 0 deliveries." in output
    assert f"manage.py replay {uid}" in output
    assert replay(uid)[0] == 0
    assert Student.objects.count() == 1
