"""What a module shows on the pages of its parents: a student's payments on the student's page.

The module declares it in its own admin, so a parent's page knows nothing of the modules below it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import F, Model, QuerySet
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from . import admin_pages as pages
from .models import SyncedRecord

SHOWN_ROWS = 25


@dataclass(frozen=True)
class Gathered:
    """Some columns of a module's records on the page of the parent that a path leads to."""

    #: "student", or by way of another parent, "registration__student".
    parent: str
    columns: Sequence[str]
    #: The column that says which are the newest.
    newest: str = "pk"
    #: A column of amounts to sum up, and the columns for whose values it is summed up apart.
    sum_of: str = ""
    sum_by: Sequence[str] = ()

    def parent_model(self, model: type[Model]) -> type[Model]:
        for name in self.parent.split("__"):
            model = model._meta.get_field(name).related_model
        return model


def gathered_field(child: admin.ModelAdmin, shown: Gathered) -> Callable[[SyncedRecord], SafeString | str]:
    """The field of the parent's page."""

    @admin.display(description=child.opts.verbose_name_plural)
    def gathered(parent: SyncedRecord) -> SafeString | str:
        # Of the parent's tenant, as a path may be long and an index begins with the tenant.
        records = child.model.objects.filter(**{"tenant": parent.tenant_id, shown.parent: parent})
        everything = pages.list_url(child.model, **{f"{shown.parent}__id__exact": parent.pk})
        sums = _sums(records, shown) if shown.sum_of else pages.NOTHING
        return sums + _rows(records, shown, everything)

    gathered.__name__ = f"gathered_{child.opts.model_name}"
    return gathered


def _rows(records: QuerySet[SyncedRecord], shown: Gathered, everything: str) -> SafeString:
    """The newest of them."""
    model = records.model
    parents = [name for name in shown.columns if model._meta.get_field(name).is_relation]
    newest = records.select_related(*parents).order_by(F(shown.newest).desc(nulls_last=True), "-pk")
    found = list(newest[: SHOWN_ROWS + 1])
    if not found:
        return pages.note("None.")
    headers = [capfirst(model._meta.verbose_name), *(_header(model, name) for name in shown.columns)]
    rows = (
        [pages.page_link(record.zoho_id, record), *(_cell(record, name) for name in shown.columns)]
        for record in found[:SHOWN_ROWS]
    )
    more = f"Only the newest {SHOWN_ROWS} are shown here." if len(found) > SHOWN_ROWS else ""
    return pages.table(headers, rows) + pages.note(more, pages.link("All in a list", everything))


def _header(model: type[Model], name: str) -> str:
    return capfirst(model._meta.get_field(name).verbose_name)


def _cell(record: SyncedRecord, name: str) -> Any:
    value = getattr(record, name)
    if isinstance(value, SyncedRecord):
        return pages.page_link(str(value), value)
    if isinstance(value, date):
        return pages.unbroken(value.isoformat())
    return pages.NONE if value in (None, "") else pages.clipped(str(value))


def _sums(records: QuerySet[SyncedRecord], shown: Gathered) -> SafeString:
    """What they come to, apart for each of the values that they are summed up by."""
    # Added up here and not by the database: SQLite would do it in floats.
    counts: Counter[tuple] = Counter()
    sums: defaultdict[tuple, Decimal] = defaultdict(Decimal)
    amounts = records.order_by(*shown.sum_by).values_list(*shown.sum_by, shown.sum_of)
    for *by, amount in amounts.iterator():
        counts[tuple(by)] += 1
        sums[tuple(by)] += amount
    if not sums:
        return pages.NOTHING
    model = records.model
    parents = _parents(model, shown, list(sums)[:SHOWN_ROWS])
    headers = [_header(model, name) for name in shown.sum_by]
    headers += [capfirst(model._meta.verbose_name_plural), f"Sum of {shown.sum_of}"]
    rows = []
    for by in list(sums)[:SHOWN_ROWS]:
        cells = [parents.get(value, value[1]) for value in zip(shown.sum_by, by, strict=True)]
        rows.append([*cells, f"{counts[by]:,}", f"{sums[by]:,.2f}"])
    more = len(sums) - len(rows)
    return pages.table(headers, rows) + pages.note(f"and {more:,} more" if more else "")


def _parents(model: type[Model], shown: Gathered, found: list[tuple]) -> dict[tuple[str, int], SafeString]:
    """Links to the parents that sums are apart for, by column and number."""
    links = {}
    for place, name in enumerate(shown.sum_by):
        field = model._meta.get_field(name)
        if field.is_relation:
            parents = field.related_model.objects.in_bulk({by[place] for by in found})
            links |= {(name, pk): pages.page_link(str(parent), parent) for pk, parent in parents.items()}
    return links
