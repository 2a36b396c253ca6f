"""Records and their fields read as from the wire, and the fields that the contract lists."""

from hypothesis import HealthCheck, settings

from btec_sync import wire
from btec_sync.serializers import ParsedRecord
from btec_sync.services import services
from tests.factories import RECORDS

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
