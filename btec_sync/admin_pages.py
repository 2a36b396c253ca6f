"""What the admin's pages are put together from: links, values, tables of results.

All that is shown was sent by somebody: it is escaped, and cut where it is long.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince

from . import mending
from .models import Delivery, RecordResult, State, SyncedRecord
from .order import delivery_of
from .services import services

NONE = "-"
NOTHING = SafeString("")
NO_ID = "(no id)"
NO_RESULTS = "None. A record that is UNCHANGED has no result of its own."
NO_RESULTS_OF = {
    Delivery.State.RECEIVED: "None yet: it was not processed.",
    Delivery.State.REJECTED: "None: it was refused as a whole.",
    Delivery.State.FAILED: "None: processing crashed.",
}
TIMELINE_LEAVES_OUT = (
    "Deliveries in which it was UNCHANGED are counted and not kept for each record, but for the newest that "
    "spoke of it: that one is shown."
)
#: A delivery's columns that are too large to be read for a list.
LARGE = ("body", "answer", "traceback")
SHOWN_RESULTS = 100
SHOWN_LINES = 20
SHOWN_VALUE = 300
SHOWN_FIELD = 60

# --- Links -------------------------------------------------------------------------------------------


def url(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def list_url(model: type[models.Model], **filters: Any) -> str:
    return f"{url(model, 'changelist')}?{urlencode(filters)}"


def link(text: Any, address: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', address, text)


def page_link(text: Any, record: models.Model) -> SafeString:
    return link(text, url(type(record), "change", record.pk))


def delivery_link(delivery: Delivery) -> SafeString:
    return link(short(delivery), url(Delivery, "change", delivery.pk))


def short(delivery: Delivery) -> str:
    """What a list has room for of a delivery's id. The search takes it, too."""
    return str(delivery.uid)[:8]


def children_link(record: SyncedRecord, relation: models.ManyToOneRel) -> SafeString:
    """How many records of a module point at this one, leading to them."""
    model, name = relation.related_model, relation.field.name
    count = model.objects.filter(**{"tenant": record.tenant_id, name: record}).count()
    label = model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural
    return link(f"{count:,} {label}", list_url(model, **{f"{name}__id__exact": record.pk}))


def results_url(record: SyncedRecord, module: str) -> str:
    return list_url(RecordResult, q=record.zoho_id, module=module, tenant=record.tenant.slug)


def record_urls(results: Iterable[RecordResult]) -> dict[str, str]:
    """The pages of the records that these results speak of, by Zoho id; all of one tenant and module."""
    found = {result.zoho_id: result for result in results}
    one = next(iter(found.values()), None)
    service = services().get(one.module) if one else None
    if service is None:
        return {}
    stored = service.model.objects.filter(tenant=one.tenant_id, zoho_id__in=found)
    return {zoho_id: url(service.model, "change", pk) for zoho_id, pk in stored.values_list("zoho_id", "pk")}


def record_link(result: RecordResult, urls: Mapping[str, str]) -> SafeString | str:
    """The page of the record, once it is stored, by its Zoho id, if that could be read."""
    page = urls.get(result.zoho_id)
    return link(result.zoho_id, page) if page else result.zoho_id or NO_ID


def waits_for(result: RecordResult) -> SafeString | str:
    """The parent that a parked record waits for, and what became of that one (mending.with_parent)."""
    if not result.current or not result.waits_for_id:
        return NONE
    parent = f"{result.waits_for_module} {result.waits_for_id}"
    if result.parent_result is None:
        return parent
    return format_html("{}, {}", parent, parents_own(result))


def parents_own(result: RecordResult) -> SafeString:
    """The state of the parent that came and was refused, leading to its own result."""
    page = url(RecordResult, "change", result.parent_result)
    return link(f"{result.parent_kind} itself", page)


# --- Values ------------------------------------------------------------------------------------------


def exact_time(moment: datetime | None) -> SafeString | str:
    """To the second, as deliveries come several in a minute."""
    if moment is None:
        return NONE
    return unbroken(_to_the_second(moment))


def unbroken(text: str) -> SafeString:
    """What would be hard to read on two lines."""
    return format_html('<span class="btec-moment">{}</span>', text)


def _to_the_second(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"


def ago(moment: datetime | None) -> SafeString | str:
    """How long ago, with the time itself beside it for whoever points at it."""
    if moment is None:
        return NONE
    elapsed = "just now" if timezone.now() - moment < A_MINUTE else f"{timesince(moment, depth=1)} ago"
    return format_html('<span class="btec-moment" title="{}">{}</span>', _to_the_second(moment), elapsed)


A_MINUTE = timedelta(minutes=1)


def day(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%a %d %b}" if moment else NONE


def figure(count: int, address: str) -> SafeString:
    """A number that leads to the list behind it; nothing leads nowhere."""
    return link(f"{count:,}", address) if count else mark_safe('<span class="btec-zero">0</span>')


def error_title(field: str, code: str) -> str:
    """An error that many records have in common: "Score: out of range"."""
    said = code.replace("_", " ")
    return f"{clipped(field, SHOWN_FIELD)}: {said}" if field else said


def joined(parts: Iterable[Any]) -> SafeString:
    return format_html_join("; ", "{}", ((part,) for part in parts))


def lines(shown: Sequence[Any], most: int = SHOWN_LINES) -> SafeString | str:
    """Each on its own line, and how many more there are."""
    more = len(shown) - most
    rows = [*shown[:most], f"and {more:,} more"] if more > 0 else shown
    return format_html_join("", "<div>{}</div>", ((row,) for row in rows)) or NONE


def changes(changed: Mapping[str, Sequence[Any]], limit: int | None = SHOWN_VALUE) -> list[str]:
    return [f"{name}: {_value(old, limit)} → {_value(new, limit)}" for name, (old, new) in changed.items()]


def errors(found: Iterable[Mapping[str, str]]) -> list[str]:
    return [f"{error['message']} ({error['code']})" for error in found]


def _value(value: Any, limit: int | None) -> str:
    return "(empty)" if value in (None, "") else clipped(str(value), limit)


def clipped(text: str, limit: int | None = SHOWN_VALUE) -> str:
    return text if limit is None or len(text) <= limit else f"{text[:limit]}…"


def table(headers: Iterable[str], rows: Iterable[Iterable[Any]]) -> SafeString:
    head = format_html_join("", '<th scope="col">{}</th>', ((header,) for header in headers))
    cells = (format_html_join("", "<td>{}</td>", ((cell,) for cell in row)) for row in rows)
    body = format_html_join("", "<tr>{}</tr>", ((row,) for row in cells))
    return scrolled(format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, body))


def scrolled(content: SafeString) -> SafeString:
    return format_html('<div class="btec-scroll">{}</div>', content)


def note(*parts: Any) -> SafeString:
    return format_html("<p>{}</p>", format_html_join(" ", "{}", ((part,) for part in parts if part)))


# --- Results -----------------------------------------------------------------------------------------


def state(result: "RecordResult | Unchanged") -> str:
    """As its delivery counts it, and whether it is parked."""
    parked = mending.kind(result) == mending.PARKED
    return f"{result.state}, {mending.PARKED}" if parked else result.state


def what_became(result: RecordResult, most_lines: int = SHOWN_LINES) -> SafeString | str:
    """The errors of a record that was refused, else the message, and what was changed."""
    said = errors(result.errors) or [clipped(result.message), *changes(result.changed_fields)]
    return lines(said, most_lines)


@dataclass(frozen=True)
class Unchanged:
    """The place in a timeline of a delivery in which the record was UNCHANGED, of which no result is kept."""

    delivery: Delivery

    state = State.UNCHANGED
    attempt = NONE
    current = False

    @property
    def created_at(self) -> datetime | None:
        return self.delivery.processed_at


def timeline(record: SyncedRecord, module: str) -> SafeString | str:
    """What every delivery that spoke of one record made of it, the newest first, as far as that is kept."""
    of_record = RecordResult.objects.filter(tenant=record.tenant_id, module=module, zoho_id=record.zoho_id)
    results = _first(of_record.order_by("-id"))
    rows = _with_newest(results, record)
    said = _results_table(
        rows,
        {
            "When": lambda result: exact_time(result.created_at),
            "Delivery": lambda result: delivery_link(result.delivery),
            "Received": lambda result: exact_time(result.delivery.received_at),
            "Attempt": lambda result: result.attempt,
            "State": state,
            "What became of it": _what_a_timeline_says,
        },
        results_url(record, module),
    )
    return said + note(TIMELINE_LEAVES_OUT)


def _with_newest(results: list[RecordResult], record: SyncedRecord) -> list[RecordResult | Unchanged]:
    """The results, and in its place the newest delivery that spoke of the record, if it has no result."""
    newest = delivery_of(record.seen)
    if any(result.delivery_id == newest for result in results):
        return results
    deliveries = Delivery.objects.filter(tenant=record.tenant_id, pk=newest)
    delivery = deliveries.only("uid", "received_at", "processed_at").first()
    older = [place for place, result in enumerate(results) if result.delivery_id < newest]
    if delivery is None or (not older and len(results) > SHOWN_RESULTS):
        return results
    place = older[0] if older else len(results)
    return [*results[:place], Unchanged(delivery), *results[place:]]


def _what_a_timeline_says(result: RecordResult | Unchanged) -> SafeString | str:
    if isinstance(result, Unchanged):
        return "No changes detected"
    return what_became(result)


def delivery_results(delivery: Delivery) -> SafeString | str:
    """What became of a delivery's records: the last attempt first, each in the order of the body."""
    results = _first(RecordResult.objects.filter(delivery=delivery.pk).order_by("-attempt", "position"))
    if not results:
        return NO_RESULTS_OF.get(delivery.state, NO_RESULTS)
    urls = record_urls(results)
    return _results_table(
        results,
        {
            "Attempt": lambda result: result.attempt,
            "Position": lambda result: result.position,
            "Record": lambda result: record_link(result, urls),
            "State": state,
            "What became of it": what_became,
        },
        list_url(RecordResult, delivery__id__exact=delivery.pk),
    )


def _first(results: QuerySet[RecordResult]) -> list[RecordResult]:
    """As many as a page shows, and one that says that there are more."""
    without_bodies = results.select_related("delivery").defer(*(f"delivery__{name}" for name in LARGE))
    return list(without_bodies[: SHOWN_RESULTS + 1])


def _results_table(
    results: Sequence[RecordResult | Unchanged], columns: Mapping[str, Callable[[Any], Any]], all_results: str
) -> SafeString | str:
    if not results:
        return NO_RESULTS
    rows = ([column(result) for column in columns.values()] for result in results[:SHOWN_RESULTS])
    more = f"Only the first {SHOWN_RESULTS} are shown here." if len(results) > SHOWN_RESULTS else ""
    return table(columns, rows) + note(more, link("All in a list", all_results))
