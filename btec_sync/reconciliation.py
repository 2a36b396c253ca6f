"""Comparing exports with what is stored, without writing anything.

However many records there are, a thousand are in memory at a time: the ids of the files are kept in a
temporary file of their own.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from copy import copy
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from . import tombstones, wire
from .bulk_read import Export, naming
from .services import Candidate, SyncService

BATCH = 1_000


@dataclass
class Comparison:
    """How many records are of which kind, and the first `most` of each kind in words."""

    most: int
    counts: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    shown: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, words: str) -> None:
        self.counts[kind] += 1
        listed = self.shown.setdefault(kind, [])
        if len(listed) < self.most:
            listed.append(words)


def compare(service: SyncService, exports: Sequence[Export], comparison: Comparison) -> Iterator[int]:
    """Compares all records of the exports, as one whole, with all of the tenant's, yields how many were read.

    What a file has no column for is not compared. Raises WrongFile. What changes while it runs may be told
    either way.
    """
    with closing(sqlite3.connect("")) as ids:  # a file of SQLite's own, that is gone when it is closed
        ids.execute("CREATE TABLE seen (zoho_id TEXT PRIMARY KEY) WITHOUT ROWID")
        for export in exports:
            place = f"{export.path}, line" if len(exports) > 1 else "line"
            reader = _reading_without(service, export.missing)
            with naming(export.path):
                records = export.records()
                while batch := [(f"{place} {n:,}", text) for n, text in islice(records, BATCH)]:
                    _compare_batch(reader, batch, ids, comparison)
                    yield len(batch)
        for extra in _not_seen(service, ids):
            comparison.add("extra", extra)


def _reading_without(service: SyncService, missing: Sequence[str]) -> SyncService:
    """The service as it reads records of which these fields are not known, be they required or not."""
    if not missing:
        return service
    service, whole = copy(service), service.serializer_class
    # To DRF a field that a subclass sets to None is none.
    service.serializer_class = type(whole.__name__, (whole,), dict.fromkeys(missing))
    return service


def _compare_batch(
    service: SyncService,
    batch: Sequence[tuple[str, bytes]],
    ids: sqlite3.Connection,
    comparison: Comparison,
) -> None:
    candidates = service.parse((0, n, wire.loads(text)) for n, (_, text) in enumerate(batch))
    erased = tombstones.find(service, candidates)
    stored = _stored(service, [c.zoho_id for c in candidates if c.zoho_id])
    for candidate, (place, _) in zip(candidates, batch, strict=True):
        zoho_id = candidate.zoho_id
        if zoho_id and not ids.execute("INSERT OR IGNORE INTO seen VALUES (?)", [zoho_id]).rowcount:
            comparison.add("repeated", f"{zoho_id} ({place})")
        if (service.module, zoho_id) in erased:
            comparison.add("erased", f"{zoho_id} ({place})")
        elif candidate.errors:
            said = " ".join(error.message for error in candidate.errors)
            comparison.add("invalid", f"{zoho_id or '(no id)'} ({place}): {said}")
        elif zoho_id not in stored:
            comparison.add("missing", f"{zoho_id} ({place})")
        else:
            _compare_record(candidate, stored[zoho_id], comparison)


def _compare_record(candidate: Candidate, stored: dict[str, Any], comparison: Comparison) -> None:
    differing = [name for name, value in candidate.values.items() if stored[name] != value]
    if not differing:
        comparison.counts["same"] += 1
        return
    ours, theirs = stored["modified_time"], candidate.order.modified_time
    kind = "newer here" if ours and theirs and ours > theirs else "different"
    comparison.fields.update(differing)
    told = (
        f"{name} is {_shown(stored[name])}, in the file {_shown(candidate.values[name])}"
        for name in differing
    )
    comparison.add(kind, f"{candidate.zoho_id}: {'; '.join(told)}")


def _shown(value: Any) -> str:
    return "(empty)" if value in (None, "") else str(value)


def _stored(service: SyncService, zoho_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The stored values of these records by Zoho id, lookups as Zoho ids."""
    rows = service.model.objects.filter(tenant=service.tenant, zoho_id__in=zoho_ids).order_by()
    names = [*service.columns(), "modified_time"]
    return {
        zoho_id: dict(zip(names, values, strict=True))
        for zoho_id, *values in rows.values_list("zoho_id", *service.paths(), "modified_time")
    }


def _not_seen(service: SyncService, ids: sqlite3.Connection) -> Iterator[str]:
    """The Zoho ids that are stored and in none of the exports."""
    rows = service.model.objects.filter(tenant=service.tenant).order_by("zoho_id")
    last = ""
    while page := list(rows.filter(zoho_id__gt=last).values_list("zoho_id", flat=True)[:BATCH]):
        marks = ", ".join("?" * len(page))
        found = {one for (one,) in ids.execute(f"SELECT zoho_id FROM seen WHERE zoho_id IN ({marks})", page)}
        yield from (zoho_id for zoho_id in page if zoho_id not in found)
        last = page[-1]
