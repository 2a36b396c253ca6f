"""The admin's pages as a person of one college and a superuser see them: queries and seconds of each.

A program of its own, as it runs with the service's settings:

    python -m benchmarks.pages ROUNDS WARM_UP POSTMASTER

with as many rounds that count and that warm up, and the process whose children compute for us. Prints a
line of JSON for each page: who, address, queries, and [seconds, CPU seconds] of each round.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from urllib.parse import quote_plus

import django
from django.conf import settings

from benchmarks.measure import Cost, cost
from benchmarks.processes import tree

#: A page is added by a line here. {delivery} is the newest delivery's number, {payment} a payment's,
#: {student} that of its student, {last_page} the last page of a list of many, {name} the newest student's
#: name. What is searched for is found, however few rows there are.
PAGES = [
    "/admin/",
    "/admin/sync-health/?period=24h",
    "/admin/sync-health/?period=7d",
    "/admin/sync-health/?period=30d",
    "/admin/btec_sync/recordtomend/",
    "/admin/btec_sync/recordtomend/?kind=INVALID",
    "/admin/btec_sync/recordtomend/?module=payments&age=0",
    "/admin/btec_sync/recordtomend/?code=out_of_range",
    "/admin/btec_sync/recordtomend/?q=5876876000000000009",
    "/admin/btec_sync/delivery/",
    "/admin/btec_sync/delivery/?state__exact=incomplete",
    "/admin/btec_sync/delivery/{delivery}/change/",
    "/admin/btec_sync/recordresult/",
    "/admin/btec_sync/recordresult/?p=2",
    "/admin/btec_sync/recordresult/?state__exact=INVALID",
    "/admin/btec_sync/recordresult/?q=5876876000000000004",
    "/admin/payments/payment/",
    "/admin/payments/payment/?p={last_page}",
    "/admin/payments/payment/?q=5876876000000000004",
    "/admin/payments/payment/?payment_status=Completed",
    "/admin/payments/payment/{payment}/change/",
    "/admin/reference/student/",
    "/admin/reference/student/?q={name}",
    "/admin/reference/student/{student}/change/",
    "/admin/registrations/registration/",
    "/admin/units/unit/",
    "/admin/grades/grade/",
]


def main(rounds: int, warm_up: int, postmaster: int) -> None:
    from btec_sync.admin_bases import ReadOnlyAdmin
    from btec_sync.admin_paging import BoundedPaginator
    from btec_sync.models import Delivery, Tenant
    from btec_sync.reference.models import Student
    from payments.models import Payment

    payments = Payment.objects.filter(tenant=Tenant.objects.order_by("pk").first())
    values = {
        "delivery": Delivery.objects.order_by("-pk").values_list("pk", flat=True).first(),
        "payment": payments.order_by("pk").values_list("pk", flat=True).first(),
        "student": payments.order_by("pk").values_list("registration__student", flat=True).first(),
        "last_page": -(-min(payments.count(), BoundedPaginator.most_rows) // ReadOnlyAdmin.list_per_page),
        "name": quote_plus(Student.objects.order_by("-pk").values_list("name", flat=True).first()),
    }
    addresses = [address.format(**values) for address in PAGES]

    def processes() -> list[int]:
        return [os.getpid(), *tree(postmaster)]

    people = {"a superuser": superuser(), "staff of one college": staff()}
    costs: dict[tuple[str, str], list[Cost]] = defaultdict(list)
    queries: dict[tuple[str, str], int] = {}
    for number in range(warm_up + rounds):
        for who, client in people.items():
            for page, address in zip(PAGES, addresses, strict=True):
                taken, queries[who, page] = counted(partial(open_page, client, address), processes)
                costs[who, page] += [taken] * (number >= warm_up)
    for (who, page), taken in costs.items():
        print(json.dumps([who, page, queries[who, page], taken]))  # noqa: T201


def open_page(client, address: str) -> None:
    response = client.get(address)
    # The admin's way to say that an address's filter is unknown is a redirect.
    if response.status_code != 200:
        raise SystemExit(f"{address}: {response.status_code}. Mend benchmarks/pages.py.")
    response.getvalue()


def counted(call: Callable[[], None], processes: Callable[[], list[int]]) -> tuple[Cost, int]:
    """What it takes, and how many statements it executes."""
    from django.db import connection

    number = 0

    def count(execute, *arguments):
        nonlocal number
        number += 1
        return execute(*arguments)

    with connection.execute_wrapper(count):
        taken = cost(call, processes)
    return taken, number


def superuser():
    from django.contrib.auth.models import User

    return _logged_in(User.objects.create_superuser("root"))


def staff():
    """Somebody of the first college, who may look at everything of it."""
    from django.contrib.auth.models import Permission, User

    from btec_sync.models import Tenant

    user = User.objects.create_user("registrar", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    Tenant.objects.order_by("pk").first().members.add(user)
    return _logged_in(user)


def _logged_in(user):
    from django.test import Client

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    return client


if __name__ == "__main__":
    django.setup()
    # Production's storage reads the manifest that collectstatic leaves.
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    main(*map(int, sys.argv[1:]))
