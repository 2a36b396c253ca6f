"""manage.py import_records --check: an export is compared with what is stored, and nothing is written."""

import re
from functools import partial

import pytest
from django.core.management import CommandError, call_command

from btec_sync.models import Delivery, Tombstone
from btec_sync.reference.models import Student
from tests import factories
from tests.api import Sender
from tests.bulk_read import PAYMENTS, STUDENTS, counts, import_records


@pytest.fixture
def run(tenant, tmp_path):
    return partial(import_records, tmp_path)


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


def test_a_value_that_is_empty_is_called_so(run, sender):
    sender.post("students", {"id": "s1", "Name": "A"})

    _, output = run("students", STUDENTS + "s1,A,a@x.example,,\n", "--check")

    assert "academic_email is (empty), in the file a@x.example" in output


def test_a_file_that_is_named_twice_is_refused(run, tmp_path):
    twice = [str(tmp_path / "students.csv")] * 2

    with pytest.raises(CommandError, match="named twice") as error:
        call_command("import_records", "students", *twice, "--tenant", "default", "--check")

    assert error.value.returncode == 2
