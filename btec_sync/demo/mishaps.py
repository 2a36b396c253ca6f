"""What goes wrong: records that come again, are INVALID or stay parked, and a body that is no JSON."""

from collections.abc import Iterable, Iterator
from typing import Any

from .sending import Record, Request, Save, body, sent


def repeats(saves: Iterable[Save]) -> Iterator[Request]:
    """Autumn registrations once more, as they were then: UNCHANGED, and stale where they have ended."""
    registered = [save for save in saves if save.record.get("Version") == 1]
    yield Request("registrations", body([sent(save, {}, whole=False) for save in registered[:25]]))


def mishaps() -> Iterator[Request]:
    """Records that are INVALID, records that stay parked, and a body that is no JSON."""
    for module, records in [*INVALID, *PARKED]:
        yield Request(module, body(records))
    # A name with quotation marks, put into the body by hand instead of by toJSON().
    yield Request(
        "registrations",
        b'{"data": [{"id": "reg_485", "Student": {"id": "stud_456", "name": "Ahmed "Mido" Mohamed"},'
        b' "Program": {"id": "prog_787"}, "Enrollment_Status": "Active"}]}',
    )


def payment(zoho_id: str, registration: str = "reg_402", **changes: Any) -> Record:
    record = {"id": zoho_id, "Registration": {"id": registration}, "Amount": 250.00}
    return {**record, "Payment_Date": "2026-05-04", "Payment_Status": "Completed", **changes}


INVALID: list[tuple[str, list[Record]]] = [
    (
        "payments",
        [
            payment("pay_901", Amount="1,375.00"),
            payment("pay_902", Payment_Date="31/04/2026"),
            payment("pay_903", Discount_Code="EARLY10"),
        ],
    ),
    ("registrations", [{"id": "reg_481", "Student": {"id": "stud_402"}, "Program": {"id": "prog_788"}}]),
    (
        "grades",
        [
            {"id": "grade_1901", "Student": "stud_402", "Unit": {"id": "unit_771"}, "Grade_Value": "P"},
            {
                "id": "grade_1902",
                "Student": {"id": "stud_402"},
                "Unit": {"id": "unit_771"},
                "Grade_Value": "M",
                "Score": 107,
            },
        ],
    ),
]

# The student of a grade and the registration of a payment never come. The last two are a chain: a
# payment waits for a registration that waits for its student.
PARKED: list[tuple[str, list[Record]]] = [
    (
        "grades",
        [{"id": "grade_1911", "Student": {"id": "stud_991"}, "Unit": {"id": "unit_783"}, "Grade_Value": "M"}],
    ),
    ("payments", [payment("pay_911", "reg_991")]),
    ("payments", [payment("pay_912", "reg_482")]),
    (
        "registrations",
        [
            {
                "id": "reg_482",
                "Student": {"id": "stud_992", "name": "Nour Saleh"},
                "Program": {"id": "prog_788"},
                "Enrollment_Status": "Active",
            }
        ],
    ),
]
