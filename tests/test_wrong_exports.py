"""An export that is wrong, or without end, says where and what to mend, and no more of it is read."""

import tracemalloc
from functools import partial

import pytest
from django.core.management import CommandError, call_command

from btec_sync.models import Delivery
from btec_sync.reference.models import Student
from tests import factories
from tests.bulk_read import STUDENTS, counts, import_records, zipped


@pytest.fixture
def run(tenant, tmp_path):
    return partial(import_records, tmp_path)


WRONG = {
    "no header": ("", "the file is empty"),
    "no id": ("Name\nA\n", "the header has no id"),
    "a header twice": ("id,Name,Name\ns1,A,B\n", "twice in the header: Name"),
    "an unknown header": ("id,Name,Shoe_Size\ns1,A,9\n", "no fields of this module: Shoe_Size"),
    "a misspelled header": ("id,Nome\ns1,A\n", "And there is no Name, which every record needs: misspelled?"),
    "semicolons": ("id;Name\ns1;A\n", "semicolons stand between the columns"),
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


@pytest.mark.parametrize("check", [[], ["--check"]])
def test_wrong_use_is_told(run, tmp_path, check):
    assert run("students", "id\n", *check, tenant="nobody")[0] == 2
    assert "expected .csv" in run("students", "id\n", *check, name="export.txt")[1]
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_records", "students", str(tmp_path / "none.csv"), "--tenant", "default", *check)


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
