"""That each module's fields are of their kind, and what is said of whole records."""

import datetime
import json

import pytest

from tests.conftest import payload
from tests.factories import RECORDS
from tests.parsing import FIELDS, SERIALIZERS, found, parse, read, shown

REQUIRED = [(module, name) for module, name, kind in FIELDS if not kind.endswith("?")]
OPTIONAL = [(module, name, kind) for module, name, kind in FIELDS if kind.endswith("?")]

TYPES = {
    "string": '"2026"',
    "integer": "1",
    "fraction": "1.5",
    "power": "1e2",
    "huge integer": "9" * 5_000,
    "huge power": "1e999999999",
    "true": "true",
    "false": "false",
    "array": "[]",
    "array of one": '["x"]',
    "object": "{}",
}
NUMBERS = {"integer", "fraction", "power", "huge integer", "huge power"}
RIGHT_TYPES = {
    "lookup": {"object"},
    "money": NUMBERS,
    "score": NUMBERS,
    "hours": NUMBERS,
    "version": {"integer", "huge integer", "huge power"},  # nobody looks what a huge number is
}

# The last that is taken and the first that is not.
LIMITS = {
    "id": (json.dumps("x" * 64), json.dumps("x" * 65), "invalid_id"),
    "text": (json.dumps("é" * 255), json.dumps("é" * 256), "too_long"),
    "long text": (json.dumps("é" * 32_000), json.dumps("é" * 32_001), "too_long"),
    "money": ("9999999999.99", "10000000000", "out_of_range"),
    "score": ("100", "100.01", "out_of_range"),
    "hours": ("9999", "9999.01", "out_of_range"),
    "date": ('"9999-12-31"', '"10000-01-01"', "invalid_date"),
    "time": ('"9999-12-30T23:59:59Z"', '"9999-12-31T00:00:00Z"', "invalid_time"),
    "version": (str(2**63 - 1), str(2**63), "out_of_range"),
}


@pytest.mark.parametrize("module", SERIALIZERS)
def test_a_module_has_the_fields_of_the_contract_and_no_others(module):
    declared = SERIALIZERS[module]._declared_fields

    assert set(declared) == {name for of, name, _ in FIELDS if of == module}


@pytest.mark.parametrize(("module", "name", "kind"), FIELDS)
def test_a_wrong_json_type_makes_the_record_invalid(module, name, kind):
    wrong = TYPES.keys() - RIGHT_TYPES.get(kind.rstrip("?"), {"string"})

    refused = {type_: found(parse(module, **{name: TYPES[type_]})) for type_ in wrong}

    assert refused == {type_: [(name, "invalid_type")] for type_ in wrong}


@pytest.mark.parametrize(("module", "name", "kind"), [row for row in FIELDS if row[2] != "lookup"])
def test_a_field_has_its_limit(module, name, kind):
    last, beyond, code = LIMITS[kind.rstrip("?")]

    assert found(parse(module, **{name: last})) == []
    assert found(parse(module, **{name: beyond})) == [(name, code)]


@pytest.mark.parametrize(("module", "name"), [row[:2] for row in FIELDS if row[2] == "lookup"])
@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("{}", [("id", "required")]),
        ('{"id": null, "name": 1}', [("id", "required"), ("name", "invalid_type")]),
        ('{"id": "x", "module": "Contacts"}', [("module", "unexpected_field")]),
        (r'{"id": "x", "\u0000": 1}', [(r"\x00", "unexpected_field")]),
    ],
)
def test_an_error_in_a_lookup_has_its_path(module, name, text, errors):
    refused = parse(module, **{name: text})

    assert found(refused) == [(f"{name}.{key}", code) for key, code in errors]


@pytest.mark.parametrize(("module", "name"), REQUIRED)
def test_a_required_field_may_not_be_missing_or_null(module, name):
    assert found(parse(module, without=name)) == [(name, "required")]
    assert found(parse(module, **{name: "null"})) == [(name, "required")]


@pytest.mark.parametrize(("module", "name", "kind"), OPTIONAL)
def test_an_optional_field_may_be_missing_or_null(module, name, kind):
    missing = parse(module, without=name, id='"x"').values
    null = parse(module, id='"x"', **{name: "null"}).values

    empty = "" if "text" in kind else None
    source = SERIALIZERS[module]._declared_fields[name].source
    assert missing[source] == null[source] == empty


@pytest.mark.parametrize(("module", "name", "kind"), OPTIONAL)
def test_an_empty_string_is_empty_text_and_nothing_else(module, name, kind):
    parsed = parse(module, **{name: '""'})

    if "text" in kind:
        assert parsed.values[SERIALIZERS[module]._declared_fields[name].source] == ""
    else:
        assert [error.field for error in parsed.errors] == [name]


# --- Whole records ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["null", "true", "1", "1.5", "9" * 5_000, '"reg_1"', "[]"], ids=shown)
@pytest.mark.parametrize("module", SERIALIZERS)
def test_a_record_that_is_no_object_is_invalid_and_has_no_id(module, text):
    parsed = SERIALIZERS[module]().parse(read(text), ignore_unknown=False)

    assert parsed.zoho_id is None
    assert found(parsed) == [("", "invalid_type")]


def test_an_invalid_record_tells_all_its_errors():
    parsed = parse("payments", Amount='"500"', Registration='{"name": 7}', Payment_Status="null", Colour="1")

    assert found(parsed) == [
        ("Registration.id", "required"),
        ("Registration.name", "invalid_type"),
        ("Amount", "invalid_type"),
        ("Payment_Status", "required"),
        ("Colour", "unexpected_field"),
    ]


def test_an_invalid_record_keeps_its_id_when_that_is_readable():
    assert parse("payments", id='"pay_7"', Amount="true").zoho_id == "pay_7"
    assert parse("payments", id="7").zoho_id is None
    assert parse("payments", without="id").zoho_id is None


@pytest.mark.parametrize(
    "name",
    ["Colour", "ID", "Id", "amount", " Amount", "Amount ", "", "__s_", "x$", "Modified_time", "owner"],
)
def test_an_unknown_field_is_unexpected(name):
    parsed = parse("payments", **{name: "1"})

    assert found(parsed) == [(name, "unexpected_field")]


@pytest.mark.parametrize(
    "name",
    [
        *("$approved", "$", "Locked__s", "Owner", "Created_By", "Modified_By", "Created_Time", "Tag"),
        *("Layout", "Last_Activity_Time", "Record_Image", "Currency", "Exchange_Rate", "Name"),
    ],
)
def test_what_every_zoho_record_drags_along_is_left_out(name):
    plain = parse("payments", id='"x"')

    assert parse("payments", id='"x"', **{name: '[{"anything": 1e999}]'}) == plain


def test_name_is_read_where_the_module_uses_it():
    assert found(parse("students", Name="1")) == [("Name", "invalid_type")]


@pytest.mark.parametrize("module", SERIALIZERS)
def test_a_whole_record_of_zohos_is_taken_with_its_system_fields(module):
    own = {"id", "Student", "Program", "Enrollment_Status", "Registration_Date", "Completion_Date"}
    system = {name: value for name, value in payload("full-zoho-record").items() if name not in own}
    if module == "students":
        system["Name"] = "Ahmed"

    parsed = SERIALIZERS[module]().parse({**RECORDS[module](), **system}, ignore_unknown=False)

    assert parsed.errors == []
    assert parsed.values["version"] == 1
    assert parsed.values["modified_time"] == datetime.datetime(2026, 1, 15, 7, 15, 13, tzinfo=datetime.UTC)


def test_unknown_fields_are_left_out_where_the_tenant_wants_it():
    plain = parse("payments", id='"x"')

    assert parse("payments", id='"x"', Colour="1", ignore_unknown=True) == plain


def test_ignoring_unknown_fields_does_not_make_lookups_lax():
    parsed = parse("payments", Registration='{"id": "x", "email": "y"}', ignore_unknown=True)

    assert found(parsed) == [("Registration.email", "unexpected_field")]


def test_a_thousand_unknown_fields_are_told_shortly():
    parsed = parse("units", **{f"x{n}": "1" for n in range(1_000)})

    assert len(parsed.errors) == 21
    assert parsed.errors[-1].message == "…: and 980 more unexpected fields."
