"""A student to be erased: her records in every module, manage.py erase_student, and what is left of her."""

from io import StringIO

from django.core.management import call_command

from btec_sync.models import Delivery, RecordResult
from btec_sync.services import services
from tests import factories
from tests.api import Sender

#: Whatever is hers holds this word; nothing else does.
HERS = "Zenobia"


def erase(*arguments: str, person: str = "stud_z", tenant: str = "default") -> str:
    output = StringIO()
    call_command("erase_student", tenant, person, "--yes", *arguments, stdout=output)
    return output.getvalue()


def counts(output: str) -> dict[str, int]:
    rows = [line.rsplit(None, 1) for line in output.splitlines() if line.startswith("  ")]
    return {name.strip(): int(number.replace(",", "")) for name, number in rows if number != "0"}


def student(**changes) -> dict:
    return {"id": "stud_z", "Name": f"{HERS} Q", "Phone": f"{HERS} 1", **changes}


def registration(**changes) -> dict:
    found = {"id": "reg_z", "Student": {"id": "stud_z", "name": HERS}, "Program": {"id": "prog_789"}}
    return {**found, "Enrollment_Status": f"Active {HERS}", **changes}


def payment(**changes) -> dict:
    hers = {"id": "pay_z", "Registration": {"id": "reg_z"}, "Payment_Status": HERS, "Amount": 500}
    return {**hers, "Description": HERS, **changes}


def grade(**changes) -> dict:
    hers = {"id": "grade_z", "Student": {"id": "stud_z"}, "Unit": {"id": "unit_789"}}
    return {**hers, "Grade_Value": HERS, **changes}


def send_hers(sender: Sender) -> None:
    """Her records among others', created, changed and sent again unchanged."""
    sender.post("students", factories.StudentRecord(id="other"), student())
    sender.post("registrations", registration(), factories.RegistrationRecord(id="reg_other"))
    sender.post("payments", payment(), factories.PaymentRecord(id="pay_other"))
    sender.post("grades", factories.GradeRecord(id="grade_other"), grade())
    sender.post("students", student(Phone=f"{HERS} 2"), factories.StudentRecord(id="other", Phone="2"))
    sender.post("students", student(Phone=f"{HERS} 2"))
    sender.post("payments", payment(Amount=750.5, Description=f"{HERS} again"))


def hers_everywhere() -> list[str]:
    """Where the word, or one of her ids, stands in any table but the tombstones."""
    found = []
    words = (HERS.encode(), b"stud_z", b"reg_z", b"pay_z", b"grade_z")
    for delivery in Delivery.objects.all():
        for column in ("body", "answer"):
            value = bytes(getattr(delivery, column)).replace(b"\\u005a", b"Z").replace(b"\\u0073", b"s")
            found += [f"{column} {delivery.pk} {word}" for word in words if word in value]
        found += [f"traceback {delivery.pk}" for word in words if word.decode() in delivery.traceback]
    for result in RecordResult.objects.all():
        text = (
            f"{result.zoho_id} {result.message} {result.errors} {result.changed_fields} {result.waits_for_id}"
        )
        found += [f"result {result.pk} {word}" for word in words if word.decode() in text]
    for service in services().values():
        found += [f"{service.module} {row}" for row in service.model.objects.filter(zoho_id__endswith="_z")]
    return found
