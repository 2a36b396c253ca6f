"""Fills a migrated database of the service's: tenants with keys, registrations, and rows by SQL.

A program of its own, as it runs with the service's settings: python -m benchmarks.fill --payments=1000.
Prints a line for each tenant: its slug and a key.
"""

import argparse
import sys

import django

from benchmarks import records


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tenants", type=int, default=records.TENANTS)
    options = parser.parse_args(arguments)
    for number in range(options.tenants):
        print(*fill_tenant(number))  # noqa: T201


def fill_tenant(number: int) -> tuple[str, str]:
    """A tenant with a student, a program and the registrations; its slug and a key."""
    from btec_sync import keys
    from btec_sync.models import Tenant
    from btec_sync.reference.models import Program, Student
    from registrations.models import Registration

    tenant = Tenant.objects.create(slug=records.tenant(number))
    mine = {"tenant": tenant, "fingerprint": "", "place": 0, "seen": 0}
    student = Student.objects.create(zoho_id="student", name="A student", **mine)
    program = Program.objects.create(zoho_id="program", product_name="A program", **mine)
    Registration.objects.bulk_create(
        Registration(zoho_id=records.registration(n), student=student, program=program, **mine)
        for n in range(records.REGISTRATIONS)
    )
    return tenant.slug, keys.create(tenant, name="benchmark")


if __name__ == "__main__":
    django.setup()
    main(sys.argv[1:])
