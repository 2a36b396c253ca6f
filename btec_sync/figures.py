"""How the sync is: what came in, what is stuck, and why. Counted in the deliveries and results themselves,
so a figure cannot differ from them; indexes hold all that is counted (docs/adr/0013-figures-from-indexes.md).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Count, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.utils import timezone

from . import faults
from .imports import HEADERS
from .mending import to_mend
from .models import Delivery, RecordResult, State, Tenant
from .prepared import Prepared

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


def _ask(build: Callable[..., QuerySet], scope: Scope, *times: datetime) -> list[tuple]:
    """The rows of build(scope, *times), which takes the ORM as long to write as the database to answer."""
    if not scope.tenants:
        return []
    query = _prepared(build, tuple(scope.tenants), tuple(scope.modules), len(times))
    return query(scope.since, scope.first, *times)


@lru_cache(maxsize=128)
def _prepared(
    build: Callable[..., QuerySet], tenants: tuple[int, ...], modules: tuple[str, ...], times: int
) -> Prepared:
    """The query for these tenants and modules, of a scope's two borders and so many times."""
    return Prepared(lambda since, first, *times: build(Scope(tenants, modules, since, first), *times))


def traffic(scope: Scope, begins: Sequence[datetime]) -> list[Traffic]:
    """What came in, by steps of time that begin then. A delivery counts as its last attempt left it."""
    rows = _ask(_by_steps, scope, *begins)
    return [Traffic(begins[step], *row[:5], dict(zip(State, row[5:], strict=True))) for step, *row in rows]


def _by_steps(scope: Scope, *begins: datetime) -> QuerySet:
    """A query for each step, in one: PostgreSQL would think each moment a step of its own, and sort them."""
    ends = [*begins[1:], None]
    queries = [_step(scope, n, *step) for n, step in enumerate(zip(begins, ends, strict=True))]
    return queries[0].union(*queries[1:], all=True)


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
    return {
        (tenant, module): received
        for tenant, *newest in _ask(_newest, scope)
        for module, received in zip(scope.modules, newest, strict=True)
        if received
    }


def _newest(scope: Scope) -> QuerySet:
    newest = {
        f"last_{number}": Subquery(
            Delivery.objects.filter(SENT, tenant=OuterRef("pk"), module=module)
            .order_by("-received_at")
            .values("received_at")[:1]
        )
        for number, module in enumerate(scope.modules)
    }
    tenants = Tenant.objects.filter(pk__in=scope.tenants).order_by()
    return tenants.annotate(**newest).values_list("pk", *newest)


def unfinished(scope: Scope, before: datetime) -> dict[str, dict[int, int]]:
    """By state, how many deliveries of each tenant crashed, or were stored before then and left alone."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for state, tenant, count in _ask(_unfinished, scope, before):
        found[state][tenant] = count
    return found


def _unfinished(scope: Scope, before: datetime) -> QuerySet:
    states = [Delivery.State.FAILED, Delivery.State.RECEIVED]
    return (
        Delivery.objects.filter(**scope.of(), state__in=states)
        .exclude(state=Delivery.State.RECEIVED, received_at__gte=before)
        .order_by()
        .values_list("state", "tenant")
        .annotate(count=Count("*"))
    )


#: Tenant, module, the text of the errors, how many records have it, their first delivery's number.
Alike = tuple[int, str, str, int, int]


def invalid(scope: Scope) -> list[Alike]:
    """What is INVALID since then and not parked, alike in what is wrong."""
    return _ask(_invalid, scope)


def _invalid(scope: Scope) -> QuerySet:
    found = _refused(scope).filter(
        state=State.INVALID, delivery__gte=scope.first, delivery__received_at__gte=scope.since
    )
    rows = found.order_by().values_list("tenant", "module", "faults")
    return rows.annotate(records=Count("*"), first=Min("delivery"))


def invalid_records(alike: Iterable[Alike]) -> dict[int, int]:
    """How many of these records each tenant has."""
    counts: Counter[int] = Counter()
    for tenant, _, _, records, _ in alike:
        counts[tenant] += records
    return counts


def errors(scope: Scope) -> dict[int, int]:
    """How many records of each tenant are an ERROR that is still to mend, whenever it came."""
    return dict(_ask(_errors, scope))


def _errors(scope: Scope) -> QuerySet:
    rows = to_mend(_refused(scope).filter(state=State.ERROR)).order_by().values_list("tenant")
    return rows.annotate(count=Count("*"))


def _refused(scope: Scope) -> QuerySet[RecordResult]:
    """What is INVALID or an ERROR and not parked, whenever that was."""
    # The states are those of the index recordresult_refused, which has to be recognised.
    return RecordResult.objects.filter(
        **scope.of(), current=True, state__in=["INVALID", "ERROR"], waits_for_id=""
    )


def parked(scope: Scope) -> list[Parked]:
    """What waits for a parent now and is still to mend, the most first."""
    return _dated(sorted((Parked(*row) for row in _ask(_parked, scope)), key=lambda found: -found.records))


def _parked(scope: Scope) -> QuerySet:
    return (
        to_mend(RecordResult.objects.filter(**scope.of()).exclude(waits_for_id=""))
        .order_by()
        .values_list("tenant", "module", "waits_for_module")
        .annotate(records=Count("*"), parents=Count("waits_for_id", distinct=True), first=Min("delivery"))
    )


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
