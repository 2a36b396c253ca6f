"""Stores deliveries that nobody processes: what a crash leaves for replay to find.

A program of its own, as it runs with the service's settings: python -m benchmarks.received START COUNT.
"""

import sys

import django

from benchmarks import records


def main(start: int, count: int) -> None:
    from btec_sync import deliveries
    from btec_sync.models import Tenant

    tenant = Tenant.objects.get(slug=records.tenant(0))
    for body in records.bodies(start, count):
        deliveries.receive(tenant, "payments", body, {"Content-Type": "application/json"})


if __name__ == "__main__":
    django.setup()
    main(*map(int, sys.argv[1:]))
