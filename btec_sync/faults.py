"""A result's errors as a text that every database can search: which field, which code.

"\\nAmount\\tinvalid_type\\nStudent.id\\trequired\\n": a line for each, line ends around all, so that
none is found by a part of its name.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import Count, QuerySet, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan

from .models import RecordResult

#: Where no field is wrong, but the whole: the record is no object.
WHOLE_RECORD = "(record)"
# Of so many different texts the fields and codes are counted; beyond are single records.
MOST_TEXTS = 1_000


def text(found: Iterable[tuple[str, str]]) -> str:
    """Of (field, code) pairs. A field is what a sender wrote, and may hold any character."""
    lines = dict.fromkeys(_line(field, code) for field, code in found)
    return "\n" + "".join(lines) if lines else ""


def _line(field: str, code: str) -> str:
    return f"{' '.join(field.split()) or WHOLE_RECORD}\t{code}\n"


def pairs(faults: str) -> Iterator[tuple[str, str]]:
    for line in faults.strip("\n").split("\n"):
        field, _, code = line.rpartition("\t")
        if field:
            yield field, code


def with_error(results: QuerySet[RecordResult], field: str, code: str) -> QuerySet[RecordResult]:
    return _holding(results, "\n" + _line(field, code))


def with_field(results: QuerySet[RecordResult], field: str) -> QuerySet[RecordResult]:
    return _holding(results, f"\n{field}\t")


def with_code(results: QuerySet[RecordResult], code: str) -> QuerySet[RecordResult]:
    return _holding(results, f"\t{code}\n")


def _holding(results: QuerySet[RecordResult], part: str) -> QuerySet[RecordResult]:
    # LIKE would tell Amount from amount on PostgreSQL only.
    return results.filter(GreaterThan(StrIndex("faults", Value(part)), 0))


def texts(results: QuerySet[RecordResult]) -> list[tuple[str, int]]:
    """The texts of the results, the most frequent first, each with how many have it."""
    found = results.exclude(faults="").order_by().values_list("faults").annotate(n=Count("pk"))
    return list(found.order_by("-n")[:MOST_TEXTS])


def count(
    texts: Iterable[tuple[str, int]], of: Callable[[str, str], Any] = lambda field, code: (field, code)
) -> Counter:
    """How many results have each pair, or what is made of one, such as its code."""
    counts: Counter = Counter()
    for found, n in texts:
        counts.update(dict.fromkeys((of(*pair) for pair in pairs(found)), n))
    return counts
