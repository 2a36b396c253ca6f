"""How the sync is: what came in, what is stuck, and why. Counted in the deliveries and results themselves,
so a figure cannot differ from them; indexes hold all that is counted (docs/adr/0013-figures-from-indexes.md).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.utils import timezone

from . import faults
from .imports import HEADERS
from .mending import to_mend
from .models import Delivery, RecordResult, State, Tenant

# Younger ones are under way, or wait for their turn.
UNPROCESSED_AFTER = timedelta(minutes=5)
MOST_ERRORS = 10
#: A number that no delivery reaches: where nothing came, no results are looked at.
NO_DELIVERY = 2**63 - 1


@dataclass(frozen=True)
class Period:
    """A stretch of time up to now, in steps: local days, or hours of UTC, as a local hour may come twice."""

    title: str
    step: str
    steps: int

    @property
    def length(self) -> timedelta:
        return timedelta(**{f"{self.step}s": self.steps})

    def begins(self) -> list[datetime]:
        """When each of its steps begins: one more than it has, as the one of now is not over yet."""
        back = reversed(range(self.steps + 1))
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


# What an operator reads in from a file says nothing of whether Zoho still sends. A header that is missing
# is equal to nothing and different from nothing, so it is asked for by itself.
PROGRAM = "headers__User-Agent"
SENT = Q((f"{PROGRAM}__isnull", True)) | ~Q((PROGRAM, HEADERS["User-Agent"]))


def last_deliveries(scope: Scope) -> dict[tuple[int, str], datetime]:
    """When each tenant's newest delivery to each module was received, whenever that was; no imports."""
    newest = {
        f"last_{module}": Subquery(
            Delivery.objects.filter(SENT, tenant=OuterRef("pk"), module=module)
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


#: Tenant, module, the text of the errors, how many records have it, their first delivery's number.
Alike = tuple[int, str, str, int, int]


def invalid(scope: Scope) -> list[Alike]:
    """What is INVALID since then and not parked, alike in what is wrong."""
    found = _refused(scope).filter(
        state=State.INVALID, delivery__gte=scope.first, delivery__received_at__gte=scope.since
    )
    rows = found.order_by().values_list("tenant", "module", "faults")
    return list(rows.annotate(records=Count("*"), first=Min("delivery")))


def invalid_records(alike: Iterable[Alike]) -> dict[int, int]:
    """How many of these records each tenant has."""
    counts: Counter[int] = Counter()
    for tenant, _, _, records, _ in alike:
        counts[tenant] += records
    return counts


def errors(scope: Scope) -> dict[int, int]:
    """How many records of each tenant are an ERROR that is still to mend, whenever it came."""
    rows = to_mend(_refused(scope).filter(state=State.ERROR)).order_by().values_list("tenant")
    return dict(rows.annotate(count=Count("*")))


def _refused(scope: Scope) -> QuerySet[RecordResult]:
    """What is INVALID or an ERROR and not parked, whenever that was."""
    # The states are those of the index recordresult_refused, which has to be recognised.
    return RecordResult.objects.filter(
        **scope.of(), current=True, state__in=["INVALID", "ERROR"], waits_for_id=""
    )


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


def frequent_errors(alike: Iterable[Alike]) -> list[FrequentError]:
    """What most of these records of a tenant were refused for.

    By the fields and codes that are kept to filter by, so that each is what its list finds.
    """
    records: Counter[tuple] = Counter()
    firsts: dict[tuple, int] = {}
    for tenant, module, text, count, first in alike:
        for pair in faults.pairs(text):
            place = tenant, module, *pair
            records[place] += count
            firsts[place] = min(first, firsts.get(place, first))
    most = sorted(records, key=lambda place: (-records[place], place))[:MOST_ERRORS]
    return _dated([FrequentError(*place, records[place], firsts[place]) for place in most])


def _dated(found: list[Any]) -> list[Any]:
    """With the time at which the first delivery of each was received."""
    deliveries = Delivery.objects.filter(pk__in={one.first for one in found})
    received = dict(deliveries.values_list("pk", "received_at"))
    return [replace(one, since=received.get(one.first)) for one in found]
