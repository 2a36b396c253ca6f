"""The base of every module's serializer, and the envelope that the records come in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from rest_framework import serializers

from . import fields, wire
from .problems import MalformedEnvelope, MalformedJSON, TooLarge, UnsupportedMediaType

# What every Zoho record drags along, whatever its module: https://www.zoho.com/crm/developer/docs/api/v7/
SYSTEM_FIELDS = frozenset(
    {"Owner", "Created_By", "Modified_By", "Created_Time", "Last_Activity_Time", "Tag", "Layout"}
    | {"Record_Image", "Currency", "Exchange_Rate", "Name"}
)


#: What stands in a body in the place of a record that was erased at a person's request.
ERASED_RECORD = {"$erased": True}


def is_system_field(name: str) -> bool:
    return name in SYSTEM_FIELDS or name.startswith("$") or name.endswith("__s")


@dataclass(slots=True, frozen=True)
class FieldError:
    """What is wrong with one field: its path as Zoho spells it, a stable code, and what to mend."""

    field: str
    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "code": self.code, "message": self.message}


ERASED = FieldError("", "erased", "The record was erased.")


@dataclass(slots=True)
class ParsedRecord:
    """One record of the wire, typed; with errors, only zoho_id may be known."""

    zoho_id: str | None
    values: dict[str, Any] = field(default_factory=dict)
    errors: list[FieldError] = field(default_factory=list)


class Step(NamedTuple):
    """How one field is read the fast way: from which key, to which of the model's fields, by what."""

    key: str
    source: str
    required: bool
    empty_value: Any
    fast: Callable[[Any], Any]


class RecordSerializer(serializers.Serializer):
    """One record as Zoho sends it. A subclass is a table of fields; every rule is theirs or stands here."""

    id = fields.Id("zoho_id")
    Modified_Time = fields.Timestamp("modified_time", required=False)
    Version = fields.Integer("version", required=False)

    # What orders a record or names it, and is not stored as its data.
    NOT_DATA = frozenset({"zoho_id", "modified_time", "version"})

    @classmethod
    def data_fields(cls) -> dict[str, str]:
        """The model's field for each of Zoho's that is stored: {"Enrollment_Status": "enrollment_status"}."""
        return {
            name: declared.source
            for name, declared in cls._declared_fields.items()
            if declared.source not in cls.NOT_DATA
        }

    def parse(self, record: Any, *, ignore_unknown: bool) -> ParsedRecord:
        """Every error of the record, or its typed values. One serializer parses a whole batch."""
        if not isinstance(record, dict):
            got = fields.TYPE_NAMES[type(record)]
            return ParsedRecord(
                None, errors=[FieldError("", "invalid_type", f"The record: expected an object, got {got}.")]
            )
        values = self._fast(record, ignore_unknown)
        if values is None:
            return self._slow(record, ignore_unknown)
        return ParsedRecord(values.pop("zoho_id"), values)

    def _slow(self, record: dict, ignore_unknown: bool) -> ParsedRecord:
        """DRF's way, and the only source of errors."""
        if record == ERASED_RECORD:
            return ParsedRecord(None, errors=[ERASED])
        errors, values = {}, {}
        try:
            values = self.run_validation(record)
        except serializers.ValidationError as error:
            errors.update(error.detail)
        if not ignore_unknown:
            errors.update(
                fields.unexpected_fields(
                    name for name in record if name not in self.fields and not is_system_field(name)
                )
            )
        if errors:
            return ParsedRecord(
                zoho_id=None if "id" in errors else record["id"],
                errors=[FieldError(*row) for row in _flatten(errors)],
            )
        return ParsedRecord(values.pop("zoho_id"), values)

    def _fast(self, record: dict, ignore_unknown: bool) -> dict[str, Any] | None:
        """The typed values of a good record; None where the slow way has to look for what is wrong."""
        steps = _steps(type(self))
        if not steps or not (ignore_unknown or self._all_known(record)):
            return None
        values = {}
        for key, source, required, empty_value, fast in steps:
            value = record.get(key)
            if value is None:
                if required:
                    return None
                values[source] = empty_value
            else:
                values[source] = read = fast(value)
                if read is fields.MISS:
                    return None
        return values

    def _all_known(self, record: dict) -> bool:
        declared = self._declared_fields.keys()
        return record.keys() <= declared or all(is_system_field(name) for name in record.keys() - declared)


# What a serializer overrides to have rules of its own.
SLOW_WAY = {
    "validate",
    "run_validation",
    "run_validators",
    "to_internal_value",
    "get_validators",
    "get_fields",
}


@cache
def _steps(serializer_class: type[RecordSerializer]) -> list[Step]:
    """The fast way through a serializer's fields; none where the class has rules that it would pass by."""
    declared = serializer_class._declared_fields
    for name in SLOW_WAY | {f"validate_{name}" for name in declared}:
        if getattr(serializer_class, name, None) is not getattr(RecordSerializer, name, None):
            return []
    if not all(isinstance(field, fields.StrictField) for field in declared.values()):
        return []
    return [
        Step(key, field.source, field.required, field.empty_value, field.fast)
        for key, field in declared.items()
    ]


def _flatten(errors: dict, prefix: str = ""):
    """DRF's nested errors as (path, code, message) rows."""
    for name, details in errors.items():
        path = f"{prefix}{name}"
        if isinstance(details, dict):
            yield from _flatten(details, f"{path}.")
        else:
            for detail in details:
                yield path, detail.code, f"{path}: {detail}"


def read_envelope(headers: dict[str, str], body: bytes, *, most: int | None) -> list[Any]:
    """The records of a request's body, as JSON values, so many at most. Raises the Problem to answer."""
    _check_media_type(headers)
    try:
        envelope = wire.loads(body)
    except wire.NotJSON as error:
        raise MalformedJSON(str(error)) from None
    if not isinstance(envelope, dict) or envelope.keys() != {"data"}:
        raise MalformedEnvelope('The body must be a JSON object with the single key "data".')
    records = envelope["data"]
    if not isinstance(records, list) or not records:
        raise MalformedEnvelope('"data" must be an array of at least one record.')
    if most is not None and len(records) > most:
        raise TooLarge(f"{len(records):,} records in one batch; at most {most:,} are taken.")
    return records


def _check_media_type(headers: dict[str, str]) -> None:
    if headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
    media_type, *parameters = (part.strip() for part in headers.get("Content-Type", "").lower().split(";"))
    if media_type != "application/json":
        raise UnsupportedMediaType("Send Content-Type: application/json.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            raise UnsupportedMediaType("Send the body in UTF-8.")
