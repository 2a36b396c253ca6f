"""manage.py import_records: an export comes in by the way of requests, or is compared with what is stored."""

import json
import re
import tracemalloc
import zipfile
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from btec_sync import bulk_read
from btec_sync.models import Delivery, Tombstone
from btec_sync.reference.models import Program, Student
from btec_sync.reference.serializers import StudentSerializer
from btec_sync.reference.services import StudentSync
from grades.models import Grade
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.api import Sender
from units.models import Unit

STUDENTS = "id,Name,Academic_Email,Phone,Status\n"
PAYMENTS = "id,Registration,Amount,Payment_Status,Payment_Date,Payment_Method,Description\n"


@pytest.fixture
def run(tenant, tmp_path):
    """Runs manage.py import_records on files of this content; its exit status and what it printed."""

    def run(
        module: str,
        content: str | bytes,
        *arguments: str,
        name: str = "export.csv",
        tenant: str = "default",
        more: dict[str, str | bytes] | None = None,
    ) -> tuple[int, str]:
        contents = {name: content, **(more or {})}
        for name, content in contents.items():
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        files = [str(tmp_path / name) for name in contents]
        output = StringIO()
        try:
            call_command("import_records", module, *files, "--tenant", tenant, *arguments, stdout=output)
        except SystemExit as end:
            return end.code, output.getvalue()
        except CommandError as error:
            return error.returncode, output.getvalue() + str(error)
        return 0, output.getvalue()

    return run


def zipped(folder: Path, members: dict[str, str | bytes]) -> bytes:
    file = folder / "made.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.read_bytes()


def counts(output: str) -> dict[str, int]:
    rows = re.findall(r"^  (\w+) +([0-9,]+)(?:  \D.*)?$", output, re.MULTILINE)
    return {name: int(number.replace(",", "")) for name, number in rows if number != "0"}


# --- Import ------------------------------------------------------------------------------------------


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
    assert "1 records in 1 deliveries." in output


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


# --- Wrong files -------------------------------------------------------------------------------------

WRONG = {
    "no header": ("", "the file is empty"),
    "no id": ("Name\nA\n", "the header has no id"),
    "a header twice": ("id,Name,Name\ns1,A,B\n", "twice in the header: Name"),
    "an unknown header": ("id,Name,Shoe_Size\ns1,A,9\n", "no fields of this module: Shoe_Size"),
    "a cell too few": (STUDENTS + "s1,A,,,\ns2\n", "line 3: 1 cells, where the header has 5"),
    "an unfinished cell": (STUDENTS + 's1,"A\n', "line 2: not CSV"),
    "not UTF-8": (STUDENTS.encode() + b"s1,A,,,\ns2,\xff\n", "line 3: not UTF-8"),
    "UTF-16": ("id,Name\ns1,A\n".encode("utf-16"), "line 1: not UTF-8"),
    "NUL": (STUDENTS + "s1,\0\n", "line 2: holds a NUL character"),
}


@pytest.mark.parametrize(("content", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_csv_says_where_and_what_to_mend(run, content, says):
    status, output = run("students", content)

    assert status == 2
    assert says in output
    assert not Student.objects.exists()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: the line is not JSON"),
        ("[]", "line 2: expected one JSON object"),
        ('{"id": "a", "id": "b"}', "line 2: An object holds the same key twice"),
        ('{"id": NaN}', "line 2: NaN is not a JSON number"),
    ],
)
def test_a_wrong_json_line_says_where_and_what_to_mend(run, line, says):
    status, output = run("students", f'{{"id": "s1", "Name": "A"}}\n{line}\n', name="export.jsonl")

    assert status == 2
    assert says in output


@pytest.mark.parametrize(
    ("module", "header", "lacks"),
    [
        ("students", "id,Name,Modified_Time", "Academic_Email, Phone, Status"),
        ("students", "id,Academic_Email,Phone,Status", "Name"),
        ("grades", "id,Student.name,Unit,Grade_Value,Score,Grade_Date,Comments", "Student"),
    ],
)
def test_a_csv_that_lacks_a_field_is_refused_with_a_way_out(run, module, header, lacks):
    status, output = run(module, f"{header}\n{',' * header.count(',')}\n")

    assert status == 2
    assert f"export.csv: the header has no {lacks}. Have the Bulk Read job export all fields" in output
    assert "--empty-missing" in output
    assert not Delivery.objects.exists()


def test_a_csv_that_lacks_a_field_empties_nothing_unless_it_is_told_to(run, sender):
    sender.post("students", factories.StudentRecord(id="s1", Name="A", Phone="1"))

    status, _ = run("students", "id,Name\ns1,B\n")
    assert (status, Student.objects.get().phone) == (2, "1")

    status, output = run("students", "id,Name\ns1,B\n", "--empty-missing")
    assert (status, counts(output)) == (0, {"UPDATED": 1})
    assert (Student.objects.get().name, Student.objects.get().phone) == ("B", "")


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_a_field_that_no_record_can_be_without_is_never_taken_as_empty(run, check):
    status, output = run("students", "id,Phone\ns1,1\n", "--empty-missing", *check)

    assert status == 2
    assert "the header has no Name, and no record can be without." in output
    assert not Delivery.objects.exists()


def test_a_json_line_empties_what_it_lacks_as_a_request_does(run, sender):
    sender.post("students", factories.StudentRecord(id="s1", Name="A", Phone="1"))

    status, output = run("students", '{"id": "s1", "Name": "A"}\n', name="export.jsonl")

    assert (status, counts(output)) == (0, {"UPDATED": 1})
    assert Student.objects.get().phone == ""


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_a_wrong_file_among_several_is_named_before_anything_is_done(run, check):
    more = {"2.csv": "id,Shoe_Size\n"}

    status, output = run("students", STUDENTS + "s1,A,,,\n", *check, name="1.csv", more=more)

    assert status == 2
    assert "2.csv: no fields of this module: Shoe_Size" in output
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_a_wrong_line_of_one_file_among_several_is_named_with_it(run, check):
    more = {"2.csv": STUDENTS + "s2,A\n", "3.csv": STUDENTS}

    status, output = run("students", STUDENTS + "s1,A,,,\n", *check, name="1.csv", more=more)

    assert status == 2
    assert "2.csv: line 2: 2 cells, where the header has 5" in output
    assert "1.csv" not in output


def test_whole_batches_before_a_wrong_line_stay_and_the_mended_file_ends_the_same(run, settings):
    settings.BTEC_MAX_BATCH = 2

    status, output = run("students", STUDENTS + "s1,A,,,\ns2,B,,,\ns3,C,,,\ns4\n")

    assert (status, Student.objects.count(), Delivery.objects.count()) == (2, 2, 1)
    assert counts(output) == {"NEW": 2}
    assert "line 5: 1 cells" in output
    _, output = run("students", STUDENTS + "s1,A,,,\ns2,B,,,\ns3,C,,,\ns4,D,,,\n")
    assert counts(output) == {"NEW": 2, "UNCHANGED": 2}


def test_a_record_that_no_request_could_bring_is_refused(run, settings):
    settings.BTEC_MAX_BODY_BYTES = 200

    status, output = run("students", f"{STUDENTS}s1,{'x' * 180},,,\n")

    assert status == 2
    assert "line 2: a record larger than 200 bytes" in output


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"a.csv": "id,Name\n", "b.csv": "id,Name\n"}, "holds 2 files"),
        ({}, "holds 0 files"),
        ({"a.txt": "id"}, "expected .csv"),
    ],
)
def test_a_zip_of_something_else_is_refused(run, tmp_path, members, says):
    status, output = run("students", zipped(tmp_path, members), name="export.zip")

    assert status == 2
    assert says in output


def test_a_zip_that_is_none_or_damaged_is_refused(run, tmp_path):
    whole = zipped(tmp_path, {"a.csv": "id,Name\n" + "".join(f"s{n},{n * n}\n" for n in range(5_000))})
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes(50) + whole[middle + 50 :]

    assert "not a ZIP file" in run("students", "id,Name\n", name="export.zip")[1]
    status, output = run("students", damaged, name="export.zip")
    assert status == 2
    assert "the archive is damaged" in output
    assert not Delivery.objects.exists()


def test_a_zip_bomb_is_counted_as_it_unpacks_whatever_its_header_says(run, tmp_path):
    bomb = zipped(tmp_path, {"a.csv": "id,Name\n" + "\n" * 5_000_000})
    size = (5_000_008).to_bytes(4, "little")
    assert bomb.count(size) == 2
    bomb = bomb.replace(size, (8).to_bytes(4, "little"))

    for content in (bomb, zipped(tmp_path, {"a.csv": "id,Name\n" + "\n" * 5_000_000})):
        status, output = run("students", content, "--max-bytes", "100000", name="export.zip")
        assert status == 2
        assert "larger than 100,000 bytes" in output or "damaged" in output


def test_a_tenant_that_ignores_unknown_fields_has_unknown_columns_left_out(run, tenant):
    tenant.unknown_fields = "ignore"
    tenant.save()

    status, _ = run("students", "id,Name,Academic_Email,Phone,Status,Shoe_Size\ns1,A,,,,9\n")

    assert status == 0
    assert "Shoe_Size" not in bytes(Delivery.objects.get().body).decode()


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_wrong_use_is_told(run, tmp_path, check):
    assert run("students", "id\n", *check, tenant="nobody")[0] == 2
    assert "expected .csv" in run("students", "id\n", *check, name="export.txt")[1]
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_records", "students", str(tmp_path / "none.csv"), "--tenant", "default", *check)


# --- Check -------------------------------------------------------------------------------------------


def test_check_tells_what_differs_and_writes_nothing(run, sender):
    for name in ("same", "changed", "extra"):
        sender.post("students", factories.StudentRecord(id=name, Name=name, Phone="1"))
    Sender(factories.TenantFactory(slug="other").slug).post("students", factories.StudentRecord(id="others"))
    before = list(Student.objects.values()), Delivery.objects.count()

    status, output = run(
        "students", "id,Name,Phone\nsame,same,1\nchanged,new,2\nabsent,A,\nbroken,,\nsame,same,1\n", "--check"
    )

    assert status == 1
    assert counts(output) == {
        "same": 2,
        "missing": 1,
        "different": 1,
        "extra": 1,
        "invalid": 1,
        "repeated": 1,
    }
    assert "changed: name is changed, in the file new; phone is 1, in the file 2" in output
    assert "absent (line 4)" in output
    assert "broken (line 5): Name: required" in output
    assert "others" not in output
    assert (list(Student.objects.values()), Delivery.objects.count()) == before


def test_check_of_what_is_the_same_ends_with_0(run, parents):
    run("payments", PAYMENTS + "p1,reg_456,500.10,Completed,2026-01-20,,Fees\n")

    status, output = run("payments", PAYMENTS + "p1,reg_456,5.001e2,Completed,2026-01-20,,Fees\n", "--check")

    assert (status, counts(output)) == (0, {"same": 1})


def test_check_tells_what_was_modified_here_later_than_the_file(run, sender):
    sender.post("students", {"id": "s1", "Name": "new", "Modified_Time": "2026-02-01T00:00:00Z"})

    _, output = run("students", "id,Name,Modified_Time\ns1,old,2026-01-01T00:00:00Z\n", "--check")

    assert "newer here             1" in output


def test_check_names_lookups_by_their_zoho_ids(run, parents):
    _, output = run(
        "registrations", "id,Student,Program,Enrollment_Status\nreg_456,s9,prog_789,Active\n", "--check"
    )

    assert "student is stud_456, in the file s9" in output


def test_check_names_a_bounded_number_and_counts_all(run, monkeypatch):
    monkeypatch.setattr("btec_sync.reconciliation.BATCH", 7)
    run("students", STUDENTS + "".join(f"x{n},{n},,,\n" for n in range(50)))

    _, output = run(
        "students", "id,Name\n" + "".join(f"s{n},A\n" for n in range(50)), "--check", "--show", "3"
    )

    assert counts(output) == {"missing": 50, "extra": 50}
    assert output.count("and 47 more") == 2


def test_check_tells_what_was_erased(run, tenant):
    Tombstone.objects.create(tenant=tenant, module="students", zoho_id="s1", person="s1")

    _, output = run("students", "id,Name\ns1,A\n", "--check")

    assert counts(output) == {"erased": 1}


def test_check_compares_what_the_file_has_columns_for_and_names_the_rest(run, sender):
    sender.post("students", factories.StudentRecord(id="s1", Name="A", Phone="1", Academic_Email="a@b"))
    sender.post("students", factories.StudentRecord(id="s2", Name="B", Phone="2"))

    status, output = run("students", "id,Phone\ns1,1\ns2,9\n", "--check")

    assert (status, counts(output)) == (1, {"same": 1, "different": 1})
    assert "s2: phone is 2, in the file 9" in output
    assert "export.csv lacks it: Name, Academic_Email, Status\n" in output


def test_check_takes_a_missing_column_as_empty_on_purpose_only(run, sender):
    sender.post("students", factories.StudentRecord(id="s1", Name="A", Phone="1"))

    assert run("students", "id,Name\ns1,A\n", "--check")[0] == 0
    status, output = run("students", "id,Name\ns1,A\n", "--check", "--empty-missing")

    assert (status, counts(output)) == (1, {"different": 1})
    assert "phone is 1, in the file " in output
    assert "Not compared" not in output


def test_check_of_a_lookup_that_the_file_lacks_compares_the_rest(run, parents, tenant):
    Tombstone.objects.create(tenant=tenant, module="students", zoho_id="s9", person="s9")

    status, output = run("registrations", "id,Student.name,Enrollment_Status\nreg_456,x,Active\n", "--check")

    assert (status, counts(output)) == (0, {"same": 1})
    assert "lacks it: Student, Program, Registration_Date, Completion_Date\n" in output


def test_check_takes_several_files_as_one_whole(run, sender):
    sender.post("students", *(factories.StudentRecord(id=f"s{n}", Name="A", Phone="1") for n in range(5)))
    more = {"2.csv": "Phone,id,Name\n1,s2,A\n9,s3,A\n", "3.jsonl": '{"id": "s1", "Name": "A"}\n'}

    status, output = run("students", "id,Name\ns0,A\ns1,A\n", "--check", name="1.csv", more=more)

    assert status == 1
    assert counts(output) == {"same": 3, "different": 2, "extra": 1, "repeated": 1}
    assert re.search(r"^repeated:\n  s1 \(/\S+/3\.jsonl, line 1\)$", output, re.MULTILINE)
    assert re.search(r"^extra:\n  s4$", output, re.MULTILINE)
    assert re.search(r"as \S+/1\.csv lacks it: Academic_Email, Phone, Status$", output, re.MULTILINE)


# --- Memory ------------------------------------------------------------------------------------------


def test_every_line_is_read_once_and_only_when_it_is_asked_for(tmp_path):
    file = tmp_path / "export.csv"
    file.write_text(STUDENTS + "s,x,,,\n" * 1_000)

    with bulk_read.opened(file, StudentSerializer, ignore_unknown=False, most_bytes=10_000) as export:
        assert next(export.records()) == (2, b'{"id": "s", "Name": "x"}')
        assert export.line == 2


# Of a megabyte each: a line, a cell of many lines, cells of many lines, the header, and a line of JSON.
ENDLESS = {
    "a line": ("export.csv", STUDENTS + "s1,A,,,\ns2,", "x" * 2**20, 3),
    "a cell": ("export.csv", STUDENTS + 's1,A,,,\ns2,"', ("x" * 1_023 + "\n") * 2**10, 3),
    "cells that are left out": ("export.csv", STUDENTS + "s1,A,,,\n", '"\n' + "x" * (2**20 - 5) + '",', 3),
    "a header": ("export.csv", "id,", "x" * 2**20, 1),
    "a line of JSON": ("export.jsonl", '{"id": "s1", "Name": "A"}\n{"id": "', "x" * 2**20, 2),
}


@pytest.mark.parametrize("check", [[], ["--check"]], ids=["import", "check"])
@pytest.mark.parametrize(("name", "begin", "megabyte", "line"), ENDLESS.values(), ids=ENDLESS)
def test_of_a_record_without_end_no_more_is_read_than_a_request_may_bring(
    run, tmp_path, settings, check, name, begin, megabyte, line
):
    settings.BTEC_MAX_BODY_BYTES = 2**20
    with (tmp_path / "zipped").open("w") as file:
        file.write(begin)
        file.writelines(megabyte for _ in range(60))
    content = zipped(tmp_path, {name: (tmp_path / "zipped").read_bytes()})

    tracemalloc.start()
    status, output = run("students", content, *check, name="export.zip")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert status == 2
    assert f"export.zip: line {line}: longer than 1,048,576 bytes (BTEC_MAX_BODY_BYTES)." in output
    assert most < 12 * 2**20
    assert not Student.objects.exists()


def test_a_record_of_many_lines_may_be_as_large_as_a_request(run, settings):
    settings.BTEC_MAX_BODY_BYTES = 300
    row = 's{},A,,,,"{}"\n'
    fits = [row.format(n, "\n" * 280) for n in range(3)]

    status, output = run("students", STUDENTS.replace("\n", ",Owner\n") + "".join(fits))
    assert (status, counts(output)) == (0, {"NEW": 3})

    status, output = run("students", STUDENTS.replace("\n", ",Owner\n") + row.format("x", "\n" * 300))
    assert "line 2: longer than 300 bytes" in output
    assert status == 2
