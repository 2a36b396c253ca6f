"""A result's errors as a text that every database can search: which field, which code.

"\\nAmount\\tinvalid_type\\nStudent.id\\trequired\\n": a line for each, line ends around all, so that
none is found by a part of its name.
"""

from collections.abc import Iterable, Iterator

from django.db.models import QuerySet, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan

from .models import RecordResult

#: Where no field is wrong, but the whole: the record is no object.
WHOLE_RECORD = "(record)"
#: In bytes. It stands in an index, and PostgreSQL takes 2,704 bytes a row there. A module's fields and twenty
#: that nobody asked for have room; where they are longer, lists filter by the first that fit.
LONGEST = 2_500


def text(found: Iterable[tuple[str, str]]) -> str:
    """Of (field, code) pairs. A field is what a sender wrote, and may hold any character."""
    lines = dict.fromkeys(_line(field, code) for field, code in found)
    return cut("\n" + "".join(lines)) if lines else ""


def cut(text: str) -> str:
    """As many whole lines as there is room for."""
    encoded = text.encode()
    return text if len(encoded) <= LONGEST else encoded[: encoded.rindex(b"\n", 0, LONGEST) + 1].decode()


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
