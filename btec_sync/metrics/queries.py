"""What /metrics asks the database: six queries, however many tenants there are."""

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db.models import Count, Min, Sum

from btec_sync import figures
from btec_sync.mending import PARKED, to_mend
from btec_sync.models import Delivery, RecordResult, State, Tenant


@dataclass(slots=True)
class Arrived:
    """The deliveries of one tenant and module that are in one state, and what became of their records."""

    tenant: str
    module: str
    state: str
    deliveries: int
    records: dict[str, int]


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
        .annotate(deliveries=Count("*"), **sums)
    )
    for tenant, module, state, deliveries, *counts in rows:
        records = dict(zip(sums, counts, strict=True))
        yield Arrived(tenants[tenant], module, state, deliveries, records)


def newest(tenants: dict[int, str], scope: figures.Scope) -> dict[tuple[str, str], datetime.datetime]:
    """When the last delivery of each tenant to each module was received, whenever that was; no imports."""
    found = figures.last_deliveries(scope)
    return {(tenants[pk], module): received for (pk, module), received in found.items()}


def recent(tenants: dict[int, str], scope: figures.Scope) -> list[Arrived]:
    """What was received since then, by module and state. Parked records are PARKED, not INVALID."""
    traffic = figures.traffic(scope, [scope.since])
    waiting = _waiting(replace(scope, first=min((row.first for row in traffic), default=figures.NO_DELIVERY)))
    found = []
    for row in traffic:
        records = {state.value: count for state, count in row.records.items()}
        # What came between the two queries may be parked, and not counted yet.
        parked = min(waiting[row.tenant, row.module, row.state], records[State.INVALID])
        records |= {State.INVALID.value: records[State.INVALID] - parked, PARKED: parked}
        found.append(Arrived(tenants[row.tenant], row.module, row.state, row.deliveries, records))
    return found


def _waiting(scope: figures.Scope) -> Counter[tuple[int, str, str]]:
    """How many records wait for a parent, of the deliveries received since then, by tenant, module and state.

    Also those that came again since: each is INVALID in the counts of its own delivery.
    """
    rows = (
        RecordResult.objects.filter(**scope.of(), current=True)
        .exclude(waits_for_id="")
        .filter(delivery__gte=scope.first, delivery__received_at__gte=scope.since)
        .order_by()
        .values_list("tenant", "module", "delivery__state")
        .annotate(records=Count("*"))
    )
    return Counter({(tenant, module, state): records for tenant, module, state, records in rows})


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
