"""The filters beside Records to mend. What they offer is counted in what the user may see of it."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.contrib import admin
from django.db.models import Min, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from . import faults, mending
from .admin_filters import LinkedFilter
from .admin_paging import WorkPaginator
from .faults import pairs
from .models import RecordResult


class OneOfParentFilter(LinkedFilter):
    """Of the records that wait for the same parent one: so each missing parent stands in the list once."""

    title = "missing parents"
    parameter_name = "parents"

    def label(self, value):
        return "One record for each"

    def filtered(self, queryset, value):
        parked = queryset.exclude(waits_for_id="").order_by()
        parents = parked.values("tenant", "waits_for_module", "waits_for_id")
        return queryset.filter(pk__in=parents.annotate(one=Min("pk")).values("one"))


class OpenFilter(admin.SimpleListFilter):
    """The base of filters beside Records to mend. What they offer is counted in the user's own tenants."""

    # Subclass declares title, parameter_name; values(), narrowed()

    #: The most frequent are offered. Any other can be asked for in the address.
    most_offered = 15

    def values(self, waits_for: str, faults: str) -> Iterable[str]:
        """Those of one record: of the parent that it waits for, and of the text of its errors."""
        raise NotImplementedError

    def narrowed(self, to_mend: QuerySet[RecordResult], value: str) -> QuerySet[RecordResult]:
        raise NotImplementedError

    # The machinery

    def lookups(self, request, model_admin):
        newest = _newest_to_mend(request, model_admin)
        more = "+" if newest.total() == WorkPaginator.most_rows else ""
        counts: Counter[str] = Counter()
        for alike, n in newest.items():
            counts.update(dict.fromkeys(self.values(*alike), n))
        most = sorted(counts.items(), key=lambda found: (-found[1], found[0]))[: self.most_offered]
        return [(value, f"{value} ({n:,}{more})") for value, n in most]

    def has_output(self):
        return bool(self.lookup_choices) or self.value() is not None

    def queryset(self, request, queryset):
        return queryset if not self.value() else self.narrowed(queryset, self.value())

    def choices(self, changelist):
        yield from super().choices(changelist)
        if self.value() and self.value() not in dict(self.lookup_choices):
            yield {
                "selected": True,
                "query_string": changelist.get_query_string(),
                "display": self.value(),
            }


def _newest_to_mend(request: HttpRequest, model_admin: admin.ModelAdmin) -> Counter[tuple[str, str]]:
    """How many of the newest wait for the same and have the same errors; asked for once in a request."""
    if not hasattr(request, "newest_to_mend"):
        newest = model_admin.get_queryset(request).order_by(*model_admin.ordering)
        rows = newest.values_list("waits_for_module", "waits_for_id", "faults")[: WorkPaginator.most_rows]
        request.newest_to_mend = Counter(
            (f"{module} {zoho_id}".strip(), text) for module, zoho_id, text in rows
        )
    return request.newest_to_mend


class KindFilter(admin.SimpleListFilter):
    """Parked, INVALID that waits for no parent, or ERROR."""

    title = "state"
    parameter_name = "kind"

    def lookups(self, request, model_admin):
        return [(kind, kind) for kind in mending.KINDS]

    def queryset(self, request, queryset):
        return queryset.filter(mending.of_kind(self.value())) if self.value() else queryset


class MissingParentFilter(OpenFilter):
    """By the parent that parked records wait for: "students stud_456", or all of a module: "students"."""

    title = "missing parent"
    parameter_name = "waits_for"

    def values(self, waits_for, faults):
        return [waits_for] if waits_for else []

    def narrowed(self, to_mend, value):
        module, _, zoho_id = value.partition(" ")
        wanted = (
            {"waits_for_module": module, "waits_for_id": zoho_id} if zoho_id else {"waits_for_module": module}
        )
        return to_mend.exclude(waits_for_id="").filter(**wanted)


class CodeFilter(OpenFilter):
    """By the code of an error, as docs/answers.md lists them."""

    title = "error code"
    parameter_name = "code"

    def values(self, waits_for, faults):
        return [code for _, code in pairs(faults)]

    def narrowed(self, to_mend, value):
        return faults.with_code(to_mend, value)


class FieldFilter(OpenFilter):
    """By the field that an error is about, as Zoho spells it."""

    title = "field"
    parameter_name = "field"

    def values(self, waits_for, faults):
        return [field for field, _ in pairs(faults)]

    def narrowed(self, to_mend, value):
        return faults.with_field(to_mend, value)


class AgeFilter(admin.SimpleListFilter):
    """By how long ago the record came."""

    title = "how long"
    parameter_name = "age"
    RECENT = "0"

    def lookups(self, request, model_admin):
        longer = [(str(days), f"Longer than {days} days") for days in (7, 30)]
        return [(self.RECENT, "Less than a day"), ("1", "Longer than a day"), *longer]

    def queryset(self, request, queryset):
        if self.value() == self.RECENT:
            return queryset.filter(delivery__received_at__gte=_days_ago(1))
        if self.value() in ("1", "7", "30"):
            return queryset.filter(delivery__received_at__lt=_days_ago(int(self.value())))
        return queryset


def _days_ago(days: int) -> datetime:
    return timezone.now() - timedelta(days=days)
