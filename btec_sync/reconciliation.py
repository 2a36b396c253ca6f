"""Comparing an export with what is stored, without writing anything.

However many records there are, a thousand are in memory at a time: the ids of the file are kept in a
temporary file of their own.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from . import tombstones, wire
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


def compare(
    service: SyncService, records: Iterable[tuple[int, bytes]], comparison: Comparison
) -> Iterator[int]:
    """Compares all records of the export with all of the tenant's, yields how many were read at a time.

    Raises WrongFile. What changes while it runs may be told either way.
    """
    with closing(sqlite3.connect("")) as ids:  # a file of SQLite's own, that is gone when it is closed
        ids.execute("CREATE TABLE seen (zoho_id TEXT PRIMARY KEY) WITHOUT ROWID")
        records = iter(records)
        while batch := list(islice(records, BATCH)):
            _compare_batch(service, batch, ids, comparison)
            yield len(batch)
        for extra in _not_seen(service, ids):
            comparison.add("extra", extra)


def _compare_batch(
    service: SyncService,
    batch: Sequence[tuple[int, bytes]],
    ids: sqlite3.Connection,
    comparison: Comparison,
) -> None:
    candidates = service.parse((0, n, wire.loads(text)) for n, (_, text) in enumerate(batch))
    erased = tombstones.find(service, candidates)
    stored = _stored(service, [c.zoho_id for c in candidates if c.zoho_id])
    for candidate, (line, _) in zip(candidates, batch, strict=True):
        zoho_id = candidate.zoho_id
        if zoho_id and not ids.execute("INSERT OR IGNORE INTO seen VALUES (?)", [zoho_id]).rowcount:
            comparison.add("repeated", f"{zoho_id} (line {line:,})")
        if (service.module, zoho_id) in erased:
            comparison.add("erased", f"{zoho_id} (line {line:,})")
        elif candidate.errors:
            said = " ".join(error.message for error in candidate.errors)
            comparison.add("invalid", f"{zoho_id or '(no id)'} (line {line:,}): {said}")
        elif zoho_id not in stored:
            comparison.add("missing", f"{zoho_id} (line {line:,})")
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
    told = (f"{name} is {stored[name]}, in the file {candidate.values[name]}" for name in differing)
    comparison.add(kind, f"{candidate.zoho_id}: {'; '.join(told)}")


def _stored(service: SyncService, zoho_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The stored values of these records by Zoho id, lookups as Zoho ids."""
    rows = service.model.objects.filter(tenant=service.tenant, zoho_id__in=zoho_ids).order_by()
    names = [*service.columns(), "modified_time"]
    return {
        zoho_id: dict(zip(names, values, strict=True))
        for zoho_id, *values in rows.values_list("zoho_id", *service.paths(), "modified_time")
    }


def _not_seen(service: SyncService, ids: sqlite3.Connection) -> Iterator[str]:
    """The Zoho ids that are stored and not in the export."""
    rows = service.model.objects.filter(tenant=service.tenant).order_by("zoho_id")
    last = ""
    while page := list(rows.filter(zoho_id__gt=last).values_list("zoho_id", flat=True)[:BATCH]):
        marks = ", ".join("?" * len(page))
        found = {one for (one,) in ids.execute(f"SELECT zoho_id FROM seen WHERE zoho_id IN ({marks})", page)}
        yield from (zoho_id for zoho_id in page if zoho_id not in found)
        last = page[-1]
