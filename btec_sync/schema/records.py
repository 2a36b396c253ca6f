"""Records as JSON Schema: what each kind of field takes, and what a module's batch is made of."""

import json
from decimal import Decimal
from functools import cache, singledispatch
from pathlib import Path
from typing import Any

from django.conf import settings

from btec_sync import fields
from btec_sync.serializers import SYSTEM_FIELDS
from btec_sync.services import SyncService

JSON = dict[str, Any]

#: The mission's examples. A module that is not among them gets one made of its fields.
EXAMPLES = Path(__file__).with_name("examples.json")

# --- Fields ------------------------------------------------------------------------------------------


def of_field(field: fields.StrictField) -> JSON:
    """What a record may hold in this field, as JSON Schema. null is as good as leaving it out."""
    schema = describe(field)
    return schema if field.required else or_null(schema)


def or_null(schema: JSON) -> JSON:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


@singledispatch
def describe(field: fields.StrictField) -> JSON:
    """The schema of a field, were it required. A kind that is not described here has its JSON type."""
    json_type = next(name for kind, name in JSON_TYPES if kind in field.json_types)
    return {"type": json_type}


# A field that takes Decimal takes int as well, so the first that fits is the widest.
JSON_TYPES = ((Decimal, "number"), (int, "integer"), (str, "string"), (dict, "object"), (list, "array"))


def whole(pattern: str) -> str:
    """A pattern of fullmatch() for JSON Schema, which searches."""
    return f"^{pattern}$"


ZOHO_ID = {"$ref": "#/components/schemas/ZohoId"}


@describe.register
def _(field: fields.Id) -> JSON:
    return dict(ZOHO_ID)


def zoho_id() -> JSON:
    """What ZOHO_ID refers to."""
    placeholders = ("".join(f"[{c.upper()}{c}]" for c in word) for word in fields.Id.PLACEHOLDERS)
    return {
        "type": "string",
        "pattern": whole(fields.Id.PATTERN.pattern),
        "not": {"pattern": whole(f"({'|'.join(placeholders)})")},
        "description": "A Zoho id, always as a string: as a number it would lose digits.",
    }


@describe.register
def _(field: fields.Lookup) -> JSON:
    return {
        "type": "object",
        "required": ["id"],
        "properties": {"id": of_field(field.id), "name": of_field(field.name)},
        "additionalProperties": False,
        "description": "A reference as Zoho writes it. Only its id counts.",
    }


# Without the surrogates: to a regular expression that reads code points they are not there.
CONTROL_CHARACTERS = "".join(
    c if c == "-" else f"\\x{ord(c):02x}" for c in fields.UNWELCOME.pattern.strip("[]") if ord(c) < 0x100
).removesuffix("-")


@describe.register
def _(field: fields.Text) -> JSON:
    some, no_blank = f"[^{CONTROL_CHARACTERS}]", rf"[^\s{CONTROL_CHARACTERS}]"
    if field.required:
        pattern, rule = f"{no_blank}({some}*{no_blank})?", "No blanks at either end."
    else:
        pattern, rule = (
            f"({some}*{no_blank}{some}*)?",
            "Not only blanks. Empty, null and missing are the same.",
        )
    return {
        "type": "string",
        **({"minLength": 1} if field.required else {}),
        "maxLength": field.max_length,
        "pattern": whole(pattern),
        "description": f"{rule} No control characters but tab and line ends.",
    }


@describe.register
def _(field: fields.Number) -> JSON:
    whole_number = field.maximum == field.maximum.to_integral_value()
    return {
        "type": "number",
        "minimum": 0,
        "maximum": int(field.maximum) if whole_number else float(field.maximum),
        # Not as multipleOf: 0.01, by which many validators refuse 19.99, as they reckon in floats.
        "description": "At most two decimals; `500`, `500.0` and `5e2` are the same.",
    }


@describe.register
def _(field: fields.Integer) -> JSON:
    return {"type": "integer", "format": "int64", "minimum": 0, "maximum": field.MAXIMUM}


@describe.register
def _(field: fields.Date) -> JSON:
    return {
        "type": "string",
        "format": "date",
        "pattern": whole(field.PATTERN.pattern),
        "description": "A real day.",
    }


@describe.register
def _(field: fields.Timestamp) -> JSON:
    return {
        "type": "string",
        "format": "date-time",
        "pattern": whole(field.PATTERN.pattern),
        "description": "A time with its offset, as Zoho writes it.",
    }


# --- Records -----------------------------------------------------------------------------------------

ORDER = {
    "Modified_Time": "Orders deliveries: what is older than what is stored changes nothing.",
    "Version": "Orders deliveries where `Modified_Time` does not. Written without a fraction.",
}


def record(service: type[SyncService]) -> JSON:
    """One record of a module."""
    declared = service.serializer_class().fields
    system = "|".join(sorted(SYSTEM_FIELDS - set(declared)))
    return {
        "type": "object",
        "description": (
            "Any other key makes the record INVALID (`unexpected_field`), unless the tenant is set to "
            "ignore unknown fields."
        ),
        "required": [name for name, field in declared.items() if field.required],
        "properties": {name: _property(service, name, field) for name, field in declared.items()},
        "patternProperties": {
            rf"^({system})$|^\$|__s$": {"description": "What every Zoho record drags along; left out."}
        },
        "additionalProperties": False,
    }


def _property(service: type[SyncService], name: str, field: fields.StrictField) -> JSON:
    schema = of_field(field)
    if parent := service.dependencies.get(field.source):
        schema["description"] = (
            f"The {parent.label().lower()}, as Zoho writes a lookup; only its `id` counts. Until it is there "
            "the record is INVALID (`missing_dependency`, `retryable`) and waits for it."
        )
    return {**schema, **({"description": ORDER[name]} if name in ORDER else {})}


def batch(record_schema: JSON) -> JSON:
    """The body of a request."""
    return {
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {
                "type": "array",
                "minItems": 1,
                "maxItems": settings.BTEC_MAX_BATCH,
                "items": record_schema,
            }
        },
        "additionalProperties": False,
    }


# --- Examples ----------------------------------------------------------------------------------------


def example(service: type[SyncService]) -> JSON:
    """A record that the module takes."""
    declared = service.serializer_class().fields
    return _examples().get(service.module) or {
        name: _sample(field) for name, field in declared.items() if field.required
    }


@cache
def _examples() -> JSON:
    return json.loads(EXAMPLES.read_text())


def _sample(field: fields.StrictField) -> Any:
    match field:
        case fields.Id():
            return "5516116000138155159"
        case fields.Lookup():
            return {"id": "5516116000138155135", "name": None}
        case fields.Number() | fields.Integer():
            return 1
        case fields.Date():
            return "2026-01-15"
        case fields.Timestamp():
            return "2026-01-15T11:15:13+04:00"
        case _:
            return "Text"
