"""What became of each record, and what of it needs somebody: two lists of the same rows."""

from collections import Counter

from django.contrib import admin
from django.db.models import Q

from . import admin_pages as pages
from . import admin_result, exports, mending
from .admin_bases import ReadOnlyAdmin, is_searchable
from .admin_export import ExportAdmin
from .admin_filters import (
    CurrentFilter,
    ErrorFilter,
    ModuleFilter,
    ParentFilter,
    ParkedFilter,
    ReceivedBeforeFilter,
    ReceivedSinceFilter,
    ResultStateFilter,
    TenantFilter,
    WaitsForFilter,
)
from .admin_paging import WorkPaginator
from .admin_replay import ReplayAdmin, counted, listed
from .admin_visible import visible_numbers
from .admin_work_filters import (
    AgeFilter,
    CodeFilter,
    FieldFilter,
    KindFilter,
    MissingParentFilter,
    OneOfParentFilter,
)
from .models import Delivery, RecordResult, RecordToMend
from .services import services


@admin.register(RecordResult)
class RecordResultAdmin(ExportAdmin, ReadOnlyAdmin):
    """What became of each record. Here stands what is parked, and so has no page of its own yet."""

    list_display = ["created", "module", "zoho_id", "shown_state", "what_became", "parked"]
    list_display += ["delivery_page", "tenant"]
    list_filter = [TenantFilter, ("state", ResultStateFilter), ParkedFilter, ModuleFilter]
    list_filter += [("delivery", ParentFilter), CurrentFilter, WaitsForFilter, ErrorFilter]
    list_filter += [ReceivedSinceFilter, ReceivedBeforeFilter]
    # Its bar of months would read all results for each page; there are filters by when a record came.
    date_hierarchy = None
    search_fields = ["zoho_id__exact", "waits_for_id__exact"]
    search_help_text = "The Zoho id of a record, or of the parent that it waits for."
    large = [f"delivery__{name}" for name in pages.LARGE]

    def get_search_results(self, request, queryset, search_term):
        term = search_term.strip()
        if not term or not is_searchable(term):
            return super().get_search_results(request, queryset, term)
        # The tenants and the modules are for the indices.
        modules = list(services())
        waits = Q(current=True, waits_for_module__in=modules, waits_for_id=term)
        of_tenant = queryset.filter(tenant__in=visible_numbers(request))
        return of_tenant.filter(Q(module__in=modules, zoho_id=term) | waits), False

    def get_fieldsets(self, request, obj=None):
        came_in = ["record", "module", self.tenant_shown(request), "delivery", "shown_attempt", "position"]
        may_see_bodies = self.admin_site.get_model_admin(Delivery).has_view_permission(request)
        return [
            (None, {"fields": [*came_in, "created"]}),
            ("What became of it", {"fields": self._became(obj)}),
            *([("What was sent", {"fields": ["sent"]})] if may_see_bodies else []),
        ]

    @staticmethod
    def _became(result: RecordResult | None) -> list[str]:
        kind = mending.kind(result) if result else ""
        if kind not in mending.KINDS:
            return ["shown_state", "message", "changes"]
        waits = ["waits_for"] if kind == mending.PARKED else []
        return ["shown_state", *waits, "errors_found", "next_step"]

    def get_object(self, request, object_id, from_field=None):
        found = super().get_object(request, object_id, from_field)
        # Of a list it would be asked for each row.
        return found and mending.with_parent(self.get_queryset(request)).filter(pk=found.pk).first()

    def export_columns(self):
        came_in = ["created_at", "tenant", "module", "zoho_id", "state", "message"]
        rest = ["waits_for_module", "waits_for_id", "current", "delivery", "attempt", "position"]
        return (
            exports.field_columns(RecordResult, came_in)
            | {
                "errors": lambda result: "\n".join(pages.errors(result.errors)),
                "changes": lambda result: "\n".join(pages.changes(result.changed_fields, limit=None)),
            }
            | exports.field_columns(RecordResult, rest)
        )

    @admin.display(description="when", ordering="created_at")
    def created(self, result: RecordResult) -> str:
        return pages.exact_time(result.created_at)

    @admin.display(description="record")
    def record(self, result: RecordResult) -> str:
        return pages.record_link(result, pages.record_urls([result]))

    @admin.display(description="delivery", ordering="delivery_id")
    def delivery_page(self, result: RecordResult) -> str:
        return pages.delivery_link(result.delivery)

    @admin.display(description="what became of it")
    def what_became(self, result: RecordResult) -> str:
        return pages.what_became(result, most_lines=3)

    @admin.display(description="state", ordering="state")
    def shown_state(self, result: RecordResult) -> str:
        return pages.state(result)

    @admin.display(description="attempt")
    def shown_attempt(self, result: RecordResult) -> str:
        return admin_result.attempt(result)

    @admin.display(description="what is wrong")
    def errors_found(self, result: RecordResult) -> str:
        return pages.lines(pages.errors(result.errors) or [result.message])

    @admin.display(description="what to do")
    def next_step(self, result: RecordResult) -> str:
        return admin_result.next_step(result)

    @admin.display(description="what was sent")
    def sent(self, result: RecordResult) -> str:
        return admin_result.sent(result)

    @admin.display(description="waits for", ordering="waits_for_id")
    def waits_for(self, result: RecordResult) -> str:
        return pages.waits_for(result)

    @admin.display(description="changes")
    def changes(self, result: RecordResult) -> str:
        return pages.lines(pages.changes(result.changed_fields, limit=None))

    @admin.display(description="waits for", ordering="waits_for_id")
    def parked(self, result: RecordResult) -> str:
        waits = result.current and result.waits_for_id
        return f"{result.waits_for_module} {result.waits_for_id}" if waits else pages.NONE


@admin.register(RecordToMend)
class RecordToMendAdmin(ReplayAdmin, RecordResultAdmin):
    """What needs somebody: the last that was heard of these records is INVALID or an ERROR."""

    list_display = ["since", "record_id", "shown_state", "what_is_wrong", "waits_for"]
    list_display += ["delivery_page", "tenant"]
    list_display_links = ["record_id"]
    list_filter = [TenantFilter, KindFilter, ModuleFilter, MissingParentFilter, CodeFilter, FieldFilter]
    list_filter += [AgeFilter, OneOfParentFilter]
    paginator = WorkPaginator
    # The filters count what they offer; Django's counts would ask for each value anew.
    show_facets = admin.ShowFacets.NEVER
    date_hierarchy = None
    ordering = ["-delivery_id", "position"]
    get_search_results = ReadOnlyAdmin.get_search_results  # in parts of them, there are fewer rows
    search_fields = ["zoho_id", "waits_for_id", "message"]
    search_help_text = (
        "A part of a Zoho id, of the record or of the parent that it waits for, or of a message."
    )

    def changelist_view(self, request, extra_context=None):
        return super().changelist_view(request, {"title": "Records to mend", **(extra_context or {})})

    def get_queryset(self, request):
        # A list asks for it two or three times, and it is long to write.
        if not hasattr(request, "to_mend"):
            request.to_mend = mending.with_parent(mending.to_mend(super().get_queryset(request)))
        return request.to_mend.all()

    def has_view_permission(self, request, obj=None):
        # Its pages are those of results.
        may_see_results = request.user.has_perm("btec_sync.view_recordresult")
        return may_see_results and super().has_view_permission(request, obj)

    def get_object(self, request, object_id, from_field=None):
        """Its page stays where it is when the record is no work any more."""
        return self.admin_site.get_model_admin(RecordResult).get_object(request, object_id, from_field)

    @admin.display(description="since", ordering="delivery__received_at")
    def since(self, result: RecordResult) -> str:
        return pages.exact_time(result.delivery.received_at)

    @admin.display(description="record", ordering="zoho_id")
    def record_id(self, result: RecordResult) -> str:
        return f"{result.module} {result.zoho_id or pages.NO_ID}"

    @admin.display(description="state")
    def shown_state(self, result: RecordResult) -> str:
        return mending.kind(result)

    @admin.display(description="what is wrong")
    def what_is_wrong(self, result: RecordResult) -> str:
        return pages.lines(self._wrong(result), most=3)

    @staticmethod
    def _wrong(result: RecordResult) -> list[str]:
        return [error["message"] for error in result.errors] or [result.message]

    def export_columns(self):
        return (
            {exports.timed("since"): lambda result: result.delivery.received_at}
            | exports.field_columns(RecordResult, ["tenant", "module", "zoho_id"])
            | {
                "state": mending.kind,
                "what is wrong": lambda result: "\n".join(self._wrong(result)),
            }
            | exports.field_columns(
                RecordResult, ["waits_for_module", "waits_for_id", "delivery", "position"]
            )
        )

    def deliveries_of(self, selected):
        return Delivery.objects.filter(pk__in=selected.order_by().values("delivery"))

    def kinds_of(self, selected):
        return set(selected.order_by().values_list(mending.KIND, flat=True).distinct())

    def what_is_selected(self, selected):
        kinds = Counter(selected.order_by().values_list(mending.KIND, flat=True))
        deliveries = self.deliveries_of(selected).count()
        return [
            f"{counted(kinds.total(), 'record')}: {listed(kinds)}",
            f"of {counted(deliveries, 'delivery', 'deliveries')}",
        ]

    def before(self, selected):
        return {(row.delivery_id, row.position): mending.kind(row) for row in selected}

    def report(self, before, deliveries):
        after = mending.states_after(before, [delivery.pk for delivery in deliveries])
        words = Counter(_outcome(before[place], state) for place, state in after.items())
        well = not any(state in mending.KINDS for state in after.values())
        return f"{counted(len(after), 'record')} replayed: {listed(words)}.", well


def _outcome(before: str, after: str) -> str:
    if after not in mending.KINDS:
        return after
    return f"still {after}" if after == before else f"now {after}"
