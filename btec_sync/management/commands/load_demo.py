"""manage.py load_demo: the demo data of btec_sync/demo/, by the way that Zoho's requests take."""

import hashlib
import os
import secrets

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet, Sum

from btec_sync import deliveries, demo, problems
from btec_sync.logs import quiet
from btec_sync.models import Delivery, RecordResult, State, Tenant

TENANT = "default"
USER = "admin"


class Command(BaseCommand):
    help = (
        "Loads the demo data, a small college's year, into the tenant `default`. Run again, it sends what "
        "is not there yet and nothing else. With DJANGO_DEBUG on it also makes the superuser `admin` where "
        "there is none of that name: with the password in BTEC_DEMO_PASSWORD, else with a random one that "
        "it prints once. With DJANGO_DEBUG off it makes no user (manage.py createsuperuser does). It "
        "refuses a tenant that holds deliveries and none of the demo data's."
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
        self.make_user()

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

    def make_user(self) -> None:
        users = get_user_model().objects
        if not settings.DEBUG:
            if not users.filter(is_superuser=True).exists():
                self.stdout.write("No user was made, as DJANGO_DEBUG is off. Next: manage.py createsuperuser")
            return
        if users.filter(username=USER).exists():
            return
        chosen = os.environ.get("BTEC_DEMO_PASSWORD", "")  # the settings have read .env into it
        password = chosen or secrets.token_urlsafe(12)
        users.create_superuser(USER, password=password)
        told = "the password in BTEC_DEMO_PASSWORD" if chosen else f"password {password}, shown only now"
        self.stdout.write(f"User {USER} created, with {told}.")


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
