"""The bases of every admin page: read-only, and each user in their own tenants.

Staff see the tenants they are members of, superusers see all. Nothing that Zoho owns can be edited here:
a mirror that somebody painted on is none.
"""

import re
from collections.abc import Callable, Sequence

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR, IncorrectLookupParameters
from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from . import admin_pages as pages
from . import exports
from .admin_export import ExportAdmin
from .admin_filters import ParentFilter, TenantFilter, ValuesFilter
from .admin_gathered import Gathered, gathered_field
from .admin_paging import BoundedPaginator, CountedList
from .admin_visible import may_see_deliveries, visible_numbers, visible_tenants
from .models import Delivery, SyncedRecord
from .order import delivery_of
from .services import services

# The address may ask for these of a filtered column, as Django's filters do.
FILTER_LOOKUPS = ("", "__exact", "__id__exact", "__isnull", "__gte", "__lt")
# No text that is searched is longer, and a database refuses to search for very many words.
LONGEST_SEARCH = 255
ROW_NUMBER = re.compile("[0-9]{1,18}")


class ReadOnlyAdmin(admin.ModelAdmin):
    """Look, search and filter; no add, no change, no delete; of one's own tenants only."""

    # Subclass declares list_display, list_filter, search_fields, fieldsets

    #: Where a row says whose it is.
    tenant_field = "tenant"
    #: Columns too large for a list. A page that shows one fetches it then.
    large: Sequence[str] = []

    class Media:
        css = {"all": ["btec_sync/admin.css"]}

    # The machinery

    list_per_page = 50
    paginator = BoundedPaginator
    list_select_related: list[str] = []
    show_full_result_count = False

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def tenant_shown(self, request: HttpRequest) -> str:
        """The field of a page that names the tenant: without a link for those who may not follow it."""
        return "tenant" if request.user.has_perm("btec_sync.view_tenant") else "tenant_name"

    def get_list_display(self, request):
        """The columns; whose a row is only for those who see several tenants."""
        several = len(visible_tenants(request)[:2]) > 1
        return [name for name in self.columns() if several or name != "tenant"]

    def columns(self) -> list[str]:
        return list(self.list_display)

    @admin.display(description="tenant")
    def tenant_name(self, row) -> str:
        return str(row.tenant)

    def get_queryset(self, request):
        # All that rows show of other tables comes with them, so that no row costs a query.
        related = [field.name for field in self.opts.concrete_fields if field.is_relation]
        queryset = super().get_queryset(request).select_related(*related, *self.list_select_related)
        if not request.user.is_superuser:
            queryset = queryset.filter(**{f"{self.tenant_field}__in": visible_numbers(request)})
        return queryset.defer(*self.large)

    def get_search_results(self, request, queryset, search_term):
        if not is_searchable(search_term):
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def lookup_allowed(self, lookup, value, request):
        """Only what the page's own filters and links ask for: a column that no page shows, such as a
        key's digest, must not be found out by filtering on it."""
        return "\0" not in value and lookup in self.filter_lookups(request)

    def filter_lookups(self, request: HttpRequest) -> set[str]:
        found = {f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day")}
        for declared in self.get_list_filter(request):
            if isinstance(declared, type):
                found.add(declared.parameter_name)
            else:
                name = declared if isinstance(declared, str) else declared[0]
                found |= {name + lookup for lookup in FILTER_LOOKUPS}
        return found

    def get_changelist(self, request, **kwargs):
        return CountedList

    def get_paginator(self, request, *arguments, **options):
        paginator = super().get_paginator(request, *arguments, **options)
        paginator.is_search = bool(request.GET.get(SEARCH_VAR))
        return paginator

    def action_checkbox(self, obj):
        """As Django's, without a form's template for each row."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            f"Select this object for an action - {obj}",
        )

    def get_changelist_instance(self, request):
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError, DataError) as error:
            # Typed into the address: the year 9999, an id of a hundred digits.
            raise IncorrectLookupParameters(error) from error

    def response_action(self, request, queryset):
        if not all(map(ROW_NUMBER.fullmatch, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            raise BadRequest("The selected rows are not numbers.")
        return super().response_action(request, queryset)


def is_searchable(term: str) -> bool:
    return len(term) <= LONGEST_SEARCH and "\0" not in term


class MirrorAdmin(ExportAdmin, ReadOnlyAdmin):
    """One module's records, each with its parents, its children and its history."""

    # Subclass declares list_display, search_fields, list_filter (columns of text)

    #: What of these records stands on the page of a parent, or of a parent's parent.
    gathered: Sequence[Gathered] = []

    # The machinery

    # All of them are in the order of an index, whether one tenant's or several's are shown.
    ordering = ["tenant_id", "zoho_id"]

    def columns(self):
        return [*self.list_display, "tenant", "updated_at"]

    def get_list_filter(self, request):
        parents = [field.name for field in self.opts.concrete_fields if field.is_relation]
        parents.remove("tenant")
        return [
            TenantFilter,
            *((name, ValuesFilter) for name in self.list_filter),
            *((name, ParentFilter) for name in parents),
            *((shown.parent, ParentFilter) for shown in self.gathered if shown.parent not in parents),
            ("updated_at", admin.DateFieldListFilter),
        ]

    def export_columns(self):
        """Every value, and what the list shows besides."""
        more = [name for name in self.list_display if hasattr(type(self), name)]
        marks = ["modified_time", "version", "created_at", "updated_at"]
        return (
            exports.field_columns(self.model, ["zoho_id", "tenant", *self._values()])
            | {name.replace("_", " "): getattr(self, name) for name in more}
            | exports.field_columns(self.model, marks)
        )

    def _values(self) -> list[str]:
        names = [field.name for field in self.opts.concrete_fields]
        return [name for name in names if name not in self.model.NOT_IN_FINGERPRINT]

    def get_fieldsets(self, request, obj=None):
        marks = ["stored_from", "last_seen_in", "modified_time", "version", "created_at", "updated_at"]
        children = self._children_here(request)
        return [
            (None, {"fields": ["zoho_id", self.tenant_shown(request), *self._values(), *children]}),
            *self._gathered_here(request),
            ("Where it comes from", {"fields": marks}),
            *([("Timeline", {"fields": ["timeline"]})] if may_see_deliveries(request) else []),
        ]

    def _children_here(self, request: HttpRequest) -> list[Callable[[SyncedRecord], SafeString]]:
        """How many records of other modules point at one, as a field: of those that the user may look at."""
        relations = [
            relation
            for relation in self.opts.related_objects
            if issubclass(relation.related_model, SyncedRecord)
            and self.admin_site.get_model_admin(relation.related_model).has_view_permission(request)
        ]

        @admin.display(description="what points at it")
        def children(record: SyncedRecord) -> SafeString:
            links = ((pages.children_link(record, relation),) for relation in relations)
            return format_html_join(", ", "{}", links)

        return [children] if relations else []

    def _gathered_here(self, request: HttpRequest) -> list[tuple[str, dict[str, list]]]:
        """What the modules gather on this page: those that the user may look at, parents' modules first."""
        admins = map(self.admin_site.get_model_admin, (service.model for service in services().values()))
        return [
            (str(child.opts.verbose_name_plural).capitalize(), {"fields": [gathered_field(child, shown)]})
            for child in admins
            for shown in child.gathered
            if shown.parent_model(child.model) is self.model and child.has_view_permission(request)
        ]

    @admin.display(description="values last sent by")
    def stored_from(self, record: SyncedRecord) -> str:
        return self._delivery_at(record, record.place)

    @admin.display(description="newest delivery about it")
    def last_seen_in(self, record: SyncedRecord) -> str:
        return self._delivery_at(record, record.seen)

    @staticmethod
    def _delivery_at(record: SyncedRecord, place: int) -> str:
        number = delivery_of(place)
        found = Delivery.objects.filter(tenant=record.tenant_id, pk=number)
        delivery = found.only("uid", "received_at").first()
        if delivery is None:
            return f"delivery {number}, which is not kept any more"
        received = pages.exact_time(delivery.received_at)
        return format_html("{}, received {}", pages.delivery_link(delivery), received)

    @admin.display(description="timeline")
    def timeline(self, record: SyncedRecord) -> str:
        return pages.timeline(record, self._module())

    def history_view(self, request, object_id, extra_context=None):
        """Nobody changes a record here, so the history of one is its results."""
        record = self.get_object(request, object_id)
        if record is None or not self.has_view_permission(request, record):
            return super().history_view(request, object_id, extra_context)
        return redirect(pages.results_url(record, self._module()))

    def _module(self) -> str:
        return next(name for name, service in services().items() if service.model is self.model)
