"""What each kind of field takes and refuses, by itself."""

import datetime
import json
from decimal import Decimal

import pytest
from rest_framework.exceptions import ValidationError

from btec_sync import fields
from tests.parsing import parse, read, shown

pytestmark = pytest.mark.once

UTC = datetime.UTC

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
