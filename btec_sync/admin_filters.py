"""The filters beside the admin's lists. None of them names a value that stands in another's tenant only."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import IncorrectLookupParameters
from django.core.cache import cache
from django.db.models import Field, Min, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from . import faults, mending
from .admin_paging import WorkPaginator
from .faults import pairs
from .models import Delivery, RecordResult, State, Tenant
from .services import services

EMPTY = "(empty)"
# In the place of a tenant's slug, which none can be.
ACTIVE = "(active)"
MOST_VALUES = 50
VALUES_SECONDS = 60


def visible_tenants(request: HttpRequest) -> QuerySet[Tenant]:
    """All of them for superusers; for staff those that they are members of."""
    return Tenant.objects.all() if request.user.is_superuser else Tenant.objects.filter(members=request.user)


def may_see_deliveries(request: HttpRequest) -> bool:
    """Whether figures and timelines are for this user: both tell of deliveries and of results."""
    return request.user.has_perms(["btec_sync.view_delivery", "btec_sync.view_recordresult"])


def visible_numbers(request: HttpRequest) -> list[int]:
    """Their primary keys, asked for once in a request: by a list, PostgreSQL can follow an index's order."""
    if not hasattr(request, "visible_numbers"):
        request.visible_numbers = list(visible_tenants(request).order_by().values_list("pk", flat=True))
    return request.visible_numbers


class TenantFilter(admin.SimpleListFilter):
    """By tenant, for those who see several; or of all that are active."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request, model_admin):
        visible = list(visible_tenants(request))
        some = len(visible) > 1 and not all(tenant.active for tenant in visible)
        active = [(ACTIVE, "All that are active")] if some else []
        return active + [(tenant.slug, str(tenant)) for tenant in visible]

    def has_output(self):
        return len(self.lookup_choices) > 1

    def queryset(self, request, queryset):
        if self.value() == ACTIVE:
            return queryset.filter(tenant__active=True)
        return queryset.filter(tenant__slug=self.value()) if self.value() else queryset


class ModuleFilter(admin.SimpleListFilter):
    """By module; the list is known without asking the table."""

    title = "module"
    parameter_name = "module"

    def lookups(self, request, model_admin):
        return [(module, module) for module in services()]

    def queryset(self, request, queryset):
        return queryset.filter(module=self.value()) if self.value() else queryset


class ResultStateFilter(admin.ChoicesFieldListFilter):
    """The states that results are in: UNCHANGED records have none."""

    def choices(self, changelist):
        offered = super().choices(changelist)
        return [choice for choice in offered if choice["display"] != State.UNCHANGED or choice["selected"]]


class ParkedFilter(admin.SimpleListFilter):
    """Records that wait for a parent now."""

    title = "parked"
    parameter_name = "parked"

    def lookups(self, request, model_admin):
        return [("now", "Parked now"), ("no", "Not parked")]

    def queryset(self, request, queryset):
        if self.value() == "now":
            return queryset.filter(current=True).exclude(waits_for_id="")
        return queryset.exclude(current=True, waits_for_id__gt="") if self.value() == "no" else queryset


class ValuesFilter(admin.AllValuesFieldListFilter):
    """By the texts that a column holds in the visible tenants: the first of them, where they are many.

    They are found by reading all rows, so each process keeps them for a minute.
    """

    def __init__(
        self,
        field: Field,
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Model],
        model_admin: admin.ModelAdmin,
        field_path: str,
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        whose = "all" if request.user.is_superuser else visible_numbers(request)
        self._key = blake2b(repr((str(field), whose)).encode()).hexdigest()

    def choices(self, changelist):
        values = self.lookup_choices[:MOST_VALUES]
        self.lookup_choices = cache.get_or_set(self._key, lambda: list(values), VALUES_SECONDS)
        for choice in super().choices(changelist):
            title = str(choice["display"])
            # The empty text has no name of its own; with counts it is " (3)".
            yield choice | {"display": EMPTY + title if not title or title.startswith(" (") else title}


class ParentFilter(admin.FieldListFilter):
    """By the record that a column points at. A link on that record's page sets it; here it is taken off."""

    def __init__(self, field, request, params, model, model_admin, field_path):
        self.parameter = f"{field_path}__id__exact"
        self.parents = model_admin.admin_site.get_model_admin(field.related_model).get_queryset(request)
        super().__init__(field, request, params, model, model_admin, field_path)

    def expected_parameters(self):
        return [self.parameter]

    def has_output(self):
        return self.parameter in self.used_parameters

    def choices(self, changelist):
        parent = self.parents.filter(pk=self.used_parameters[self.parameter][-1]).first()
        yield {
            "selected": False,
            "query_string": changelist.get_query_string(remove=[self.parameter]),
            "display": "All",
        }
        yield {
            "selected": True,
            "query_string": changelist.get_query_string(),
            "display": str(parent or EMPTY),
        }


class CurrentFilter(admin.SimpleListFilter):
    """What the last attempt made of each record, without what an earlier one had."""

    title = "attempt"
    parameter_name = "current"

    def lookups(self, request, model_admin):
        return [("1", "Last one only")]

    def queryset(self, request, queryset):
        return queryset.filter(current=True) if self.value() == "1" else queryset


class LinkedFilter(admin.SimpleListFilter):
    """One that a link sets, as behind a figure; here it is taken off."""

    def lookups(self, request, model_admin):
        return [(self.value(), self.label(self.value()))] if self.value() else []

    def label(self, value: str) -> str:
        return value

    def queryset(self, request, queryset):
        return self.filtered(queryset, self.value()) if self.value() else queryset


class ReceivedFilter(LinkedFilter):
    """By when a delivery, or a result's delivery, was received."""

    lookup: str

    def label(self, value):
        return f"{timezone.localtime(moment(value)):%Y-%m-%d %H:%M}"

    def filtered(self, queryset, value):
        path = "received_at" if queryset.model is Delivery else "delivery__received_at"
        return queryset.filter(**{f"{path}__{self.lookup}": moment(value)})


class ReceivedSinceFilter(ReceivedFilter):
    title = "received since"
    parameter_name = "since"
    lookup = "gte"


class ReceivedBeforeFilter(ReceivedFilter):
    title = "received before"
    parameter_name = "before"
    lookup = "lt"


def moment(value: str) -> datetime:
    """A time with its offset, out of an address."""
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise IncorrectLookupParameters(f"{value}: a time without an offset")
    return found


class StateOfRecordsFilter(LinkedFilter):
    """Deliveries with a record of which this became."""

    title = "with records that are"
    parameter_name = "records"

    def filtered(self, queryset, value):
        return queryset.filter(**{f"{State(value).lower()}__gt": 0})


class WaitsForFilter(LinkedFilter):
    """Results by the module of the parent that they wait for."""

    title = "waiting for"
    parameter_name = "waits_for"

    def filtered(self, queryset, value):
        return queryset.filter(waits_for_module=value)


class OneOfParentFilter(LinkedFilter):
    """Of the records that wait for the same parent one: so each missing parent stands in the list once."""

    title = "missing parents"
    parameter_name = "parents"

    def label(self, value):
        return "One record for each"

    def filtered(self, queryset, value):
        parked = queryset.exclude(waits_for_id="").order_by()
        parents = parked.values("tenant", "waits_for_module", "waits_for_id")
        return queryset.filter(pk__in=parents.annotate(one=Min("pk")).values("one"))


class ErrorFilter(LinkedFilter):
    """Results by the field and the code of one of their errors, written `Score:out_of_range`."""

    title = "error"
    parameter_name = "error"

    def filtered(self, queryset, value):
        field, _, code = value.rpartition(":")
        return faults.with_error(queryset, field, code)


class OpenFilter(admin.SimpleListFilter):
    """The base of filters beside Records to mend. What they offer is counted in the user's own tenants."""

    # Subclass declares title, parameter_name; values(), narrowed()

    #: The most frequent are offered. Any other can be asked for in the address.
    most_offered = 15

    def values(self, waits_for: str, faults: str) -> Iterable[str]:
        """Those of one record: of the parent that it waits for, and of the text of its errors."""
        raise NotImplementedError

    def narrowed(self, to_mend: QuerySet[RecordResult], value: str) -> QuerySet[RecordResult]:
        raise NotImplementedError

    # The machinery

    def lookups(self, request, model_admin):
        newest = _newest_to_mend(request, model_admin)
        more = "+" if newest.total() == WorkPaginator.most_rows else ""
        counts: Counter[str] = Counter()
        for alike, n in newest.items():
            counts.update(dict.fromkeys(self.values(*alike), n))
        most = sorted(counts.items(), key=lambda found: (-found[1], found[0]))[: self.most_offered]
        return [(value, f"{value} ({n:,}{more})") for value, n in most]

    def has_output(self):
        return bool(self.lookup_choices) or self.value() is not None

    def queryset(self, request, queryset):
        return queryset if not self.value() else self.narrowed(queryset, self.value())

    def choices(self, changelist):
        yield from super().choices(changelist)
        if self.value() and self.value() not in dict(self.lookup_choices):
            yield {
                "selected": True,
                "query_string": changelist.get_query_string(),
                "display": self.value(),
            }


def _newest_to_mend(request: HttpRequest, model_admin: admin.ModelAdmin) -> Counter[tuple[str, str]]:
    """How many of the newest wait for the same and have the same errors; asked for once in a request."""
    if not hasattr(request, "newest_to_mend"):
        newest = model_admin.get_queryset(request).order_by(*model_admin.ordering)
        rows = newest.values_list("waits_for_module", "waits_for_id", "faults")[: WorkPaginator.most_rows]
        request.newest_to_mend = Counter(
            (f"{module} {zoho_id}".strip(), text) for module, zoho_id, text in rows
        )
    return request.newest_to_mend


class KindFilter(admin.SimpleListFilter):
    """Parked, INVALID that waits for no parent, or ERROR."""

    title = "state"
    parameter_name = "kind"

    def lookups(self, request, model_admin):
        return [(kind, kind) for kind in mending.KINDS]

    def queryset(self, request, queryset):
        return queryset.filter(mending.of_kind(self.value())) if self.value() else queryset


class MissingParentFilter(OpenFilter):
    """By the parent that parked records wait for: "students stud_456", or all of a module: "students"."""

    title = "missing parent"
    parameter_name = "waits_for"

    def values(self, waits_for, faults):
        return [waits_for] if waits_for else []

    def narrowed(self, to_mend, value):
        module, _, zoho_id = value.partition(" ")
        wanted = (
            {"waits_for_module": module, "waits_for_id": zoho_id} if zoho_id else {"waits_for_module": module}
        )
        return to_mend.exclude(waits_for_id="").filter(**wanted)


class CodeFilter(OpenFilter):
    """By the code of an error, as docs/answers.md lists them."""

    title = "error code"
    parameter_name = "code"

    def values(self, waits_for, faults):
        return [code for _, code in pairs(faults)]

    def narrowed(self, to_mend, value):
        return faults.with_code(to_mend, value)


class FieldFilter(OpenFilter):
    """By the field that an error is about, as Zoho spells it."""

    title = "field"
    parameter_name = "field"

    def values(self, waits_for, faults):
        return [field for field, _ in pairs(faults)]

    def narrowed(self, to_mend, value):
        return faults.with_field(to_mend, value)


class AgeFilter(admin.SimpleListFilter):
    """By how long ago the record came."""

    title = "how long"
    parameter_name = "age"
    RECENT = "0"

    def lookups(self, request, model_admin):
        longer = [(str(days), f"Longer than {days} days") for days in (7, 30)]
        return [(self.RECENT, "Less than a day"), ("1", "Longer than a day"), *longer]

    def queryset(self, request, queryset):
        if self.value() == self.RECENT:
            return queryset.filter(delivery__received_at__gte=_days_ago(1))
        if self.value() in ("1", "7", "30"):
            return queryset.filter(delivery__received_at__lt=_days_ago(int(self.value())))
        return queryset


def _days_ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)
