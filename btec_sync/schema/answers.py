"""The answer to a batch as JSON Schema: what became of each of its records."""

from collections import defaultdict
from collections.abc import Iterator

from btec_sync import fields
from btec_sync.models import State
from btec_sync.services import SyncService, services

from . import records
from .records import JSON

UUID = {"type": "string", "format": "uuid"}

# --- Results -----------------------------------------------------------------------------------------


def result(service: type[SyncService]) -> JSON:
    """What became of one record: one of four shapes, by its status."""
    errors = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/RecordError"}}
    retryable = {"const": True, "description": "Only a parent is missing: the record waits for it."}
    return {
        "oneOf": [
            _outcome(service, "Stored, or unchanged", [State.NEW, State.UNCHANGED]),
            _outcome(service, "Updated", [State.UPDATED], {"changed_fields": changed_fields(service)}),
            _outcome(service, "Invalid", [State.INVALID], {"errors": errors}, {"retryable": retryable}),
            _outcome(service, "Refused by the database", [State.ERROR]),
        ]
    }


def _outcome(
    service: type[SyncService],
    title: str,
    states: list[State],
    required: JSON | None = None,
    optional: JSON | None = None,
) -> JSON:
    zoho_id = records.ZOHO_ID
    if State.INVALID in states:
        zoho_id = {**records.or_null(zoho_id), "description": "null where the `id` is unreadable."}
    always = {
        service.id_key(): zoho_id,
        "status": {"type": "string", "enum": [state.value for state in states]},
        "message": {"type": "string", "description": "In words. May change; go by the codes."},
        **(required or {}),
    }
    properties = {**always, **(optional or {})}
    return {"title": title, "type": "object", "required": list(always), "properties": properties}


def changed_fields(service: type[SyncService]) -> JSON:
    """[before, after] of each field that was written, under the names of the tables."""
    declared = service.serializer_class().fields
    stored = {field: declared[name] for name, field in service.serializer_class.data_fields().items()}
    return {
        "type": "object",
        "description": "What was written: `[before, after]`, under the names of the tables.",
        "minProperties": 1,
        "properties": {
            name: {"type": "array", "minItems": 2, "maxItems": 2, "items": _stored(field)}
            for name, field in stored.items()
        },
        "additionalProperties": False,
    }


def _stored(field: fields.StrictField) -> JSON:
    """A stored value as an answer shows it."""
    schema: JSON = {"type": "string"}
    match field:
        case fields.Lookup():
            schema = records.ZOHO_ID
        case fields.Number():
            schema |= {"pattern": r"^[0-9]+\.[0-9]{2}$", "description": "As text, so that it stays exact."}
        case fields.Date():
            schema |= {"format": "date"}
    never_null = field.required or field.empty_value is not None
    return schema if never_null else records.or_null(schema)


def answer(result_schema: JSON) -> JSON:
    """The body of a 200."""
    properties = {
        "status": {
            "type": "string",
            "enum": ["success", "partial", "failed"],
            "description": "`success`: every record is NEW, UNCHANGED or UPDATED. `failed`: none is.",
        },
        "tenant_id": {"type": "string"},
        "idempotency_key": {"type": "string", "description": "The key that was sent, or a hash of the body."},
        "delivery_id": {**UUID, "description": "Under which the request is kept. Quote it to staff."},
        "duplicate_of": {
            **UUID,
            "type": ["string", "null"],
            "description": "The first delivery of the same bytes. A hint: nothing is skipped for it.",
        },
        "summary": {"$ref": "#/components/schemas/Summary"},
        "results": {
            "type": "array",
            "minItems": 1,
            "items": result_schema,
            "description": "One per record, in the order of the request.",
        },
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def summary() -> JSON:
    return {
        "type": "object",
        "description": "How many records ended in each state.",
        "required": [state.value for state in State],
        "properties": {state.value: {"type": "integer", "minimum": 0} for state in State},
    }


# --- Errors of a record ------------------------------------------------------------------------------


def record_error() -> JSON:
    codes = record_codes()
    table = "\n".join(f"- `{code}`: {' / '.join(messages)}" for code, messages in codes.items())
    return {
        "type": "object",
        "required": ["field", "code", "message"],
        "properties": {
            "field": {
                "type": "string",
                "description": "As Zoho spells it: `Student.id`. Empty where the record is no object.",
            },
            "code": {"type": "string", "enum": list(codes), "description": f"Stable.\n\n{table}"},
            "message": {"type": "string", "description": "What to mend, in words."},
        },
    }


def record_codes() -> dict[str, list[str]]:
    """Every code that a record's errors can have, with its messages."""
    found: dict[str, list[str]] = defaultdict(list)
    for kind in dict.fromkeys(kind for field in _all_fields() for kind in reversed(type(field).__mro__)):
        for code, message in vars(kind).get("default_error_messages", {}).items():
            if issubclass(kind, fields.StrictField) and message not in found[code]:
                found[code].append(message)
    found["unexpected_field"].append("not a field of this module.")
    found["missing_dependency"].append("a parent is not there. Create it first.")
    found["erased"].append("it, or a parent, was erased at a person's request and is not stored again.")
    return {code: messages for code, messages in found.items() if messages}


def _all_fields() -> Iterator[fields.StrictField]:
    for service in services().values():
        for field in service.serializer_class().fields.values():
            yield field
            if isinstance(field, fields.Lookup):
                yield from (field.id, field.name)


# --- Examples ----------------------------------------------------------------------------------------


def examples(service: type[SyncService]) -> JSON:
    """What is answered to the module's example: when it is new, and when its parent is missing."""
    label = service.label()
    new = {"status": "NEW", "message": f"{label} created"}
    found = {"new": {"summary": f"{label} created", "value": _example(service, new)}}
    if parked := _parked(service):
        found["parked"] = {"summary": "A parent is missing", "value": _example(service, parked)}
    return found


def _parked(service: type[SyncService]) -> JSON | None:
    record = records.example(service)
    for name, field in service.serializer_class.data_fields().items():
        if field in service.dependencies and name in record:
            parent = service.dependencies[field].label()
            message = f"{parent} {record[name]['id']} not found. Create {parent.lower()} first."
            error = {"field": f"{name}.id", "code": "missing_dependency", "message": message}
            return {"status": "INVALID", "message": message, "errors": [error], "retryable": True}
    return None


def _example(service: type[SyncService], outcome: JSON) -> JSON:
    return {
        "status": "success" if outcome["status"] == "NEW" else "failed",
        "tenant_id": "default",
        "idempotency_key": "5d8de2ee63ed1ee2a2b3e8f1ba86ce53dbe9ba3f7b7d2ae02c2d09f4d0a4a9b0",
        "delivery_id": "4f6f1a0c-92ef-4a0c-9f0a-31f7c5a8a9d2",
        "duplicate_of": None,
        "summary": {state.value: int(state == outcome["status"]) for state in State},
        "results": [{service.id_key(): records.example(service)["id"], **outcome}],
    }
