"""Records to mend, and a database that makes some."""

from btec_sync import storing
from tests import factories
from tests.api import Sender


def send_trouble(sender: Sender) -> None:
    """Seven records to mend, of all kinds but ERROR."""
    sender.post("students", {"id": "odd", "Name": 7, "amount": 1})
    sender.post("students", {"id": "odder", "Name": "x", "Amount": 1}, {"id": 12, "Name": "x"})
    sender.post("registrations", waiting_registration("r1", "gone"), waiting_registration("r2", "gone"))
    sender.post("registrations", waiting_registration("r3", "lost"))
    sender.post("payments", factories.PaymentRecord(id="p1", Registration={"id": "r1"}))


def waiting_registration(zoho_id: str, student: str) -> dict:
    return factories.RegistrationRecord(id=zoho_id, Student={"id": student})


def refused_by_the_database(monkeypatch):
    """The database takes no student any more, as if each was refused for what it is."""
    refused = lambda service, rows, *_: {row.zoho_id: "refused" for row in rows}  # noqa: E731
    monkeypatch.setattr(storing, "_write_halves", refused)
