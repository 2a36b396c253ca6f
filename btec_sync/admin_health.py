"""The admin's page on the sync's health, and its summary on the front page."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from . import admin_pages as pages
from .admin_filters import ACTIVE
from .admin_summary import summary
from .admin_visible import may_see_deliveries, visible_tenants
from .figures import PERIODS, Traffic
from .health_scope import HealthScope
from .models import Delivery, State, Tenant
from .services import services

# How far the front page looks back: over a weekend.
SUMMARY_PERIOD = "7d"
PAGE = "sync_health"
# As the chart stacks them: what is in below, what is not above.
STACKED = [State.UNCHANGED, State.NEW, State.UPDATED, State.INVALID, State.ERROR]


def front_page(request: HttpRequest) -> dict[str, Any] | None:
    """The summary for the admin's front page; None for whom it is not for."""
    if not may_see_deliveries(request):
        return None
    visible = list(visible_tenants(request))
    scope = _scope(visible)
    return {**_in_short(request, scope, visible), "url": reverse(PAGE)}


def sync_health(request: HttpRequest) -> HttpResponse:
    """Per tenant and module: what came in, what is stuck, and why; over a period that a link chooses."""
    if not may_see_deliveries(request):
        raise PermissionDenied
    visible = list(visible_tenants(request))
    chosen = {
        "period": _choice(request, "period", PERIODS) or SUMMARY_PERIOD,
        "tenant": _choice(request, "tenant", [tenant.slug for tenant in visible]),
        "module": _choice(request, "module", services()),
    }
    scope = _scope(visible, **chosen)
    context = {
        **admin.site.each_context(request),
        "title": "Sync health",
        **_in_short(request, scope, visible),
        "since": scope.begins[0],
        "choices": _choices(chosen, visible),
        "several": len(scope.tenants) > 1,
        "states": State.values,
        "delivery_states": Delivery.State.values,
        "chart": _chart(scope),
        "steps": _steps(scope),
        "modules": _modules(scope),
        "parked": _parked(scope),
        "errors": _errors(scope),
    }
    return TemplateResponse(request, "btec_sync/health.html", context)


def _scope(
    visible: Sequence[Tenant], period: str = SUMMARY_PERIOD, tenant: str = "", module: str = ""
) -> HealthScope:
    """Of the tenant that was chosen, or of all that are active: nothing can come for the others any more."""
    counted = [one for one in visible if (one.slug == tenant if tenant else one.active)]
    some = not tenant and len(counted) < len(visible)
    return HealthScope(counted, PERIODS[period], ACTIVE if some else tenant, module)


def _in_short(request: HttpRequest, scope: HealthScope, visible: Sequence[Tenant]) -> dict[str, Any]:
    """What summary.html shows."""
    return {
        "summary": summary(scope),
        "period": scope.period,
        "not_counted": _not_counted(scope, visible),
        "in_no_tenant": not visible and not request.user.is_superuser,
    }


def _not_counted(scope: HealthScope, visible: Sequence[Tenant]) -> SafeString:
    """The tenants that are left out as they are not active, each leading to its own figures."""
    left_out = [tenant.slug for tenant in visible if scope.tenant == ACTIVE and not tenant.active]
    return pages.joined(
        pages.link(slug, f"{reverse(PAGE)}?{urlencode({'tenant': slug})}") for slug in left_out
    )


def _choice(request: HttpRequest, name: str, allowed: Iterable[str]) -> str:
    """What the address asks for, if there is such a thing."""
    value = request.GET.get(name, "")
    return value if value in allowed else ""


def _choices(chosen: dict[str, str], tenants: Sequence[Tenant]) -> list[dict[str, Any]]:
    """What can be looked at instead, as links: (title, address, whether it is chosen)."""
    options = {
        "period": {name: f"last {period.title}" for name, period in PERIODS.items()},
        "module": {"": "all modules", **{module: module for module in services()}},
        "tenant": {
            "": "all tenants" if all(tenant.active for tenant in tenants) else "all that are active",
            **{tenant.slug: tenant.slug for tenant in tenants},
        },
    }
    return [
        {
            "name": name,
            "links": [
                (title, f"?{urlencode({**chosen, name: value})}", value == chosen[name])
                for value, title in values.items()
            ],
        }
        for name, values in options.items()
        if name != "tenant" or len(tenants) > 1
    ]


# --- Records over time -------------------------------------------------------------------------------


def _by_step(scope: HealthScope) -> dict[datetime, Counter[State]]:
    counts: dict[datetime, Counter[State]] = {begins: Counter() for begins in scope.begins}
    for row in scope.traffic:
        counts[row.begins].update(row.records)
    return counts


def _title(scope: HealthScope, begins: datetime, *, short: bool = False) -> str:
    """When a step begins, in local time."""
    begins = timezone.localtime(begins)
    if scope.period.step == "hour":
        return f"{begins:%H:%M}" if short else f"{begins:%Y-%m-%d %H:%M}"
    return f"{begins:%a %d %b}" if short else f"{begins:%a %Y-%m-%d}"


def _chart(scope: HealthScope) -> dict[str, Any]:
    """What health.js draws."""
    counts = _by_step(scope)
    return {
        "labels": [_title(scope, begins, short=True) for begins in counts],
        "datasets": [
            {"label": state, "data": [of_step[state] for of_step in counts.values()]} for state in STACKED
        ],
    }


def _steps(scope: HealthScope) -> list[tuple[str, list]]:
    """The chart in figures, the newest step first; without those in which nothing came."""
    counts = _by_step(scope)
    rows = []
    ends: dict[str, str] = {}
    for begins in reversed(counts):
        of_step = counts[begins]
        if any(of_step.values()):
            cells = [pages.figure(of_step[state], scope.records(state, begins, **ends)) for state in State]
            rows.append((_title(scope, begins), cells))
        ends = {"before": begins.isoformat()}
    return rows


# --- Tables ------------------------------------------------------------------------------------------


def _modules(scope: HealthScope) -> list[dict[str, Any]]:
    """A row for each tenant and module, with what came and when something came last."""
    traffic: dict[tuple[int, str], list[Traffic]] = defaultdict(list)
    for row in scope.traffic:
        traffic[row.tenant, row.module].append(row)
    # Of many tenants only those that ever sent anything to it.
    places = scope.last if len(scope.tenants) > 1 else [(pk, m) for pk in scope.slugs for m in scope.modules]
    return [
        _module(scope, scope.slugs[tenant], module, scope.last.get((tenant, module)), traffic[tenant, module])
        for tenant, module in places
    ]


def _module(
    scope: HealthScope, tenant: str, module: str, last: datetime | None, traffic: list[Traffic]
) -> dict[str, Any]:
    records: Counter[str] = Counter()
    deliveries: Counter[str] = Counter()
    for row in traffic:
        records.update(row.records)
        deliveries[row.state] += row.deliveries
    of = {"tenant": tenant, "module": module}
    since = scope.begins[0]
    return {
        "tenant": tenant,
        "module": module,
        "last": pages.link(pages.ago(last), scope.deliveries(**of)) if last else "never",
        "silent": not last or last < timezone.now() - scope.period.length,
        "records": [pages.figure(records[state], scope.records(state, since, **of)) for state in State],
        "deliveries": [
            pages.figure(
                deliveries[state], scope.deliveries(state__exact=state, since=since.isoformat(), **of)
            )
            for state in Delivery.State
        ],
    }


def _parked(scope: HealthScope) -> list[dict[str, Any]]:
    return [
        {
            "tenant": scope.slugs[one.tenant],
            "module": one.module,
            "waits_for": pages.link(_number_of(one.waits_for, one.parents), scope.waiting(one, parents=1)),
            "records": pages.figure(one.records, scope.waiting(one)),
            "since": pages.link(pages.ago(one.since), pages.url(Delivery, "change", one.first)),
        }
        for one in scope.parked
    ]


def _number_of(module: str, count: int) -> str:
    names = services()[module].model._meta
    return f"{count:,} {names.verbose_name if count == 1 else names.verbose_name_plural}"


def _errors(scope: HealthScope) -> list[dict[str, Any]]:
    return [
        {
            "tenant": scope.slugs[error.tenant],
            "module": error.module,
            "title": pages.error_title(error.field, error.code),
            "records": pages.figure(error.records, scope.error(error)),
            "since": pages.link(pages.ago(error.since), pages.url(Delivery, "change", error.first)),
        }
        for error in scope.errors
    ]
