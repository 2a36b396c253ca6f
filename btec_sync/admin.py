"""The admin's pages of the machinery's own tables."""

import re
import uuid
from collections import Counter

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, Q, QuerySet, Sum, Value
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseGone
from django.urls import path
from django.utils import timezone

from . import admin_pages as pages
from . import admin_result, exports, mending
from .admin_bases import ReadOnlyAdmin, is_searchable
from .admin_export import ExportAdmin
from .admin_filters import (
    AgeFilter,
    CodeFilter,
    CurrentFilter,
    ErrorFilter,
    FieldFilter,
    KindFilter,
    MissingParentFilter,
    ModuleFilter,
    OneOfParentFilter,
    ParentFilter,
    ParkedFilter,
    ReceivedBeforeFilter,
    ReceivedSinceFilter,
    StateOfRecordsFilter,
    TenantFilter,
    WaitsForFilter,
    visible_numbers,
)
from .admin_paging import WorkPaginator
from .admin_replay import ReplayAdmin, counted, listed
from .models import ApiKey, Delivery, IdempotencyKey, RecordResult, RecordToMend, State, Tenant, Tombstone
from .services import services

# The newest deliveries of one record that a search finds.
MOST_FOUND = 1_000
# As much of a delivery's id as a list shows, or more of it.
UID_BEGINS = re.compile("[0-9a-f]{8,32}")


@admin.register(Delivery)
class DeliveryAdmin(ExportAdmin, ReplayAdmin):
    """Requests as they came in. UNCHANGED records are counted, and have no result of their own."""

    list_display = ["received", "short_id", "module", "state", "counts", "attempts", "tenant"]
    list_display_links = ["received", "short_id"]
    list_filter = [TenantFilter, "state", ModuleFilter]
    list_filter += [StateOfRecordsFilter, ReceivedSinceFilter, ReceivedBeforeFilter]
    date_hierarchy = "received_at"
    search_fields = ["uid"]
    search_help_text = "A delivery id, or the Zoho id of a record that came in it and was not UNCHANGED."
    large = [f"{of}{name}" for of in ("", "duplicate_of__", "repeats__") for name in pages.LARGE]

    def get_fieldsets(self, request, obj=None):
        came_in = [
            "uid",
            self.tenant_shown(request),
            "module",
            "received",
            "shown_headers",
            "duplicate_of",
            "repeats",
        ]
        refused = obj and obj.state == Delivery.State.REJECTED
        became = ["state", *(["refusal"] if refused else []), "attempts", "processed", "counts", "results"]
        answer = ["answer_status", "answer_is_final", "shown_answer"]
        return [
            ("What came in", {"fields": came_in}),
            ("What became of it", {"fields": became}),
            *([("Traceback", {"fields": ["shown_traceback"]})] if obj and obj.traceback else []),
            ("Body", {"fields": ["shown_body"]}),
            ("Answer", {"fields": answer}),
        ]

    def get_search_results(self, request, queryset, search_term):
        term = search_term.strip()
        if not term or not is_searchable(term):
            return super().get_search_results(request, queryset, term)
        # The tenants and the modules are for the index, and a list of numbers is for that of deliveries.
        spoke_of = RecordResult.objects.filter(
            tenant__in=visible_numbers(request), module__in=list(services()), zoho_id=term
        )
        found = Q(pk__in=list(spoke_of.values_list("delivery", flat=True)[:MOST_FOUND]))
        digits = term.replace("-", "").lower()
        if UID_BEGINS.fullmatch(digits):
            found |= Q(uid__range=(uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))))
        return queryset.filter(found), False

    @admin.display(description="delivery", ordering="uid")
    def short_id(self, delivery: Delivery) -> str:
        return pages.short(delivery)

    @admin.display(description="received", ordering="received_at")
    def received(self, delivery: Delivery) -> str:
        return pages.exact_time(delivery.received_at)

    @admin.display(description="processed last")
    def processed(self, delivery: Delivery) -> str:
        return pages.exact_time(delivery.processed_at)

    @admin.display(description="why")
    def refusal(self, delivery: Delivery) -> str:
        return pages.refusal(delivery)

    @admin.display(description="headers")
    def shown_headers(self, delivery: Delivery) -> str:
        return pages.lines([f"{name}: {value}" for name, value in delivery.headers.items()])

    @admin.display(description="records")
    def counts(self, delivery: Delivery) -> str:
        counts = {state: getattr(delivery, state.lower()) for state in State}
        return ", ".join(f"{count:,} {state}" for state, count in counts.items() if count) or pages.NONE

    @admin.display(description="results")
    def results(self, delivery: Delivery) -> str:
        return pages.delivery_results(delivery)

    @admin.display(description="body")
    def shown_body(self, delivery: Delivery) -> str:
        return pages.body(delivery)

    @admin.display(description="answer")
    def shown_answer(self, delivery: Delivery) -> str:
        return pages.answer(delivery)

    @admin.display(description="traceback")
    def shown_traceback(self, delivery: Delivery) -> str:
        return pages.pre(delivery.traceback)

    def get_urls(self):
        page = path(
            "<path:object_id>/body/",
            self.admin_site.admin_view(self.body_view),
            name="btec_sync_delivery_body",
        )
        return [page, *super().get_urls()]

    def body_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The body, byte for byte, as a file."""
        delivery = self.get_object(request, object_id)
        if not self.has_view_permission(request, delivery):
            raise PermissionDenied
        if delivery is None:
            raise Http404
        if delivery.body_removed_at:
            return HttpResponseGone(
                f"The body was {pages.removed(delivery).lower()}", content_type="text/plain"
            )
        response = HttpResponse(bytes(delivery.body), content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="{delivery.uid}.body"'
        return response

    def export_columns(self):
        times = ["received_at", "processed_at", "attempts"]
        counts = [state.lower() for state in State]
        rest = ["answer_status", "duplicate_of", "repeats"]
        return exports.field_columns(Delivery, ["uid", "tenant", "module", "state", *times, *counts, *rest])

    def deliveries_of(self, selected):
        return selected

    def kinds_of(self, selected):
        states = set(selected.order_by().values_list("state", flat=True).distinct())
        refused = RecordResult.objects.filter(
            mending.UNSETTLED, delivery__in=selected.order_by().values("pk")
        )
        return states | set(refused.order_by().values_list(mending.KIND, flat=True).distinct())

    def what_is_selected(self, selected):
        states = Counter(dict(selected.order_by().values_list("state").annotate(Count("pk"))))
        records = selected.aggregate(n=Sum(sum((F(state.lower()) for state in State), Value(0))))["n"] or 0
        selected_are = f"{counted(states.total(), 'delivery', 'deliveries')}: {listed(states)}"
        them = "it" if states.total() == 1 else "them"
        return [selected_are, *([f"{counted(records, 'record')} in {them}"] if records else [])]

    def report(self, before, deliveries):
        states = Counter(delivery.state for delivery in deliveries)
        return f"Replayed: {listed(states)}.", set(states) == {Delivery.State.DONE}


@admin.register(RecordResult)
class RecordResultAdmin(ExportAdmin, ReadOnlyAdmin):
    """What became of each record. Here stands what is parked, and so has no page of its own yet."""

    list_display = ["created", "module", "zoho_id", "shown_state", "what_became", "parked"]
    list_display += ["delivery_page", "tenant"]
    list_filter = [TenantFilter, "state", ParkedFilter, ModuleFilter, ("delivery", ParentFilter)]
    list_filter += [CurrentFilter, WaitsForFilter, ErrorFilter, ReceivedSinceFilter, ReceivedBeforeFilter]
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
        return mending.with_parent(mending.to_mend(super().get_queryset(request)))

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


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ExportAdmin, ReadOnlyAdmin):
    """The keys that senders gave, and the delivery that each stands for."""

    list_display = ["key", "module", "delivery_page", "tenant", "created_at"]
    list_filter = [TenantFilter, ModuleFilter]
    date_hierarchy = "created_at"
    search_fields = ["key"]
    large = [f"delivery__{name}" for name in pages.LARGE]
    fields = ["key", "module", "tenant", "delivery", "digest", "created_at"]

    def export_columns(self):
        return exports.field_columns(IdempotencyKey, ["key", "tenant", "module", "delivery", "created_at"])

    @admin.display(description="delivery", ordering="delivery_id")
    def delivery_page(self, key: IdempotencyKey) -> str:
        return pages.delivery_link(key.delivery)


@admin.register(Tombstone)
class TombstoneAdmin(ExportAdmin, ReadOnlyAdmin):
    """What was erased at a person's request and is refused since. manage.py erase_student makes them."""

    list_display = ["zoho_id", "module", "person", "tenant", "created_at"]
    list_filter = [TenantFilter, ModuleFilter]
    date_hierarchy = "created_at"
    search_fields = ["zoho_id__exact", "person__exact"]

    def get_fields(self, request, obj=None):
        return ["zoho_id", "module", "person", self.tenant_shown(request), "created_at"]

    def export_columns(self):
        return exports.field_columns(Tombstone, ["zoho_id", "tenant", "module", "person", "created_at"])


@admin.register(Tenant)
class TenantAdmin(ExportAdmin, ReadOnlyAdmin):
    """A college: who may write to it and who may see it. Superusers keep these; none is ever deleted."""

    tenant_field = "pk"
    list_display = ["slug", "name", "active", "unknown_fields", "created_at"]
    list_filter = ["active"]
    search_fields = ["slug", "name"]
    filter_horizontal = ["members"]
    fields = ["slug", "name", "active", "unknown_fields", "members"]

    def get_readonly_fields(self, request, obj=None):
        # It stands in the hash of every delivery, and in Zoho's set-up.
        return ["slug"] if obj else []

    def export_columns(self):
        return exports.field_columns(Tenant, ["slug", "name", "active", "unknown_fields", "created_at"])

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser


@admin.register(ApiKey)
class ApiKeyAdmin(ExportAdmin, ReadOnlyAdmin):
    """Keys are made by manage.py create_api_key, which shows them once; here they are ended."""

    list_display = ["prefix", "name", "tenant", "created_at", "expires_at", "revoked_at", "last_used_at"]
    list_filter = [TenantFilter]
    search_fields = ["prefix", "name"]
    fields = list_display
    actions = ["revoke"]

    def export_columns(self):
        times = ["created_at", "expires_at", "revoked_at", "last_used_at"]
        return exports.field_columns(ApiKey, ["prefix", "name", "tenant", *times])

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    @admin.action(description="Revoke selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        live = list(queryset.filter(revoked_at=None))
        for key in live:
            key.revoked_at = timezone.now()
            key.save(update_fields=["revoked_at"])
            self.log_change(request, key, "Revoked.")
        self.message_user(request, f"Revoked: {len(live)}.", messages.SUCCESS)
