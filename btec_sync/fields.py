"""Strict fields: the JSON type is right or the record is INVALID. Nothing is trimmed, cast or guessed.

A serializer reads as a table, Zoho's spelling left, ours right:

    Enrollment_Status = fields.Text("enrollment_status", max_length=255)

The first argument is the model's field. An optional field (required=False) that is missing or null
gets the field's empty value. Error codes are part of the contract: docs/answers.md lists them.

Every field can read a value twice: parse(), by DRF's way, says all that is wrong; fast() says nothing, and
gives MISS where parse() has to speak. A good record, which nearly all are, takes the fast way only.
"""

import datetime
import re
from decimal import Context, Decimal
from typing import Any

from rest_framework import serializers

from .wire import MAX_EXPONENT, MAX_NUMBER_LENGTH, HugeNumber, printable

TYPE_NAMES = {
    str: "a string",
    bool: "true or false",
    int: "a number",
    Decimal: "a number",
    HugeNumber: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}

# Control characters other than tab and line ends, and lone surrogates, which are no text at all.
UNWELCOME = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
# Large enough to shift any number of the wire exactly.
EXACT = Context(prec=2 * (MAX_NUMBER_LENGTH + MAX_EXPONENT))
CENT = Decimal("0.01")

#: What fast() gives for a value that the slow way has to look at.
MISS = object()


# What a subclass overrides to have rules of its own.
SLOW_WAY = {"parse", "is_empty", "json_types", "empty_value", "PATTERN"} | {
    name for name in vars(serializers.Field) if name.startswith(("run_", "validate_", "to_internal_"))
}


class StrictField(serializers.Field):
    """The base: what is empty, and that the JSON type must be right."""

    # Subclass declares

    json_types: tuple[type, ...]
    expected: str
    empty_value: Any = None

    default_error_messages = {
        "required": "required, but missing or null.",
        "invalid_type": "expected {expected}, got {got}.",
    }

    def parse(self, value: Any) -> Any:
        """The typed value of a JSON value whose type is right, or self.fail(code)."""
        raise NotImplementedError

    def fast(self, value: Any) -> Any:
        """The typed value of a JSON value other than null, exactly as run_validation() gives it, or MISS."""
        try:
            return self.run_validation(value)
        except serializers.ValidationError:
            return MISS

    # The machinery

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # A field with rules of its own must not be read by its parent's fast way, which does not know them.
        if "fast" not in vars(cls) and not SLOW_WAY.isdisjoint(vars(cls)):
            cls.fast = StrictField.fast

    # DRF's side

    def __init__(self, source: str, *, required: bool = True) -> None:
        super().__init__(source=source, required=required)

    def is_empty(self, data: Any) -> bool:
        return data is None or data is serializers.empty

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        if not self.is_empty(data):
            return False, data
        if self.required:
            self.fail("required")
        return True, self.empty_value

    def to_internal_value(self, data: Any) -> Any:
        # type() and not isinstance(): to Python, true is an int.
        if type(data) not in self.json_types:
            self.fail("invalid_type", expected=self.expected, got=TYPE_NAMES[type(data)])
        return self.parse(data)


class Id(StrictField):
    """A Zoho id: 1 to 64 letters, digits, `_`, `-`, `.` or `:`. Never a number: ids exceed 2^53."""

    json_types = (str,)
    expected = "an id as a string"
    default_error_messages = {
        "blank": "required, but an empty string.",
        "invalid_id": "expected 1 to 64 of A-Z a-z 0-9 _ - . : but got '{shown}'.",
        "placeholder": "got '{shown}': the sender left a placeholder unfilled.",
    }

    PATTERN = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
    #: Text that stands for no id, in capitals too.
    PLACEHOLDERS = ("null", "undefined")

    def parse(self, value: str) -> str:
        if not value:
            self.fail("blank")
        if value.lower() in self.PLACEHOLDERS or value.startswith("${"):
            self.fail("placeholder", shown=printable(value))
        if not self.PATTERN.fullmatch(value):
            self.fail("invalid_id", shown=printable(value))
        return value

    def fast(self, value: Any) -> Any:
        # The pattern has no "$", so it refuses unfilled placeholders as well.
        if type(value) is str and self.PATTERN.fullmatch(value) and value.lower() not in self.PLACEHOLDERS:
            return value
        return MISS


class Lookup(StrictField):
    """A reference as Zoho writes it, `{"id": "…", "name": "…"}`; the value is the id."""

    json_types = (dict,)
    expected = 'an object {"id": "…"}'

    def __init__(self, source: str, *, required: bool = True) -> None:
        super().__init__(source, required=required)
        self.id = Id("id")
        self.name = LookupName("name", required=False)

    def parse(self, value: dict) -> str:
        errors = {}
        for key, field in (("id", self.id), ("name", self.name)):
            try:
                field.run_validation(value.get(key))
            except serializers.ValidationError as error:
                errors[key] = error.detail
        errors.update(unexpected_fields(key for key in value if key not in ("id", "name")))
        if errors:
            raise serializers.ValidationError(errors)
        return value["id"]

    def fast(self, value: Any) -> Any:
        if type(value) is not dict:
            return MISS
        if len(value) == 1 or (len(value) == 2 and type(value.get("name", MISS)) in (str, type(None))):
            return self.id.fast(value.get("id"))
        return MISS


class LookupName(StrictField):
    """The name in a lookup: a string or null. It is shown by Zoho and stored by nobody."""

    json_types = (str,)
    expected = "a string or null"

    def parse(self, value: str) -> str:
        return value


class Text(StrictField):
    """A string of up to max_length characters; optional text that is missing, null or "" is ""."""

    json_types = (str,)
    expected = "a string"
    empty_value = ""
    default_error_messages = {
        "blank": "only blanks; expected some text.",
        "surrounding_blanks": "starts or ends with a blank.",
        "too_long": "{length} characters; at most {max_length} are taken.",
        "invalid_characters": "holds a character that is no text ({shown}).",
    }

    def __init__(self, source: str, *, max_length: int = 255, required: bool = True) -> None:
        super().__init__(source, required=required)
        self.max_length = max_length

    def is_empty(self, data: Any) -> bool:
        return super().is_empty(data) or (data == "" and not self.required)

    def parse(self, value: str) -> str:
        stripped = value.strip()
        if not stripped:
            self.fail("blank")
        if self.required and len(stripped) != len(value):
            self.fail("surrounding_blanks")
        if len(value) > self.max_length:
            self.fail("too_long", length=len(value), max_length=self.max_length)
        if found := UNWELCOME.search(value):
            self.fail("invalid_characters", shown=f"U+{ord(found.group()):04X}")
        return value

    def fast(self, value: Any) -> Any:
        if type(value) is not str or len(value) > self.max_length:
            return MISS
        stripped = value.strip()
        if not stripped:
            return self.empty_value if not value and not self.required else MISS
        if self.required and len(stripped) != len(value):
            return MISS
        # What is printable holds nothing unwelcome, and is told in a third of the time.
        return MISS if not value.isprintable() and UNWELCOME.search(value) else value


class Number(StrictField):
    """A JSON number from 0 to maximum with at most two decimals, as a Decimal with exactly two.

    `500`, `500.0` and `5e2` are one value. A Decimal from the wire to the database: no float in between.
    """

    json_types = (int, Decimal, HugeNumber)
    expected = "a JSON number"
    default_error_messages = {
        "out_of_range": "expected a number from 0 to {maximum} with at most two decimals.",
        "too_many_decimals": "more than two decimals.",
    }

    def __init__(self, source: str, *, maximum: str, required: bool = True) -> None:
        super().__init__(source, required=required)
        self.maximum = Decimal(maximum)

    def parse(self, value: int | Decimal | HugeNumber) -> Decimal:
        if isinstance(value, HugeNumber) or not 0 <= value <= self.maximum:
            self.fail("out_of_range", maximum=f"{self.maximum:,f}")
        hundredths = EXACT.scaleb(Decimal(value), 2)
        if hundredths != hundredths.to_integral_value():
            self.fail("too_many_decimals")
        return Decimal(int(hundredths)).scaleb(-2)

    def fast(self, value: Any) -> Any:
        if type(value) not in (int, Decimal) or not 0 <= value <= self.maximum:
            return MISS
        # copy_abs() of what is not negative: -0.0 becomes 0.
        exact = Decimal(value).copy_abs().quantize(CENT, context=EXACT)
        return exact if exact == value else MISS


class Money(Number):
    """An amount: a JSON number from 0 to 9,999,999,999.99, in the tenant's currency."""

    def __init__(self, source: str, *, required: bool = True) -> None:
        super().__init__(source, maximum="9999999999.99", required=required)


class Integer(StrictField):
    """A JSON integer from 0 to 2^63 - 1."""

    json_types = (int, HugeNumber)
    expected = "a JSON integer"
    default_error_messages = {"out_of_range": "expected an integer from 0 to 9,223,372,036,854,775,807."}

    MAXIMUM = 2**63 - 1

    def parse(self, value: int | HugeNumber) -> int:
        if isinstance(value, HugeNumber) or not 0 <= value <= self.MAXIMUM:
            self.fail("out_of_range")
        return value

    def fast(self, value: Any) -> Any:
        return value if type(value) is int and 0 <= value <= self.MAXIMUM else MISS


class Date(StrictField):
    """A real day, YYYY-MM-DD and no other ISO 8601 spelling."""

    json_types = (str,)
    expected = "a date as a string YYYY-MM-DD"
    default_error_messages = {"invalid_date": "expected a real day as YYYY-MM-DD, got '{shown}'."}

    PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

    def parse(self, value: str) -> datetime.date:
        day = self._read(value)
        return self.fail("invalid_date", shown=printable(value)) if day is None else day

    def fast(self, value: Any) -> Any:
        day = self._read(value) if type(value) is str else None
        return MISS if day is None else day

    def _read(self, value: str) -> datetime.date | None:
        try:
            return datetime.date.fromisoformat(value) if self.PATTERN.fullmatch(value) else None
        except ValueError:  # no such day
            return None


class Timestamp(StrictField):
    """An ISO 8601 instant with its offset or Z, as Zoho writes Modified_Time; the value is in UTC."""

    json_types = (str,)
    expected = "an ISO 8601 time as a string"
    default_error_messages = {
        "invalid_time": "expected a time with its offset, as 2026-01-15T11:15:13+04:00, got '{shown}'."
    }

    PATTERN = re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-5][0-9])"
    )

    def parse(self, value: str) -> datetime.datetime:
        instant = self._read(value)
        return self.fail("invalid_time", shown=printable(value)) if instant is None else instant

    def fast(self, value: Any) -> Any:
        instant = self._read(value) if type(value) is str else None
        return MISS if instant is None else instant

    def _read(self, value: str) -> datetime.datetime | None:
        if not self.PATTERN.fullmatch(value):
            return None
        try:
            instant = datetime.datetime.fromisoformat(value).astimezone(datetime.UTC)
        except (ValueError, OverflowError):  # no such time, or none in UTC
            return None
        # The calendar's first and last day do not exist in every zone that staff may read them in.
        return instant if datetime.date.min < instant.date() < datetime.date.max else None


MOST_UNEXPECTED = 20


def unexpected_fields(keys) -> dict[str, list]:
    """An error for each key that nobody asked for; past a number of them, one for all the rest."""
    keys = list(keys)
    errors = {
        printable(key): [serializers.ErrorDetail("not a field of this module.", code="unexpected_field")]
        for key in keys[:MOST_UNEXPECTED]
    }
    more = len(keys) - MOST_UNEXPECTED
    if more > 0:
        errors["…"] = [
            serializers.ErrorDetail(f"and {more} more unexpected fields.", code="unexpected_field")
        ]
    return errors
