"""Fills a migrated database of the service's: tenants with keys, and as many rows as are asked for.

A program of its own, as it runs with the service's settings:

    python -m benchmarks.fill --tenants=8 --payments=1000000 --results=1000000

Prints a line for each tenant: its slug and a key. Rows are counted up by SQL from one that the models
made, so a column that a model gains needs nothing here.
"""

import argparse
import sys
from typing import Any

import django

from benchmarks import records

BATCH = 1_000


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tenants", type=int, default=records.TENANTS)
    parser.add_argument("--payments", type=int, default=0, help="in all, the tenants' turn by turn")
    parser.add_argument("--results", type=int, default=0, help="of the first tenant, by deliveries of 1,000")
    parser.add_argument("--students", type=int, default=0, help="of the first tenant")
    options = parser.parse_args(arguments)

    first = fill_tenants(options.tenants)
    if options.payments:
        fill_payments(options.payments, options.tenants, first)
    if options.results:
        fill_results(options.results, first)
    if options.students:
        fill_students(options.students, first)
    settle()


def multiply(instance: Any, count: int, **expressions: str) -> None:
    """`count` rows like the instance, but for columns that are told as SQL of the number n, from 0."""
    from django.db import connection

    columns, values, parameters = [], [], []
    for field in instance._meta.concrete_fields:
        if field.primary_key:
            continue
        columns.append(connection.ops.quote_name(field.column))
        if field.column in expressions:
            values.append(expressions[field.column].replace("%", "%%"))
        else:
            values.append("%s")
            parameters.append(field.get_db_prep_save(field.pre_save(instance, add=True), connection))
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL "
            f"SELECT n + 1 FROM numbers WHERE n < {count - 1}) "
            f"INSERT INTO {instance._meta.db_table} ({', '.join(columns)}) "
            f"SELECT {', '.join(values)} FROM numbers",
            parameters,
        )


def fill_tenants(count: int) -> int:
    """Tenants, each with a student, a program and registrations; the number of the first."""
    from btec_sync import keys
    from btec_sync.models import Tenant
    from btec_sync.reference.models import Program, Student
    from registrations.models import Registration

    tenants = Tenant.objects.bulk_create(Tenant(slug=records.tenant(number)) for number in range(count))
    for tenant in tenants:
        print(tenant.slug, keys.create(tenant, name="benchmark"))  # noqa: T201
    first = tenants[0].pk
    mine = {"tenant": tenants[0], "fingerprint": "", "place": 0, "seen": 0}
    each = {"tenant_id": f"{first} + n"}
    multiply(Student(zoho_id="student", name="A student", **mine), count, **each)
    multiply(Program(zoho_id="program", product_name="A program", **mine), count, **each)
    parents = {
        "student_id": Student.objects.order_by("pk").first().pk,
        "program_id": Program.objects.order_by("pk").first().pk,
    }
    tenant = f"(n / {records.REGISTRATIONS})"
    multiply(
        Registration(**parents, **mine),
        count * records.REGISTRATIONS,
        tenant_id=f"{first} + {tenant}",
        zoho_id=f"CAST({records.FIRST_REGISTRATION} + n % {records.REGISTRATIONS} AS text)",
        **{name: f"{pk} + {tenant}" for name, pk in parents.items()},
    )
    return first


def fill_payments(count: int, tenants: int, first_tenant: int) -> None:
    from payments.models import Payment
    from registrations.models import Registration

    registration = Registration.objects.order_by("pk").first().pk
    payment = Payment(
        tenant_id=first_tenant,
        registration_id=registration,
        amount="500.50",
        payment_method="Bank Transfer",
        payment_status="Completed",
        description="Course fees of term 1, instalment 1 of 7",
        fingerprint="1:" + "0" * 64,
        place=0,
        seen=0,
    )
    # Each tenant's are numbered from 0, so that records.payments(0, …) are there whoever's they are.
    number = f"(n / {tenants})"
    multiply(
        payment,
        count,
        tenant_id=f"{first_tenant} + n % {tenants}",
        zoho_id=f"CAST({records.FIRST_PAYMENT} + {number} AS text)",
        registration_id=f"{registration} + n % {tenants} * {records.REGISTRATIONS} "
        f"+ {number} % {records.REGISTRATIONS}",
    )


def fill_results(count: int, tenant: int) -> None:
    """Results of deliveries of the first tenant: nine NEW, then one INVALID, whose amount is out of range."""
    from btec_sync import faults
    from btec_sync.models import Delivery, RecordResult

    body = records.body(records.payments(0, 3))  # a thousand would only take room
    delivery = Delivery(tenant_id=tenant, module="payments", body=body, digest="", state="done", attempts=1)
    before = Delivery.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    uid = "gen_random_uuid()" if _is_postgresql() else "lower(hex(randomblob(16)))"
    multiply(delivery, -(-count // BATCH), uid=uid, digest="CAST(n AS text)")
    first = Delivery.objects.filter(pk__gt=before).order_by("pk").first().pk
    result = RecordResult(tenant_id=tenant, attempt=1, module="payments", message="Payment created")
    multiply(
        result,
        count,
        delivery_id=f"{first} + n / {BATCH}",
        position=f"n % {BATCH}",
        zoho_id=f"CAST({records.FIRST_PAYMENT} + n AS text)",
        state="CASE WHEN n % 10 = 9 THEN 'INVALID' ELSE 'NEW' END",
        faults=f"CASE WHEN n % 10 = 9 THEN '{faults.text([('Amount', 'out_of_range')])}' ELSE '' END",
    )


def fill_students(count: int, tenant: int) -> None:
    from btec_sync.reference.models import Student
    from registrations.models import Registration

    student = Student(tenant_id=tenant, name="A student", fingerprint="", place=0, seen=0)
    multiply(student, count, zoho_id="'student-' || n", name="'Student ' || n")
    # One registration each, of the first of them: nobody has all payments of a college.
    registrations = Registration.objects.filter(tenant=tenant).order_by("pk")
    students = Student.objects.filter(tenant=tenant, zoho_id__startswith="student-").order_by("pk")
    for registration, student in zip(registrations, students, strict=False):
        registration.student = student
    Registration.objects.bulk_update(registrations, ["student"])


def settle() -> None:
    """What autovacuum has done to a table of this size when it is met in production."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if _is_postgresql() else "ANALYZE")


def _is_postgresql() -> bool:
    from django.db import connection

    return connection.vendor == "postgresql"


if __name__ == "__main__":
    django.setup()
    main(sys.argv[1:])
