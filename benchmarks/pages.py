"""The admin's pages as a person of one college and a superuser see them: queries and seconds of each.

A program of its own, as it runs with the service's settings: python -m benchmarks.pages ROUNDS. Prints a
line of JSON for each page: [who, address, queries, [seconds, …]].
"""

import json
import sys
import time
from collections.abc import Callable

import django
from django.conf import settings

PER_PAGE = 100
#: A page is added by a line here. {delivery} is the newest delivery's number, {payment} a payment's,
#: {last_page} the last of the payments of one college.
PAGES = [
    "/admin/",
    "/admin/btec_sync/delivery/",
    "/admin/btec_sync/delivery/?state__exact=incomplete",
    "/admin/btec_sync/delivery/{delivery}/change/",
    "/admin/btec_sync/recordresult/",
    "/admin/btec_sync/recordresult/?p=2",
    "/admin/btec_sync/recordresult/?state__exact=INVALID",
    "/admin/btec_sync/recordresult/?q=5876876000000001234",
    "/admin/payments/payment/",
    "/admin/payments/payment/?p={last_page}",
    "/admin/payments/payment/?q=5876876000000001234",
    "/admin/payments/payment/?payment_status=Completed",
    "/admin/payments/payment/{payment}/change/",
    "/admin/reference/student/",
    "/admin/reference/student/?q=Student+777",
    "/admin/registrations/registration/",
    "/admin/units/unit/",
    "/admin/grades/grade/",
]


def main(rounds: int) -> None:
    from btec_sync.models import Delivery, Tenant
    from payments.models import Payment

    payments = Payment.objects.filter(tenant=Tenant.objects.order_by("pk").first())
    numbers = {
        "delivery": Delivery.objects.order_by("-pk").values_list("pk", flat=True).first(),
        "payment": payments.order_by("pk").values_list("pk", flat=True).first(),
        "last_page": -(-payments.count() // PER_PAGE),
    }
    addresses = [address.format(**numbers) for address in PAGES]
    people = {"a superuser": superuser(), "staff of one college": staff()}
    times: dict[tuple[str, str], list[float]] = {}
    queries: dict[tuple[str, str], int] = {}
    for number in range(rounds + 1):
        for who, client in people.items():
            for address in addresses:
                began = time.perf_counter()
                queries[who, address] = counted(lambda: open_page(client, address))  # noqa: B023
                if number:
                    times.setdefault((who, address), []).append(time.perf_counter() - began)
    for (who, address), taken in times.items():
        print(json.dumps([who, PAGES[addresses.index(address)], queries[who, address], taken]))  # noqa: T201


def open_page(client, address: str) -> None:
    response = client.get(address)
    # The admin's way to say that an address's filter is unknown is a redirect.
    if response.status_code != 200:
        raise SystemExit(f"{address}: {response.status_code}. Mend benchmarks/pages.py.")
    response.getvalue()


def counted(call: Callable[[], None]) -> int:
    """How many statements it executes."""
    from django.db import connection

    number = 0

    def count(execute, *arguments):
        nonlocal number
        number += 1
        return execute(*arguments)

    with connection.execute_wrapper(count):
        call()
    return number


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
    main(int(sys.argv[1]))
