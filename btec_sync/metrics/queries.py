"""What /metrics asks the database: three queries, however many tenants there are."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Sum

from btec_sync.mending import to_mend
from btec_sync.models import Delivery, RecordResult, State, Tenant


@dataclass(slots=True)
class Arrived:
    """The deliveries of one tenant and module that are in one state, and what became of their records."""

    tenant: str
    module: str
    state: str
    deliveries: int
    records: dict[str, int]
    newest: datetime.datetime


@dataclass(slots=True)
class Parked:
    """The parked records of one tenant and module; oldest is when the first of them was delivered."""

    tenant: str
    module: str
    records: int
    oldest: datetime.datetime


def tenants() -> dict[int, str]:
    """The tenants that are active: nothing can come for the others, and nobody has to be woken for them."""
    return dict(Tenant.objects.filter(active=True).values_list("pk", "slug"))


def arrived(tenants: dict[int, str]) -> Iterator[Arrived]:
    """All that is stored of these tenants, by module and state. No body is read for it."""
    sums = {state.value: Sum(state.lower()) for state in State}
    rows = (
        Delivery.objects.filter(tenant__in=list(tenants))
        .order_by()
        .values_list("tenant", "module", "state")
        .annotate(deliveries=Count("*"), **sums, newest=Max("received_at"))
    )
    for tenant, module, state, deliveries, *counts, newest in rows:
        records = dict(zip(sums, counts, strict=True))
        yield Arrived(tenants[tenant], module, state, deliveries, records, newest)


def parked(tenants: dict[int, str]) -> Iterator[Parked]:
    """What waits for a parent now and is still to mend.

    A replay makes a new result, so it is the delivery's age that counts.
    """
    rows = (
        to_mend(RecordResult.objects.filter(tenant__in=list(tenants)).exclude(waits_for_id=""))
        .order_by()
        .values_list("tenant", "module")
        .annotate(records=Count("*"), oldest=Min("delivery__received_at"))
    )
    for tenant, module, records, oldest in rows:
        yield Parked(tenants[tenant], module, records, oldest)
