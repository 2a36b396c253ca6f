"""Is everything in? What is stuck, why, and whose it is to mend: the admin's first answer."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from . import admin_pages as pages
from . import figures
from .figures import FrequentError, Parked
from .health_scope import HealthScope
from .mending import PARKED
from .models import Delivery, State

# How many tenants, parents or errors a sentence names.
MOST_NAMED = 5


@dataclass(frozen=True)
class Line:
    """How many are stuck, leading to them, and why."""

    text: SafeString
    why: SafeString | str


@dataclass(frozen=True)
class Summary:
    """What is stuck is ours to mend, or waits; what was refused is the sender's to mend."""

    last: SafeString | str
    stuck: list[Line]
    refused: list[Line]

    @property
    def verdict(self) -> str:
        if not self.last:
            return "empty"
        return "stuck" if self.stuck else "refused" if self.refused else "good"


def summary(scope: HealthScope) -> Summary:
    """What is stuck since whenever, and what was refused in the period."""
    newest = max(((received, module) for (_, module), received in scope.last.items()), default=None)
    last = format_html("{} ({})", pages.ago(newest[0]), newest[1]) if newest else ""
    return Summary(last, list(_stuck(scope)), list(_refused(scope)))


def _stuck(scope: HealthScope) -> Iterator[Line]:
    states = Delivery.State
    before = timezone.now() - figures.UNPROCESSED_AFTER
    unfinished = figures.unfinished(scope.counted, before)
    yield from _line(
        scope,
        unfinished[states.FAILED],
        ("delivery failed", "deliveries failed"),
        lambda **of: scope.deliveries(state__exact=states.FAILED, **of),
        "Processing crashed; each keeps its traceback. Mend the fault, then replay.",
    )
    yield from _line(
        scope,
        unfinished[states.RECEIVED],
        ("delivery is not processed", "deliveries are not processed"),
        lambda **of: scope.deliveries(state__exact=states.RECEIVED, before=before.isoformat(), **of),
        "Stored, and then left alone for some minutes. Replay.",
    )
    yield from _line(
        scope,
        scope.not_stored[State.ERROR],
        ("record is an ERROR", "records are an ERROR"),
        lambda **of: scope.to_mend(kind=State.ERROR, **of),
        "Refused by our database, which says why on the delivery. Mend that, then replay.",
    )
    yield from _line(
        scope,
        _records_by_tenant(scope.parked),
        ("record waits for its parent", "records wait for their parents"),
        lambda **of: scope.to_mend(kind=PARKED, **of),
        pages.joined([_waits(scope, one) for one in scope.parked[:MOST_NAMED]]),
    )


def _waits(scope: HealthScope, parked: Parked) -> SafeString:
    return format_html(
        "{}{} {} for {}, the oldest received {}",
        _whose(scope, parked.tenant),
        parked.module,
        pages.link(format_html("&times;{}", f"{parked.records:,}"), scope.waiting(parked)),
        parked.waits_for,
        pages.ago(parked.since),
    )


def _whose(scope: HealthScope, tenant: int) -> str:
    """Names the tenant where several are looked at."""
    return f"{scope.slugs[tenant]}: " if len(scope.tenants) > 1 else ""


def _refused(scope: HealthScope) -> Iterator[Line]:
    since = scope.begins[0].isoformat()
    yield from _line(
        scope,
        scope.not_stored[State.INVALID],
        ("record was refused", "records were refused"),
        lambda **of: scope.results(state__exact=State.INVALID, current=1, parked="no", since=since, **of),
        pages.joined([_error(scope, one) for one in scope.errors[:MOST_NAMED]]),
    )
    rejected: Counter[int] = Counter()
    for row in scope.traffic:
        if row.state == Delivery.State.REJECTED:
            rejected[row.tenant] += row.deliveries
    yield from _line(
        scope,
        rejected,
        ("delivery was rejected", "deliveries were rejected"),
        lambda **of: scope.deliveries(state__exact=Delivery.State.REJECTED, since=since, **of),
        "Each was refused as a whole; its page says why.",
    )


def _error(scope: HealthScope, error: FrequentError) -> SafeString:
    title = pages.error_title(error.field, error.code)
    times = pages.link(format_html("&times;{}", f"{error.records:,}"), scope.error(error))
    whose = _whose(scope, error.tenant)
    return format_html("{}{} {} {} since {}", whose, error.module, title, times, pages.day(error.since))


def _line(
    scope: HealthScope,
    by_tenant: Mapping[int, int],
    names: tuple[str, str],
    url: Callable[..., str],
    why: Any,
) -> Iterator[Line]:
    """The line, if there is anything to say; where several tenants are looked at, how many are whose."""
    total = sum(by_tenant.values())
    if not total:
        return
    text = pages.link(f"{total:,} {names[total > 1]}", url())
    if len(scope.tenants) > 1:
        most = Counter(by_tenant).most_common(MOST_NAMED)
        whose = [pages.link(f"{scope.slugs[pk]} {n:,}", url(tenant=scope.slugs[pk])) for pk, n in most]
        if len(by_tenant) > len(most):
            whose.append(f"and {len(by_tenant) - len(most):,} more")
        text = format_html("{} ({})", text, pages.joined(whose))
    yield Line(text, why)


def _records_by_tenant(parked: list[Parked]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for one in parked:
        counts[one.tenant] += one.records
    return counts
