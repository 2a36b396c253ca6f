"""The filters beside the admin's lists. None of them names a value that stands in another's tenant only."""

from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import IncorrectLookupParameters
from django.core.cache import cache
from django.db.models import Field, Model
from django.http import HttpRequest
from django.utils import timezone

from . import faults
from .admin_visible import visible_numbers, visible_tenants
from .models import Delivery, State
from .services import services

EMPTY = "(empty)"
# In the place of a tenant's slug, which none can be.
ACTIVE = "(active)"
MOST_VALUES = 50
VALUES_SECONDS = 60


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


class ErrorFilter(LinkedFilter):
    """Results by the field and the code of one of their errors, written `Score:out_of_range`."""

    title = "error"
    parameter_name = "error"

    def filtered(self, queryset, value):
        field, _, code = value.rpartition(":")
        return faults.with_error(queryset, field, code)
