"""The payments that every contender is sent, and how they must stand in a database afterwards."""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

TENANTS = 8
REGISTRATIONS = 200
# As long as Zoho's, and numbers, so that SQL can count them up.
FIRST_REGISTRATION = 4876876000000000000
FIRST_PAYMENT = 5876876000000000000
METHODS = ["Bank Transfer", "Credit Card", "Cash", "Direct Debit"]

#: A payment as stored: Zoho id, registration's Zoho id, amount, date, method, status, description.
Row = tuple[str, str, Decimal, str, str, str, str]


def tenant(number: int) -> str:
    return f"college-{number}"


def registration(number: int) -> str:
    return str(FIRST_REGISTRATION + number % REGISTRATIONS)


def payments(start: int, count: int, *, amount: int = 500) -> list[dict[str, Any]]:
    """Payments start … start + count - 1; with another amount they are the same ones, changed."""
    return [
        {
            "id": str(FIRST_PAYMENT + number),
            "Registration": {"id": registration(number), "name": f"REG-{number % REGISTRATIONS:06d}"},
            "Amount": amount + number % 90 + 0.5,
            "Payment_Date": f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}",
            "Payment_Method": METHODS[number % len(METHODS)],
            "Payment_Status": "Completed",
            "Description": f"Course fees of term {number % 3 + 1}, instalment {number % 7 + 1} of 7",
        }
        for number in range(start, start + count)
    ]


def body(records: list[dict[str, Any]]) -> bytes:
    return json.dumps({"data": records}, ensure_ascii=False).encode()


def bodies(start: int, count: int, *, batch: int = 1_000, amount: int = 500) -> Iterator[bytes]:
    """The same payments as the bodies of as many requests as they take."""
    for first in range(start, start + count, batch):
        yield body(payments(first, min(batch, start + count - first), amount=amount))


def expected(records: Iterable[dict[str, Any]]) -> set[Row]:
    return {
        stored(
            record["id"],
            record["Registration"]["id"],
            record["Amount"],
            record["Payment_Date"],
            record["Payment_Method"],
            record["Payment_Status"],
            record["Description"],
        )
        for record in records
    }


def stored(zoho_id: str, parent: str, amount: Any, date: Any, method: str, status: str, text: str) -> Row:
    """One row, whatever types its database and its contender gave the values."""
    return zoho_id, parent, Decimal(str(amount)).quantize(Decimal("0.01")), str(date), method, status, text
