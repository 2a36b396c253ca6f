"""The filters beside the admin's lists. None of them names a value that stands in another's tenant only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from .models import Tenant
from .services import services

EMPTY = "(empty)"
MOST_VALUES = 50


def visible_tenants(request: HttpRequest) -> QuerySet[Tenant]:
    """All of them for superusers; for staff those that they are members of."""
    return Tenant.objects.all() if request.user.is_superuser else Tenant.objects.filter(members=request.user)


class TenantFilter(admin.SimpleListFilter):
    """By tenant, for those who see several."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request, model_admin):
        return [(tenant.slug, str(tenant)) for tenant in visible_tenants(request)]

    def has_output(self):
        return len(self.lookup_choices) > 1

    def queryset(self, request, queryset):
        return queryset.filter(tenant__slug=self.value()) if self.value() else queryset


class ModuleFilter(admin.SimpleListFilter):
    """By module; the list is known without asking the table."""

    title = "module"
    parameter_name = "module"

    def lookups(self, request, model_admin):
        return [(module, module) for module in services()]

    def queryset(self, request, queryset):
        return queryset.filter(module=self.value()) if self.value() else queryset


class ParkedFilter(admin.SimpleListFilter):
    """Records that wait for a parent now."""

    title = "parked"
    parameter_name = "parked"

    def lookups(self, request, model_admin):
        return [("now", "Parked now")]

    def queryset(self, request, queryset):
        return queryset.filter(current=True).exclude(waits_for_id="") if self.value() == "now" else queryset


class ValuesFilter(admin.AllValuesFieldListFilter):
    """By the texts that a column holds in the visible tenants: the first of them, where they are many."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lookup_choices = self.lookup_choices[:MOST_VALUES]

    def choices(self, changelist):
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
