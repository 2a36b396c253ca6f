"""Tenants and keys, and records as Zoho would send them."""

import factory
from django.db import connection

from btec_sync import keys
from btec_sync.models import Tenant


class TenantFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Tenant
        django_get_or_create = ["slug"]

    slug = "default"
    name = factory.LazyAttribute(lambda tenant: f"College {tenant.slug}")


def api_key(tenant: Tenant, **options) -> str:
    return keys.create(tenant, **options)


class StudentRecord(factory.DictFactory):
    id = factory.Sequence(lambda n: f"stud_{n}")
    Name = factory.Sequence(lambda n: f"Student {n}")


class ProgramRecord(factory.DictFactory):
    id = factory.Sequence(lambda n: f"prog_{n}")
    Product_Name = factory.Sequence(lambda n: f"Program {n}")


class UnitRecord(factory.DictFactory):
    id = factory.Sequence(lambda n: f"unit_{n}")
    Unit_Code = factory.Sequence(lambda n: f"U{n}")
    Unit_Name = factory.Sequence(lambda n: f"Unit {n}")
    Status = "Active"


class RegistrationRecord(factory.DictFactory):
    id = factory.Sequence(lambda n: f"reg_{n}")
    Student = {"id": "stud_456"}
    Program = {"id": "prog_789"}
    Enrollment_Status = "Active"


class PaymentRecord(factory.DictFactory):
    id = factory.Sequence(lambda n: f"pay_{n}")
    Registration = {"id": "reg_456"}
    Amount = 500
    Payment_Status = "Completed"


class GradeRecord(factory.DictFactory):
    id = factory.Sequence(lambda n: f"grade_{n}")
    Student = {"id": "stud_456"}
    Unit = {"id": "unit_789"}
    Grade_Value = "P"


RECORDS = {
    "students": StudentRecord,
    "programs": ProgramRecord,
    "units": UnitRecord,
    "registrations": RegistrationRecord,
    "payments": PaymentRecord,
    "grades": GradeRecord,
}


def on_sqlite() -> bool:
    return connection.vendor == "sqlite"
