"""The read-only bases of every admin page, and the pages of the machinery's own tables.

Staff see the tenants they are members of, superusers see all. Nothing that Zoho owns can be edited here:
a mirror that somebody painted on is none.
"""

import json
import uuid
from collections import Counter
from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from . import order
from .models import ApiKey, Delivery, IdempotencyKey, RecordResult, SyncedRecord, Tenant
from .problems import Unavailable
from .replay import in_order, replay
from .services import services

NONE = "-"
SHOWN_BODY = 200_000
SHOWN_RESULTS = 100


def visible_tenants(request: HttpRequest) -> QuerySet[Tenant]:
    return Tenant.objects.all() if request.user.is_superuser else Tenant.objects.filter(members=request.user)


class TenantFilter(admin.SimpleListFilter):
    """By tenant, of those that the user may see."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request, model_admin):
        return [(tenant.slug, str(tenant)) for tenant in visible_tenants(request)]

    def queryset(self, request, queryset):
        return queryset.filter(tenant__slug=self.value()) if self.value() else queryset


class ReadOnlyAdmin(admin.ModelAdmin):
    """Look, search and filter; no add, no change, no delete."""

    actions_selection_counter = True
    show_full_result_count = False
    list_select_related = ["tenant"]
    list_per_page = 50

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def has_delete_permission(self, request, obj=None):
        return False

    def get_queryset(self, request):
        queryset = super().get_queryset(request)
        if request.user.is_superuser:
            return queryset
        return queryset.filter(tenant__in=visible_tenants(request))


class MirrorAdmin(ReadOnlyAdmin):
    """One module's records. Parents are links of Django's own; children and history stand at the end."""

    # Subclass declares list_display, search_fields, list_filter, list_select_related

    date_hierarchy = "updated_at"
    hidden = ("fingerprint", "place", "seen", "id")

    def get_fields(self, request, obj=None):
        own = [f.name for f in self.model._meta.concrete_fields if f.name not in self.hidden]
        return [*own, "stored_from", "last_seen_in", "children", "history"]

    def get_readonly_fields(self, request, obj=None):
        return self.get_fields(request, obj)

    @admin.display(description="values came with")
    def stored_from(self, record: SyncedRecord) -> str:
        return _delivery_link(record.place)

    @admin.display(description="last delivery that spoke of it")
    def last_seen_in(self, record: SyncedRecord) -> str:
        return _delivery_link(record.seen)

    @admin.display(description="what points at it")
    def children(self, record: SyncedRecord) -> str:
        links = [
            (
                f"{_url(relation.related_model, 'changelist')}?{relation.field.name}__id__exact={record.pk}",
                f"{relation.related_model.objects.filter(**{relation.field.name: record}).count():,}",
                relation.related_model._meta.verbose_name_plural,
            )
            for relation in self.model._meta.related_objects
            if issubclass(relation.related_model, SyncedRecord)
        ]
        return format_html_join(", ", '<a href="{}">{} {}</a>', links) or NONE

    @admin.display(description="history")
    def history(self, record: SyncedRecord) -> str:
        module = next(name for name, service in services().items() if service.model is self.model)
        results = RecordResult.objects.filter(tenant=record.tenant_id, module=module, zoho_id=record.zoho_id)
        return results_table(results.order_by("-id"))


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "uid", "tenant", "module", "state"]
    list_display += ["new", "unchanged", "updated", "invalid", "error", "attempts"]
    list_display_links = ["received_at", "uid"]
    list_filter = [TenantFilter, "state", "module"]
    date_hierarchy = "received_at"
    search_fields = ["uid"]
    search_help_text = "A delivery id, or the Zoho id of a record that came in it and was not UNCHANGED."
    actions = ["replay_selected"]
    fields = ["uid", "tenant", "module", "state", "received_at", "processed_at", "attempts"]
    fields += ["new", "unchanged", "updated", "invalid", "error"]
    fields += ["duplicate_of", "repeats", "headers", "shown_results", "shown_body"]
    fields += ["answer_status", "shown_answer", "shown_traceback"]
    readonly_fields = fields

    def get_queryset(self, request):
        queryset = super().get_queryset(request)
        # A list of deliveries needs none of their bodies.
        return queryset.defer("body", "answer", "traceback") if _is_list(request, self.model) else queryset

    def get_search_results(self, request, queryset, search_term):
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(uid=uuid.UUID(term)), False
        except ValueError:
            spoke_of = RecordResult.objects.filter(
                tenant__in=visible_tenants(request), module__in=list(services()), zoho_id=term
            )
            return queryset.filter(pk__in=spoke_of.values("delivery")), False

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("btec_sync.replay_delivery")

    @admin.action(description="Replay selected deliveries", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        states: Counter[str] = Counter()
        try:
            for delivery in replay(in_order(queryset)):
                states[delivery.state] += 1
                self.log_change(request, delivery, f"Replayed: {delivery.state}.")
        except Unavailable:
            self.message_user(
                request, "The database did not answer in time. Try again later.", messages.ERROR
            )
        total = sum(states.values())
        found = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        level = messages.SUCCESS if set(states) <= {Delivery.State.DONE} else messages.WARNING
        self.message_user(request, f"Replayed {total} deliveries: {found or 'none'}.", level)

    @admin.display(description="records")
    def shown_results(self, delivery: Delivery) -> str:
        return results_table(delivery.results.order_by("-attempt", "position"))

    @admin.display(description="body")
    def shown_body(self, delivery: Delivery) -> str:
        return _pretty(bytes(delivery.body))

    @admin.display(description="answer")
    def shown_answer(self, delivery: Delivery) -> str:
        return _pretty(bytes(delivery.answer))

    @admin.display(description="traceback")
    def shown_traceback(self, delivery: Delivery) -> str:
        return format_html("<pre>{}</pre>", delivery.traceback) if delivery.traceback else NONE


class WaitingFilter(admin.SimpleListFilter):
    """Records that are parked now."""

    title = "parked"
    parameter_name = "parked"

    def lookups(self, request, model_admin):
        return [("yes", "Parked now")]

    def queryset(self, request, queryset):
        return queryset.filter(current=True).exclude(waits_for_id="") if self.value() else queryset


@admin.register(RecordResult)
class RecordResultAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "tenant", "module", "zoho_id", "state", "message", "waits_for", "delivery"]
    list_filter = [TenantFilter, "state", WaitingFilter, "current", "module"]
    list_select_related = ["tenant", "delivery"]
    date_hierarchy = "created_at"
    search_fields = ["zoho_id", "waits_for_id"]
    search_help_text = "The Zoho id of a record, or of the parent that it waits for."

    def get_queryset(self, request):
        return (
            super().get_queryset(request).defer("delivery__body", "delivery__answer", "delivery__traceback")
        )

    @admin.display(description="waits for", empty_value=NONE)
    def waits_for(self, result: RecordResult) -> str | None:
        return f"{result.waits_for_module} {result.waits_for_id}" if result.waits_for_id else None


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "tenant", "module", "key", "delivery"]
    list_filter = [TenantFilter, "module"]
    list_select_related = ["tenant", "delivery"]
    date_hierarchy = "created_at"
    search_fields = ["key"]


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):
    """A college: who may write to it and who may see it. Superusers keep these."""

    list_display = ["slug", "name", "active", "unknown_fields", "created_at"]
    list_filter = ["active"]
    search_fields = ["slug", "name"]
    filter_horizontal = ["members"]

    def get_queryset(self, request):
        return visible_tenants(request)

    def get_readonly_fields(self, request, obj=None):
        # It stands in the hash of every delivery, and in Zoho's set-up.
        return ["slug"] if obj else []

    def has_add_permission(self, request):
        return request.user.is_superuser

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_delete_permission(self, request, obj=None):
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are made by manage.py create_api_key, which shows them once; here they are ended."""

    list_display = ["prefix", "tenant", "name", "created_at", "expires_at", "revoked_at", "last_used_at"]
    list_filter = [TenantFilter]
    search_fields = ["prefix", "name"]
    exclude = ["digest"]
    actions = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    @admin.action(description="Revoke selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        revoked = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, f"Revoked {revoked} keys.", messages.SUCCESS)


# --- What pages show ---------------------------------------------------------------------------------


def results_table(results: QuerySet[RecordResult]) -> SafeString | str:
    """The first of these results, each with what became of it and a link to its delivery."""
    shown = list(results.select_related("delivery").only(*RESULT_COLUMNS)[: SHOWN_RESULTS + 1])
    if not shown:
        return NONE
    rows = format_html_join(
        "",
        '<tr><td>{}</td><td><a href="{}">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>',
        (
            (
                timezone.localtime(result.created_at).strftime("%Y-%m-%d %H:%M:%S"),
                _url(Delivery, "change", result.delivery_id),
                f"{str(result.delivery.uid)[:8]}… attempt {result.attempt}",
                result.zoho_id or "(no id)",
                result.state,
                result.message,
                _changes(result.changed_fields),
            )
            for result in shown[:SHOWN_RESULTS]
        ),
    )
    more = "" if len(shown) <= SHOWN_RESULTS else f"Only the first {SHOWN_RESULTS} are shown."
    return format_html(
        "<table><thead><tr><th>When</th><th>Delivery</th><th>Record</th><th>State</th>"
        "<th>Message</th><th>Changed</th></tr></thead><tbody>{}</tbody></table>{}",
        rows,
        more,
    )


RESULT_COLUMNS = ["created_at", "attempt", "zoho_id", "state", "message", "changed_fields"]
RESULT_COLUMNS += ["delivery__uid", "position"]


def _changes(changed: dict[str, list]) -> SafeString:
    return format_html_join(
        "",
        "<div>{}: {} → {}</div>",
        ((name, _or_empty(old), _or_empty(new)) for name, (old, new) in changed.items()),
    )


def _or_empty(value: Any) -> str:
    return "(empty)" if value in (None, "") else str(value)


def _pretty(body: bytes) -> str:
    """JSON with line breaks where it is JSON, else the text as it came; cut where it is very long."""
    if not body:
        return NONE
    text = body[:SHOWN_BODY].decode("utf-8", "backslashreplace")
    if len(body) > SHOWN_BODY:
        return format_html("<pre>{}</pre>The first {} of {} bytes.", text, SHOWN_BODY, len(body))
    try:
        # Numbers as they were sent: 500.00 stays 500.00.
        text = json.dumps(json.loads(text, parse_float=_Verbatim), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        pass
    return format_html("<pre>{}</pre>", text)


class _Verbatim(float):
    """A float that prints as it was written."""

    def __new__(cls, literal: str):
        number = super().__new__(cls, literal)
        number.literal = literal
        return number

    def __repr__(self) -> str:
        return self.literal


def _url(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def _delivery_link(place: int) -> str:
    delivery = Delivery.objects.filter(pk=order.delivery_of(place)).only("uid", "received_at").first()
    if delivery is None:
        return NONE
    when = timezone.localtime(delivery.received_at).strftime("%Y-%m-%d %H:%M:%S")
    return format_html('<a href="{}">{}</a> ({})', _url(Delivery, "change", delivery.pk), delivery.uid, when)


def _is_list(request: HttpRequest, model: type[models.Model]) -> bool:
    match = request.resolver_match
    return (
        match is not None and match.url_name == f"{model._meta.app_label}_{model._meta.model_name}_changelist"
    )
