"""manage.py load_demo: the demo data of btec_sync/demo/, by the way that Zoho's requests take."""

import hashlib
import os
import secrets
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet, Sum

from btec_sync import deliveries, demo, problems
from btec_sync.groups import OPERATOR, REGISTRAR
from btec_sync.logs import quiet
from btec_sync.models import Delivery, RecordResult, State, Tenant

TENANT = "default"
#: Whom it lets in: who sees and may do everything, and a member of the tenant for each group.
SUPERUSER = "admin"
STAFF = {"registrar": REGISTRAR, "operator": OPERATOR}


class Command(BaseCommand):
    help = (
        "Loads the demo data, a small college's year, into the tenant `default`. Run again, it sends what "
        "is not there yet and nothing else. With DJANGO_DEBUG on it also makes the superuser `admin`, and "
        "`registrar` and `operator` in the groups of these names, each where there is none of that name: "
        "with the password in BTEC_DEMO_PASSWORD, else with a random one that it prints once. With "
        "DJANGO_DEBUG off it makes no user (manage.py createsuperuser does). It refuses a tenant that holds "
        "deliveries and none of the demo data's."
    )

    def handle(self, **options):
        tenant, _ = Tenant.objects.get_or_create(slug=TENANT, defaults={"name": "Demo College"})
        requests = {
            deliveries.digest_of(tenant, request.module, request.body): request for request in demo.requests()
        }
        ours = Delivery.objects.filter(tenant=tenant, digest__in=list(requests))
        if Delivery.objects.filter(tenant=tenant).exists() and not ours.exists():
            raise CommandError(
                f"Tenant {TENANT} holds deliveries of its own, and the demo data would mix with them.",
                returncode=2,
            )
        with quiet():
            sent = send(tenant, requests, ours)
        self.report(sent, ours, len(requests))
        self.make_users(tenant)

    def report(self, sent: int, ours: QuerySet[Delivery], total: int) -> None:
        if not sent:
            self.stdout.write(f"The demo data is there already: {total} deliveries of tenant {TENANT}.")
            return
        counts = ours.aggregate(**{state: Sum(state.lower()) for state in State.values})
        records = ", ".join(f"{n:,} {state}" for state, n in counts.items() if n)
        parked = RecordResult.objects.filter(delivery__in=ours, current=True).exclude(waits_for_id="").count()
        rejected = ours.filter(state=Delivery.State.REJECTED).count()
        self.stdout.write(
            f"Demo data: {sent} of {total} deliveries sent to tenant {TENANT}, {rejected} rejected."
        )
        self.stdout.write(f"Records: {records} ({parked} of the INVALID are parked).")

    def make_users(self, tenant: Tenant) -> None:
        users = get_user_model().objects
        if not settings.DEBUG:
            if not users.filter(is_superuser=True).exists():
                self.stdout.write("No user was made, as DJANGO_DEBUG is off. Next: manage.py createsuperuser")
            return
        chosen = os.environ.get("BTEC_DEMO_PASSWORD", "")  # the settings have read .env into it
        password = chosen or secrets.token_urlsafe(12)
        made = list(missing_users(tenant, password))
        if made:
            told = "the password in BTEC_DEMO_PASSWORD" if chosen else f"password {password}, shown only now"
            self.stdout.write(f"{'Users' if made[1:] else 'User'} {', '.join(made)} created, with {told}.")


def missing_users(tenant: Tenant, password: str) -> Iterator[str]:
    """Makes those that are not there, and names them."""
    users = get_user_model().objects
    there = set(users.filter(username__in=[SUPERUSER, *STAFF]).values_list("username", flat=True))
    if SUPERUSER not in there:
        users.create_superuser(SUPERUSER, password=password)
        yield SUPERUSER
    for name, group in STAFF.items():
        if name not in there:
            user = users.create_user(name, password=password, is_staff=True)
            user.groups.set(Group.objects.filter(name=group))
            tenant.members.add(user)
            yield name


def send(tenant: Tenant, requests: dict[str, demo.Request], ours: QuerySet[Delivery]) -> int:
    """Delivers what is missing, finishes what an interrupted run left behind, and answers how many."""
    sent = 0
    states = dict(ours.order_by("-pk").values_list("digest", "state"))
    for key, request in requests.items():
        if key not in states:
            delivery = deliveries.receive(tenant, request.module, request.body, headers(request))
        elif states[key] in (Delivery.State.RECEIVED, Delivery.State.FAILED):
            delivery = ours.filter(digest=key).earliest("pk")
        else:
            continue
        process(delivery)
        sent += 1
    return sent


def headers(request: demo.Request) -> dict[str, str]:
    sent = {"Content-Type": "application/json", "X-Tenant-ID": TENANT, "User-Agent": "load_demo"}
    if request.module == "grades":
        sent["Idempotency-Key"] = f"grades-{hashlib.sha256(request.body).hexdigest()[:16]}"
    return sent


def process(delivery: Delivery) -> None:
    try:
        deliveries.process(delivery)
    except problems.Problem as problem:
        if not problem.rejects:
            raise CommandError(
                f"Delivery {delivery.uid}: {problem.text} The same command goes on from here."
            ) from problem
