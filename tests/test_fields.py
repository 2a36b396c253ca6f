"""What each kind of field takes and refuses, and that each module's fields are of their kind."""

import datetime
import json
import time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from btec_sync import fields, wire
from btec_sync.serializers import ParsedRecord
from btec_sync.services import services
from tests.conftest import payload
from tests.factories import RECORDS

UTC = datetime.UTC
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SERIALIZERS = {name: service.serializer_class for name, service in services().items()}


def read(text: str):
    """A JSON text as the wire gives it."""
    return wire.loads(text.encode())


def parse(
    module: str, *, without: str | None = None, ignore_unknown: bool = False, **texts: str
) -> ParsedRecord:
    """A good record of the module, some fields of which are these JSON texts instead."""
    record = {**RECORDS[module](), **{name: read(text) for name, text in texts.items()}}
    record.pop(without, None)
    return SERIALIZERS[module]().parse(record, ignore_unknown=ignore_unknown)


def found(parsed: ParsedRecord) -> list[tuple[str, str]]:
    return [(error.field, error.code) for error in parsed.errors]


def shown(value) -> str:
    """A test's id from a value that may be huge."""
    text = value if isinstance(value, str) else type(value).__name__
    return ascii(text)[1:41]


# --- Each kind of field by itself ---------------------------------------------------------------------

ID = fields.Id("x")
LOOKUP = fields.Lookup("x")
TEXT = fields.Text("x")
OPTIONAL_TEXT = fields.Text("x", required=False)
LONG_TEXT = fields.Text("x", max_length=32_000, required=False)
MONEY = fields.Money("x")
SCORE = fields.Number("x", maximum="100")
HOURS = fields.Number("x", maximum="9999")
DATE = fields.Date("x")
TIME = fields.Timestamp("x", required=False)
VERSION = fields.Integer("x", required=False)

KINDS = {
    "id": ID,
    "lookup": LOOKUP,
    "text": TEXT,
    "optional text": OPTIONAL_TEXT,
    "long text": LONG_TEXT,
    "money": MONEY,
    "score": SCORE,
    "hours": HOURS,
    "date": DATE,
    "time": TIME,
    "version": VERSION,
}

VALID = {
    "id": [
        ('"reg_123"', "reg_123"),
        ('"5516116000138155159"', "5516116000138155159"),
        ('"A-z_0.9:"', "A-z_0.9:"),
        ('"x"', "x"),
        (json.dumps("x" * 64), "x" * 64),
        ('"nullify"', "nullify"),
        (r'"\u0061bc"', "abc"),
    ],
    "lookup": [
        ('{"id": "stud_456"}', "stud_456"),
        ('{"id": "stud_456", "name": "Ahmed Mohamed"}', "stud_456"),
        ('{"name": null, "id": "stud_456"}', "stud_456"),
        ('{"id": "stud_456", "name": ""}', "stud_456"),
        (r'{"id": "stud_456", "name": "\u0000\ud800"}', "stud_456"),  # it is stored by nobody
    ],
    "text": [
        ('"Active"', "Active"),
        ('"أحمد محمد"', "أحمد محمد"),
        ('"two  words"', "two  words"),
        (r'"tab\tline\nline\r\nline"', "tab\tline\nline\r\nline"),
        (r'"\ud83d\ude00"', "😀"),
        ('"1"', "1"),
        ('"null"', "null"),
        (r'"e\u0301"', "e\u0301"),  # as it was sent: nothing is normalised
        (json.dumps("x" * 255), "x" * 255),
        (json.dumps("😀" * 255), "😀" * 255),
    ],
    "optional text": [
        ('""', ""),
        ("null", ""),
        ('" Active"', " Active"),
        ('"Active\\n"', "Active\n"),
        (json.dumps("x" * 255), "x" * 255),
    ],
    "long text": [(json.dumps("😀" * 32_000), "😀" * 32_000), ('"..."', "...")],
    "money": [
        ("500", Decimal("500.00")),
        ("500.0", Decimal("500.00")),
        ("5e2", Decimal("500.00")),
        ("5E+2", Decimal("500.00")),
        ("50000e-2", Decimal("500.00")),
        ("500.00", Decimal("500.00")),
        ("500.0010e1", Decimal("5000.01")),
        ("500.010", Decimal("500.01")),
        ("0", Decimal("0.00")),
        ("-0", Decimal("0.00")),
        ("-0.0", Decimal("0.00")),
        ("0e-100", Decimal("0.00")),
        ("0e100", Decimal("0.00")),
        ("1e-2", Decimal("0.01")),
        ("0.1", Decimal("0.10")),
        ("9999999999.99", Decimal("9999999999.99")),
        ("0.29", Decimal("0.29")),  # 28.999999999999996 hundredths to a float
        ("1." + "0" * 90, Decimal("1.00")),
    ],
    "score": [("0", Decimal("0.00")), ("95", Decimal("95.00")), ("99.99", Decimal("99.99")), ("1e2", 100)],
    "hours": [("0", Decimal("0.00")), ("30", Decimal("30.00")), ("9999", 9999), ("0.5", Decimal("0.50"))],
    "date": [
        ('"2026-01-15"', datetime.date(2026, 1, 15)),
        ('"2024-02-29"', datetime.date(2024, 2, 29)),
        ('"0001-01-01"', datetime.date.min),
        ('"9999-12-31"', datetime.date.max),
    ],
    "time": [
        ('"2026-01-15T11:15:13+04:00"', datetime.datetime(2026, 1, 15, 7, 15, 13, tzinfo=UTC)),
        ('"2026-01-15T07:15:13Z"', datetime.datetime(2026, 1, 15, 7, 15, 13, tzinfo=UTC)),
        ('"2026-01-15T00:15:13-07:00"', datetime.datetime(2026, 1, 15, 7, 15, 13, tzinfo=UTC)),
        ('"2026-01-15T07:15:13-00:00"', datetime.datetime(2026, 1, 15, 7, 15, 13, tzinfo=UTC)),
        ('"2026-01-15T07:15:13.5Z"', datetime.datetime(2026, 1, 15, 7, 15, 13, 500_000, tzinfo=UTC)),
        ('"2026-01-15T07:15:13.123456Z"', datetime.datetime(2026, 1, 15, 7, 15, 13, 123_456, tzinfo=UTC)),
        ('"0001-01-02T00:00:00Z"', datetime.datetime(1, 1, 2, tzinfo=UTC)),
        ("null", None),
    ],
    "version": [("0", 0), ("-0", 0), ("1", 1), (str(2**63 - 1), 2**63 - 1), ("null", None)],
}

INVALID = {
    "id": [
        ("null", "required"),
        ("123", "invalid_type"),
        ("5516116000138155159", "invalid_type"),
        ("1.0", "invalid_type"),
        ("true", "invalid_type"),
        ("[]", "invalid_type"),
        ('{"id": "x"}', "invalid_type"),
        ('""', "blank"),
        ('"${registration.id}"', "placeholder"),
        ('"${"', "placeholder"),
        ('"null"', "placeholder"),
        ('"NULL"', "placeholder"),
        ('"undefined"', "placeholder"),
        (json.dumps("x" * 65), "invalid_id"),
        (json.dumps("x" * 1_000_000), "invalid_id"),
        ('" "', "invalid_id"),
        ('" abc"', "invalid_id"),
        ('"abc "', "invalid_id"),
        (r'"abc\n"', "invalid_id"),
        (r'"abc\u0000"', "invalid_id"),
        (r'"abc\ud800"', "invalid_id"),
        ('"a b"', "invalid_id"),
        ('"a/b"', "invalid_id"),
        ('"١٢٣"', "invalid_id"),
        ('"１２３"', "invalid_id"),
        ('"аbc"', "invalid_id"),  # its first letter is Cyrillic
        ('"é"', "invalid_id"),
    ],
    "lookup": [
        ("null", "required"),
        ('"stud_456"', "invalid_type"),
        ("456", "invalid_type"),
        ("false", "invalid_type"),
        ('["stud_456"]', "invalid_type"),
        ("{}", {"id": ["required"]}),
        ('{"id": null}', {"id": ["required"]}),
        ('{"name": "Ahmed"}', {"id": ["required"]}),
        ('{"id": ""}', {"id": ["blank"]}),
        ('{"id": 456}', {"id": ["invalid_type"]}),
        ('{"id": "${student.id}"}', {"id": ["placeholder"]}),
        (r'{"id": "abc\n"}', {"id": ["invalid_id"]}),
        ('{"id": "x", "name": 1}', {"name": ["invalid_type"]}),
        ('{"id": "x", "name": []}', {"name": ["invalid_type"]}),
        ('{"id": "x", "email": "a@b.c"}', {"email": ["unexpected_field"]}),
        ('{"id": "x", "ID": "x"}', {"ID": ["unexpected_field"]}),
        ('{"id": 1, "name": 2}', {"id": ["invalid_type"], "name": ["invalid_type"]}),
    ],
    "text": [
        ("null", "required"),
        ("1", "invalid_type"),
        ("1.5", "invalid_type"),
        ("true", "invalid_type"),
        ("[]", "invalid_type"),
        ("{}", "invalid_type"),
        ('""', "blank"),
        ('" "', "blank"),
        (r'"\t\n"', "blank"),
        (r'"\u00a0\u3000"', "blank"),
        ('" Active"', "surrounding_blanks"),
        ('"Active "', "surrounding_blanks"),
        (r'"abc\n"', "surrounding_blanks"),
        (r'"abc\u00a0"', "surrounding_blanks"),
        (json.dumps("x" * 256), "too_long"),
        (json.dumps("😀" * 256), "too_long"),
        (r'"a\u0000b"', "invalid_characters"),
        (r'"a\u0001b"', "invalid_characters"),
        (r'"a\bb"', "invalid_characters"),
        (r'"a\u000bb"', "invalid_characters"),
        (r'"a\fb"', "invalid_characters"),
        (r'"a\u001bb"', "invalid_characters"),
        (r'"a\u007fb"', "invalid_characters"),
        (r'"a\u0080b"', "invalid_characters"),
        (r'"a\u0085b"', "invalid_characters"),
        (r'"a\u009fb"', "invalid_characters"),
        (r'"a\ud800b"', "invalid_characters"),
        (r'"a\udfffb"', "invalid_characters"),
        (r'"\ude00\ud83d"', "invalid_characters"),
    ],
    "optional text": [
        ('" "', "blank"),
        (r'"\n"', "blank"),
        ("0", "invalid_type"),
        ("false", "invalid_type"),
        (json.dumps("x" * 256), "too_long"),
        (r'"a\u0000"', "invalid_characters"),
        (r'"\ud800"', "invalid_characters"),
    ],
    "long text": [(json.dumps("x" * 32_001), "too_long"), (json.dumps("😀" * 32_001), "too_long")],
    "money": [
        ("null", "required"),
        ('"500"', "invalid_type"),
        ('""', "invalid_type"),
        ("true", "invalid_type"),
        ("[]", "invalid_type"),
        ("{}", "invalid_type"),
        ("-1", "out_of_range"),
        ("-0.01", "out_of_range"),
        ("-1e-100", "out_of_range"),
        ("10000000000", "out_of_range"),
        ("9999999999.991", "out_of_range"),
        ("1e10", "out_of_range"),
        ("1e400", "out_of_range"),
        ("1e999999999", "out_of_range"),
        ("1e99999999999999999999", "out_of_range"),
        ("-1e99999999999999999999", "out_of_range"),
        ("9" * 5_000, "out_of_range"),
        ("0." + "1" * 5_000, "out_of_range"),
        ("1e-99999999999999999999", "out_of_range"),
        ("500.001", "too_many_decimals"),
        ("500.0010", "too_many_decimals"),
        ("1e-3", "too_many_decimals"),
        ("1e-100", "too_many_decimals"),
        ("0.30000000000000004", "too_many_decimals"),
        ("0." + "1" * 90, "too_many_decimals"),
    ],
    "score": [
        ("-1", "out_of_range"),
        ("100.01", "out_of_range"),
        ("101", "out_of_range"),
        ("1e3", "out_of_range"),
        ("99.999", "too_many_decimals"),
        ('"95"', "invalid_type"),
        ("true", "invalid_type"),
    ],
    "hours": [
        ("-1", "out_of_range"),
        ("9999.01", "out_of_range"),
        ("10000", "out_of_range"),
        ("0.001", "too_many_decimals"),
        ('"30"', "invalid_type"),
    ],
    "date": [
        ("null", "required"),
        ("20260115", "invalid_type"),
        ("true", "invalid_type"),
        ("{}", "invalid_type"),
        ('""', "invalid_date"),
        ('"20260115"', "invalid_date"),
        ('"2026-W03-4"', "invalid_date"),
        ('"2026-015"', "invalid_date"),
        ('"2026-1-5"', "invalid_date"),
        ('"2026-01"', "invalid_date"),
        ('"2026-02-30"', "invalid_date"),
        ('"2026-13-01"', "invalid_date"),
        ('"2025-02-29"', "invalid_date"),
        ('"0000-01-01"', "invalid_date"),
        ('"10000-01-01"', "invalid_date"),
        ('"-2026-01-01"', "invalid_date"),
        ('"15/01/2026"', "invalid_date"),
        ('"2026-01-15T00:00:00"', "invalid_date"),
        ('"2026-01-15T00:00:00Z"', "invalid_date"),
        ('"2026-01-15 00:00"', "invalid_date"),
        ('"٢٠٢٦-٠١-١٥"', "invalid_date"),
        ('"２０２６-01-15"', "invalid_date"),
        (r'"2026-01-15\n"', "invalid_date"),
        ('" 2026-01-15"', "invalid_date"),
        (r'"2026-01-15\u0000"', "invalid_date"),
    ],
    "time": [
        ("1768461313", "invalid_type"),
        ("false", "invalid_type"),
        ('""', "invalid_time"),
        ('"2026-01-15"', "invalid_time"),
        ('"2026-01-15T11:15:13"', "invalid_time"),
        ('"2026-01-15T11:15:13z"', "invalid_time"),
        ('"2026-01-15t11:15:13Z"', "invalid_time"),
        ('"2026-01-15 11:15:13Z"', "invalid_time"),
        ('"2026-01-15T11:15Z"', "invalid_time"),
        ('"2026-01-15T11:15:60Z"', "invalid_time"),
        ('"2026-01-15T25:00:00Z"', "invalid_time"),
        ('"2026-02-30T11:15:13Z"', "invalid_time"),
        ('"2026-01-15T11:15:13+04"', "invalid_time"),
        ('"2026-01-15T11:15:13+0400"', "invalid_time"),
        ('"2026-01-15T11:15:13+24:00"', "invalid_time"),
        ('"2026-01-15T11:15:13+04:60"', "invalid_time"),
        ('"2026-01-15T11:15:13+04:00:01"', "invalid_time"),
        ('"2026-01-15T11:15:13.1234567Z"', "invalid_time"),
        ('"2026-01-15T11:15:13.Z"', "invalid_time"),
        ('"2026-01-15T11:15:13,5Z"', "invalid_time"),
        ('"0001-01-01T00:00:00+14:00"', "invalid_time"),
        ('"9999-12-31T23:59:59-12:00"', "invalid_time"),
        ('"0000-01-01T00:00:00Z"', "invalid_time"),
        ('"0001-01-01T23:59:59Z"', "invalid_time"),  # in New York that is no day
        ('"9999-12-31T00:00:00Z"', "invalid_time"),  # in Amman its evening is no day
        (r'"2026-01-15T11:15:13Z\n"', "invalid_time"),
        ('"٢٠٢٦-01-15T11:15:13Z"', "invalid_time"),
    ],
    "version": [
        ("-1", "out_of_range"),
        (str(2**63), "out_of_range"),
        ("9" * 5_000, "out_of_range"),
        ("1.0", "invalid_type"),
        ("1e2", "invalid_type"),
        ("true", "invalid_type"),
        ('"1"', "invalid_type"),
        ('""', "invalid_type"),
    ],
}


def rows(table: dict[str, list[tuple]]) -> list[tuple]:
    return [(kind, *row) for kind, kind_rows in table.items() for row in kind_rows]


@pytest.mark.parametrize(("kind", "text", "value"), rows(VALID), ids=shown)
def test_a_field_takes(kind, text, value):
    taken = KINDS[kind].run_validation(read(text))

    assert taken == value
    assert type(taken) is type(value) or isinstance(taken, Decimal)


@pytest.mark.parametrize(("kind", "text", "code"), rows(INVALID), ids=shown)
def test_a_field_refuses(kind, text, code):
    with pytest.raises(ValidationError) as refusal:
        KINDS[kind].run_validation(read(text))

    assert refusal.value.get_codes() == ([code] if isinstance(code, str) else code)


@pytest.mark.parametrize("text", ["500", "500.0", "5e2", "500.00", "-0", "0", "9999999999.99"])
def test_a_number_always_has_two_decimals(text):
    value = MONEY.run_validation(read(text))

    assert value.as_tuple().exponent == -2
    assert not value.is_signed()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"500"', "Amount: expected a JSON number, got a string."),
        ("null", "Amount: required, but missing or null."),
        ("true", "Amount: expected a JSON number, got true or false."),
        ("-1", "Amount: expected a number from 0 to 9,999,999,999.99 with at most two decimals."),
        ("1.234", "Amount: more than two decimals."),
    ],
)
def test_a_message_says_what_to_mend(text, message):
    [error] = parse("payments", Amount=text).errors

    assert error.message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("123", "id: expected an id as a string, got a number."),
        (r'"abc\n"', r"id: expected 1 to 64 of A-Z a-z 0-9 _ - . : but got 'abc\n'."),
        ('"${id}"', "id: got '${id}': the sender left a placeholder unfilled."),
        ('"NULL"', "id: got 'NULL': the sender left a placeholder unfilled."),
        ('""', "id: required, but an empty string."),
        (json.dumps("{x}" * 50), f"id: expected 1 to 64 of A-Z a-z 0-9 _ - . : but got '{'{x}' * 33}…'."),
    ],
)
def test_a_message_repeats_what_was_sent_printably(text, message):
    [error] = parse("payments", id=text).errors

    assert error.message == message


# --- Each field of each module ------------------------------------------------------------------------

# As the contract lists them; a question mark for optional.
CONTRACT = {
    "students": {
        "id": "id",
        "Name": "text",
        "Academic_Email": "text?",
        "Phone": "text?",
        "Status": "text?",
    },
    "programs": {
        "id": "id",
        "Product_Name": "text",
        "Program_Price": "money?",
        "MoodleID": "text?",
        "Status": "text?",
    },
    "units": {
        "id": "id",
        "Unit_Code": "text",
        "Unit_Name": "text",
        "Status": "text",
        "Description": "long text?",
        "Credit_Hours": "hours?",
        "Level": "text?",
    },
    "registrations": {
        "id": "id",
        "Student": "lookup",
        "Program": "lookup",
        "Enrollment_Status": "text",
        "Registration_Date": "date?",
        "Completion_Date": "date?",
    },
    "payments": {
        "id": "id",
        "Registration": "lookup",
        "Amount": "money",
        "Payment_Status": "text",
        "Payment_Date": "date?",
        "Payment_Method": "text?",
        "Description": "long text?",
    },
    "grades": {
        "id": "id",
        "Student": "lookup",
        "Unit": "lookup",
        "Grade_Value": "text",
        "Score": "score?",
        "Grade_Date": "date?",
        "Comments": "long text?",
    },
}
EVERY_MODULE = {"Modified_Time": "time?", "Version": "version?"}
FIELDS = [
    (module, name, kind)
    for module, names in CONTRACT.items()
    for name, kind in {**names, **EVERY_MODULE}.items()
]
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
    assert parsed.values["modified_time"] == datetime.datetime(2026, 1, 15, 7, 15, 13, tzinfo=UTC)


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


# --- Anything at all ----------------------------------------------------------------------------------

anything_in_strings = st.text(st.characters())  # lone surrogates too, which st.text() leaves out
strings = anything_in_strings | st.sampled_from(["2026-01-15", "2026-01-15T11:15:13Z", "x" * 256, "${x}"])
numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,12})?", fullmatch=True
) | st.integers(1, 6_000).map("9".__mul__)


def array(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def obj(members: dict[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}"


json_texts = st.recursive(
    st.sampled_from(["null", "true", "false"]) | numbers | strings.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(array)
        | st.dictionaries(strings, inner, max_size=3).map(obj)
        | st.fixed_dictionaries({"id": inner}, optional={"name": inner}).map(obj)
    ),
    max_leaves=8,
)


def assert_answerable(parsed: ParsedRecord) -> None:
    """Values or errors, and errors that any database stores and any answer holds."""
    assert bool(parsed.errors) != bool(parsed.values)
    for error in parsed.errors:
        for text in (error.field, error.code, error.message):
            assert text.encode().find(b"\0") == -1
        assert len(error.field) <= 200
        assert len(error.message) <= 400
    assert parsed.zoho_id is None or fields.Id.PATTERN.fullmatch(parsed.zoho_id)


def read_anything(text: str):
    try:
        return read(text)
    except wire.NotJSON:  # two spellings of one key
        assume(False)


@settings(UNHURRIED, max_examples=400)
@given(field=st.sampled_from(FIELDS), text=json_texts)
def test_anything_as_any_field_gives_values_or_errors(field, text):
    module, name, _ = field
    record = {**RECORDS[module](), name: read_anything(text)}

    parsed = SERIALIZERS[module]().parse(record, ignore_unknown=False)

    assert_answerable(parsed)


@settings(UNHURRIED, max_examples=200)
@given(module=st.sampled_from(list(SERIALIZERS)), text=json_texts, lax=st.booleans())
def test_anything_as_a_record_gives_values_or_errors(module, text, lax):
    parsed = SERIALIZERS[module]().parse(read_anything(text), ignore_unknown=lax)

    assert_answerable(parsed)


@settings(UNHURRIED, max_examples=200)
@given(module=st.sampled_from(list(SERIALIZERS)), more=st.dictionaries(strings, json_texts, max_size=30))
def test_anything_beside_good_fields_gives_values_or_errors(module, more):
    record = {**read_anything(obj(more)), **RECORDS[module]()}

    parsed = SERIALIZERS[module]().parse(record, ignore_unknown=False)

    assert_answerable(parsed)


@pytest.mark.django_db
@settings(UNHURRIED, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    module=st.sampled_from(list(SERIALIZERS)),
    texts=st.lists(json_texts, min_size=1, max_size=3),
    field=st.sampled_from(FIELDS),
    text=json_texts,
)
def test_anything_that_json_can_say_is_answered_soon(sender, module, texts, field, text):
    good = {name: json.dumps(value) for name, value in RECORDS[field[0]]().items()}
    batches = [(module, texts), (field[0], [obj({**good, field[1]: text})])]
    began = time.monotonic()

    for to, records in batches:
        response = sender.post_body(to, f'{{"data":{array(records)}}}')

        assert response.status_code in (200, 400)
        if response.status_code == 200:
            assert len(response.json()["results"]) == len(records)
            assert "ERROR" not in {result["status"] for result in response.json()["results"]}
    assert time.monotonic() - began < 10


@settings(UNHURRIED, max_examples=400)
@given(
    amount=st.decimals(0, Decimal("9999999999.99"), places=2),
    shift=st.integers(-40, 40),
    zeros=st.integers(0, 40),
    letter=st.sampled_from("eE"),
    plus=st.sampled_from(["", "+", "0", "+0"]),
)
def test_every_spelling_of_an_amount_is_the_same_amount(amount, shift, zeros, letter, plus):
    mantissa = f"{amount.scaleb(-shift):f}"
    if zeros:
        mantissa += "0" * zeros if "." in mantissa else "." + "0" * zeros
    exponent = f"{letter}{plus if shift >= 0 else ''}{shift}" if shift else ""

    value = MONEY.run_validation(read(mantissa + exponent))

    assert value == amount
    assert str(value) == str(amount)
