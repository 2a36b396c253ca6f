"""The page of one record's result: what it waits for, what is to be done about it, and what was sent."""

from collections.abc import Iterator

from django.utils.html import format_html
from django.utils.safestring import SafeString

from . import admin_bodies as bodies
from . import admin_pages as pages
from . import mending
from .models import RecordResult, State
from .redaction import NoRecords, record_at

ERASED = "Not kept: the record was erased at a person's request."
UNREADABLE = "It cannot be read out of the delivery's body."


def attempt(result: RecordResult) -> str:
    return f"{result.attempt}, the last" if result.current else f"{result.attempt}; a later one counts"


def sent(result: RecordResult) -> SafeString | str:
    """The record alone, as it stands in its delivery's body."""
    if result.delivery.body_removed_at:
        return bodies.removed(result.delivery)
    try:
        record = record_at(bytes(result.delivery.body), result.position)
    except NoRecords:
        return UNREADABLE
    return bodies.text_of(record.encode()) if record else ERASED


def next_step(result: RecordResult) -> SafeString | str:
    """What staff do about a record that was refused or is parked, as docs/staff.md tells it."""
    delivery = pages.page_link("Its delivery", result.delivery)
    return pages.lines([*_next_step(result), delivery])


def _next_step(result: RecordResult) -> Iterator[SafeString | str]:
    kind = mending.kind(result)
    if any(error["code"] == "erased" for error in result.errors):
        yield "It is, or points at, what was erased at a person's request, and is taken no more."
        yield "Delete it in Zoho, too."
    elif not mending.to_mend(RecordResult.objects.filter(pk=result.pk)).exists():
        yield from _nothing(result)
    elif kind == mending.PARKED:
        yield _parent(result)
    elif kind == State.ERROR:
        yield "The fault is on this side: our database refused the record. Tell your operator."
        yield "Nothing is lost: once the cause is mended, a replay stores it."
    else:
        yield from _mend(result)


def _nothing(result: RecordResult) -> Iterator[SafeString | str]:
    yield "Nothing: something later was heard of this record, and that counts."
    if result.zoho_id:
        heard = pages.list_url(
            RecordResult, q=result.zoho_id, module=result.module, tenant=result.tenant.slug
        )
        yield pages.link("All that was heard of it", heard)


def _parent(result: RecordResult) -> SafeString | str:
    parent = f"{result.waits_for_module} {result.waits_for_id}"
    if result.parent_result is None:
        return f"Send {parent} from Zoho. This record follows by itself."
    itself = pages.parents_own(result)
    if result.parent_kind == mending.PARKED:
        return format_html(
            "{} came and is {}: follow the link to the one that is really missing, and send that from Zoho. "
            "This record follows by itself.",
            parent,
            itself,
        )
    return format_html(
        "{} came and is {}: see there. Once that is mended, this record follows by itself.", parent, itself
    )


def _mend(result: RecordResult) -> Iterator[str]:
    yield "Mend it in Zoho and save it there, so that it is sent again."
    if any(error["code"] == "unexpected_field" for error in result.errors):
        yield "If many records have such a field, it was added or renamed in Zoho: tell your operator."
    if not result.zoho_id:
        yield "As nobody can tell which record it was, it stays here also when it was sent again: let it be."
