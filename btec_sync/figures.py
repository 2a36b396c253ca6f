"""How the sync is: what came in, what is stuck, and why. Counted in the deliveries and results themselves,
so a figure cannot differ from them; indexes hold all that is counted (docs/adr/0013-figures-from-indexes.md).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Min, OuterRef, QuerySet, Subquery, Sum, Value
from django.utils import timezone

from .mending import to_mend
from .models import Delivery, RecordResult, State, Tenant

# Younger ones are under way, or wait for their turn.
UNPROCESSED_AFTER = timedelta(minutes=5)
MOST_ERRORS = 10


@dataclass(frozen=True)
class Period:
    """A stretch of time up to now, in steps: local days, or hours of UTC, as a local hour may come twice."""

    title: str
    step: str
    steps: int

    def begins(self) -> list[datetime]:
        """When each of its steps begins."""
        back = reversed(range(self.steps))
        if self.step == "hour":
            hour = timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            return [hour - timedelta(hours=n) for n in back]
        today = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        return [timezone.make_aware(today - timedelta(days=n)) for n in back]


PERIODS = {
    "24h": Period("24 hours", "hour", 24),
    "7d": Period("7 days", "day", 7),
    "30d": Period("30 days", "day", 30),
}


@dataclass(frozen=True)
class Scope:
    """What is counted: deliveries to these modules, of the tenants of these numbers, received since then.

    None of these has a lower number than `first`: said by traffic(), it spares looking at older results.
    """

    tenants: Sequence[int]
    modules: Sequence[str]
    since: datetime
    first: int = 0

    def of(self) -> dict[str, Sequence]:
        """The filter for deliveries and for results, whenever they came."""
        return {"tenant__in": self.tenants, "module__in": self.modules}


@dataclass(frozen=True)
class Traffic:
    """One tenant's deliveries to one module in one step of time that are in one state, and their records."""

    begins: datetime
    tenant: int
    module: str
    state: str
    first: int
    deliveries: int
    records: dict[State, int]


@dataclass(frozen=True)
class Parked:
    """Records of one module that wait for parents of another; since is when the oldest was received."""

    tenant: int
    module: str
    waits_for: str
    records: int
    parents: int
    first: int
    since: datetime | None = None


@dataclass(frozen=True)
class FrequentError:
    """An error that records have in common; since is when the first of them was received."""

    tenant: int
    module: str
    field: str
    code: str
    records: int
    first: int
    since: datetime | None = None


def traffic(scope: Scope, begins: Sequence[datetime]) -> list[Traffic]:
    """What came in, by steps of time that begin then. A delivery counts as its last attempt left it.

    A query for each step, in one: PostgreSQL would think every moment a step of its own, and sort them all.
    """
    ends = [*begins[1:], None]
    queries = [_step(scope, n, *step) for n, step in enumerate(zip(begins, ends, strict=True))]
    rows = queries[0].union(*queries[1:], all=True)
    return [Traffic(begins[step], *row[:5], dict(zip(State, row[5:], strict=True))) for step, *row in rows]


def _step(scope: Scope, number: int, begins: datetime, ends: datetime | None) -> QuerySet:
    deliveries = Delivery.objects.filter(**scope.of(), received_at__gte=begins).order_by()
    if ends:
        deliveries = deliveries.filter(received_at__lt=ends)
    return (
        deliveries.annotate(step=Value(number))
        .values_list("step", "tenant", "module", "state")
        .annotate(first=Min("pk"), deliveries=Count("*"), **{state: Sum(state.lower()) for state in State})
    )


def last_deliveries(scope: Scope) -> dict[tuple[int, str], datetime]:
    """When each tenant's newest delivery to each module was received."""
    newest = {
        f"last_{module}": Subquery(
            Delivery.objects.filter(tenant=OuterRef("pk"), module=module)
            .order_by("-received_at")
            .values("received_at")[:1]
        )
        for module in scope.modules
    }
    tenants = Tenant.objects.filter(pk__in=scope.tenants).annotate(**newest)
    return {
        (row["pk"], module): row[f"last_{module}"]
        for row in tenants.values("pk", *newest)
        for module in scope.modules
        if row[f"last_{module}"]
    }


def unfinished(scope: Scope, before: datetime) -> dict[str, dict[int, int]]:
    """By state, how many deliveries of each tenant crashed, or were stored before then and left alone."""
    states = [Delivery.State.FAILED, Delivery.State.RECEIVED]
    rows = (
        Delivery.objects.filter(**scope.of(), state__in=states)
        .exclude(state=Delivery.State.RECEIVED, received_at__gte=before)
        .order_by()
        .values_list("state", "tenant")
        .annotate(count=Count("*"))
    )
    return _nested(rows)


def not_stored(scope: Scope) -> dict[str, dict[int, int]]:
    """By state, how many records of each tenant were refused: INVALID since then, ERROR whenever it came and
    still to mend.

    Without those that are parked.
    """
    results = RecordResult.objects.filter(**scope.of())
    errors = to_mend(results.filter(state=State.ERROR))
    # The states are those of the index recordresult_refused, which has to be recognised.
    refused = results.filter(current=True, state__in=["INVALID", "ERROR"], waits_for_id="")
    invalid = refused.filter(
        state=State.INVALID, delivery__gte=scope.first, delivery__received_at__gte=scope.since
    )
    counts = [
        rows.order_by().values_list("state", "tenant").annotate(count=Count("*"))
        for rows in (errors, invalid)
    ]
    return _nested([row for rows in counts for row in rows])


def _nested(rows: Iterable[tuple[str, int, int]]) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for outer, inner, count in rows:
        found[outer][inner] = count
    return found


def parked(scope: Scope) -> list[Parked]:
    """What waits for a parent now and is still to mend, the most first."""
    rows = (
        to_mend(RecordResult.objects.filter(**scope.of()).exclude(waits_for_id=""))
        .order_by()
        .values_list("tenant", "module", "waits_for_module")
        .annotate(records=Count("*"), parents=Count("waits_for_id", distinct=True), first=Min("delivery"))
    )
    return _dated(sorted((Parked(*row) for row in rows), key=lambda found: -found.records))


# How each database unfolds a list of errors, and takes a name out of one.
UNFOLD = {
    "postgresql": ("jsonb_array_elements(result.errors)", "error.value ->> '{}'"),
    "sqlite": ("json_each(result.errors)", "json_extract(error.value, '$.{}')"),
}


def frequent_errors(scope: Scope) -> list[FrequentError]:
    """What most records of a tenant were refused for since then. Without those that are parked."""
    if not scope.tenants:
        return []
    errors, name = UNFOLD[connection.vendor]
    tenants, modules = (", ".join(["%s"] * len(values)) for values in (scope.tenants, scope.modules))
    since = connection.ops.adapt_datetimefield_value(scope.since)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT result.tenant_id, result.module, {name.format("field")}, {name.format("code")},
                count(*), min(delivery.id)
            FROM btec_sync_recordresult AS result
            JOIN btec_sync_delivery AS delivery ON delivery.id = result.delivery_id
            CROSS JOIN {errors} AS error
            WHERE result.tenant_id IN ({tenants}) AND delivery.tenant_id IN ({tenants})
              AND result.module IN ({modules}) AND delivery.module IN ({modules})
              AND result.current AND result.state IN ('INVALID', 'ERROR') AND result.waits_for_id = ''
              AND result.state = 'INVALID' AND result.delivery_id >= %s AND delivery.received_at >= %s
            GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT {MOST_ERRORS}
            """,
            [*scope.tenants, *scope.tenants, *scope.modules, *scope.modules, scope.first, since],
        )
        return _dated([FrequentError(*row) for row in cursor.fetchall()])


def _dated(found: list[Any]) -> list[Any]:
    """With the time at which the first delivery of each was received."""
    deliveries = Delivery.objects.filter(pk__in={one.first for one in found})
    received = dict(deliveries.values_list("pk", "received_at"))
    return [replace(one, since=received.get(one.first)) for one in found]
