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

from . import admin_bodies as bodies
from . import admin_outcomes, exports, mending  # noqa: F401  (admin_outcomes registers its own)
from . import admin_pages as pages
from .admin_bases import ReadOnlyAdmin, is_searchable
from .admin_export import ExportAdmin
from .admin_filters import (
    ModuleFilter,
    ReceivedBeforeFilter,
    ReceivedSinceFilter,
    StateOfRecordsFilter,
    TenantFilter,
)
from .admin_replay import ReplayAdmin, counted, listed
from .admin_visible import visible_numbers
from .models import ApiKey, Delivery, IdempotencyKey, RecordResult, State, Tenant, Tombstone
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
        return bodies.refusal(delivery)

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
        return bodies.body(delivery)

    @admin.display(description="answer")
    def shown_answer(self, delivery: Delivery) -> str:
        return bodies.answer(delivery)

    @admin.display(description="traceback")
    def shown_traceback(self, delivery: Delivery) -> str:
        return bodies.pre(delivery.traceback)

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
                f"The body was {bodies.removed(delivery).lower()}", content_type="text/plain"
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
