"""What the browser's tests look at: the demo data in one tenant with more trouble, a few records in another,
long words in a third, and people. `manage.py shell` runs it (tests/browser/site.py), in a process of the
service's own.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.utils import timezone

from btec_sync import deliveries
from btec_sync.models import Delivery, Tenant, Tombstone
from btec_sync.problems import ProcessingFailed
from btec_sync.services import services
from tests import factories
from tests.api import receive
from tests.triggers import refusing

PASSWORD = "a-password-of-the-tests"
OURS, OTHER, WORDY = "default", "zarqa", "irbid"
#: Who looks, and in which group of which tenant; the superuser is in none.
PEOPLE = {
    "superuser": ("", ""),
    "registrar": ("Registrar", OURS),
    "operator": ("Operator", OURS),
    "visitor": ("Registrar", OTHER),
    "reader": ("Registrar", WORDY),
}
FORMULA = "=1+1"
# As long as an id may be, with nowhere a line could end.
LONG_WORD = "W" * 64
# Refused by the database as long as that refuses it, and without fault.
REFUSED = {"id": "unit_901", "Unit_Code": "BIT 901", "Unit_Name": "Computing Project", "Status": "Active"}


def main() -> None:
    call_command("load_demo", stdout=open(os.devnull, "w"))  # noqa: SIM115  (ends with the process)
    ours = Tenant.objects.get(slug=OURS)
    other = factories.TenantFactory(slug=OTHER, name="Zarqa College")
    _spread()
    _trouble(ours)
    factories.api_key(ours, name="zoho")
    Tombstone.objects.create(tenant=ours, module="students", zoho_id="stud_994", person="stud_994")
    _others(other)
    _long_words(factories.TenantFactory(slug=WORDY, name="Irbid College"))
    for name, (group, tenant) in PEOPLE.items():
        user = User.objects.create_user(name, password=PASSWORD, is_staff=True, is_superuser=not group)
        if group:
            user.groups.add(Group.objects.get(name=group))
            Tenant.objects.get(slug=tenant).members.add(user)


def _spread() -> None:
    """As if what was loaded now had come over three weeks, the newest half an hour ago."""
    now = timezone.now()
    newest = list(Delivery.objects.order_by("-pk"))
    for n, delivery in enumerate(newest):
        delivery.received_at = now - timedelta(minutes=30, hours=21 * 24 * n / len(newest))
    Delivery.objects.bulk_update(newest, ["received_at"])


def _send(tenant: Tenant, module: str, *records: dict) -> Delivery:
    delivery = receive(tenant, module, *records)
    deliveries.process(delivery)
    return delivery


def _trouble(tenant: Tenant) -> None:
    """One of each kind that the demo data does not have, and a text that a spreadsheet could run."""
    scores = [{"Student": {"id": "stud_402"}, "Unit": {"id": "unit_771"}, "Grade_Value": "D"}]
    _send(tenant, "grades", *({**scores[0], "id": f"grade_19{n}", "Score": 101 + n} for n in range(30, 33)))
    _send(tenant, "payments", {**_payment("pay_921", "reg_402"), "Description": FORMULA})
    with refusing(f"NEW.zoho_id = '{REFUSED['id']}'"):
        _send(tenant, "units", REFUSED)
    with _crashing("students"):
        _send(tenant, "students", {"id": "stud_993", "Name": "Dana Aziz"})
    left = receive(tenant, "programs", {"id": "prog_790", "Product_Name": "Sport and Fitness"})
    Delivery.objects.filter(pk=left.pk).update(received_at=timezone.now() - timedelta(minutes=20))


def _others(tenant: Tenant) -> None:
    _send(tenant, "students", {"id": "zarqa_stud", "Name": "Zarqa Student"})
    _send(tenant, "payments", _payment("zarqa_pay", "zarqa_nowhere"))
    _send(tenant, "students", {"id": "zarqa_odd", "Name": "Zarqa", "Zarqa_Field": 1})


def _long_words(tenant: Tenant) -> None:
    _send(tenant, "students", {"id": LONG_WORD, "Name": LONG_WORD})
    _send(tenant, "students", {"id": "irbid_odd", "Name": "Irbid", LONG_WORD: 1})


def _payment(zoho_id: str, registration: str) -> dict:
    lookup = {"Registration": {"id": registration}}
    return {"id": zoho_id, **lookup, "Amount": 120, "Payment_Status": "Completed"}


@contextmanager
def _crashing(module: str) -> Iterator[None]:
    """Processing of a module crashes, as if there was a fault in its service."""
    service = services()[module]
    whole, service.sync = service.sync, None
    try:
        yield
    except ProcessingFailed:
        pass
    finally:
        service.sync = whole
