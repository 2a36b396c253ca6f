"""The service as DESIGN describes it, in plain dictionaries: what each answer and each stored row must be.

It reads nothing of btec_sync: it is the second opinion.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MODULES = ["students", "programs", "units", "registrations", "payments", "grades"]
#: The lookups of each module: Zoho's field and the parent's module.
LOOKUPS = {
    "students": {},
    "programs": {},
    "units": {},
    "registrations": {"Student": "students", "Program": "programs"},
    "payments": {"Registration": "registrations"},
    "grades": {"Student": "students", "Unit": "units"},
}


@dataclass
class Stored:
    """A mirrored record and what orders it."""

    values: dict[str, Any]
    modified_time: datetime | None
    version: int | None
    place: tuple[int, int]
    seen: tuple[int, int]


@dataclass
class Post:
    """A delivery: its number, what it held, and what it is waiting for by position."""

    number: int
    tenant: str
    module: str
    records: list[dict]
    parked: dict[int, tuple[str, str]] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    final: bool = False
    answer: Any = None


class Oracle:
    """Every tenant's tables, deliveries and keys."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], dict[str, Stored]] = {}
        self.posts: list[Post] = []
        self.keys: dict[tuple[str, str, str], Post] = {}

    def table(self, tenant: str, module: str) -> dict[str, Stored]:
        return self.tables.setdefault((tenant, module), {})

    def post(self, tenant: str, module: str, records: list[dict], key: str | None) -> tuple[int, Any, Post]:
        """(HTTP status, results, the delivery that answers) of a request that arrives now."""
        post = Post(len(self.posts) + 1, tenant, module, records)
        self.posts.append(post)
        holder = self.keys.get((tenant, module, key)) if key else None
        if holder and holder.records != records:
            return 422, None, post
        if holder and holder.final:
            return 200, holder.answer, holder
        target = holder or post
        if key:
            self.keys[tenant, module, key] = target
        return 200, self.run(target), target

    def run(self, post: Post) -> list[dict]:
        """A whole attempt, and everything that it releases. What it decided before, it does not undo."""
        post.parked = {}
        decided = [state != "INVALID" for state in post.states] or [False] * len(post.records)
        results = [self.settle(post, position, was) for position, was in enumerate(decided)]
        post.states = [result["status"] for result in results]
        if not post.final:
            post.answer, post.final = results, not post.parked
        self.release(post.tenant)
        return results

    def settle(self, post: Post, position: int, decided: bool = False) -> dict:
        record = post.records[position]
        if not record.get("valid", True):
            return {"status": "INVALID"}
        table = self.table(post.tenant, post.module)
        for name, parent in LOOKUPS[post.module].items():
            if record["values"][name] not in self.table(post.tenant, parent):
                post.parked[position] = (parent, record["values"][name])
                return {"status": "INVALID", "waits": True}
        place = (post.number, position)
        stored = table.get(record["id"])
        times = (record["modified_time"], record["version"])
        if stored is None:
            table[record["id"]] = Stored(record["values"], *times, place, place)
            return {"status": "NEW"}
        decided_before = decided and place <= stored.seen and place != stored.place
        if decided_before or is_stale(stored, *times, place):
            stored.seen = max(stored.seen, place)
            return {"status": "UNCHANGED"}
        changed = {
            name: (stored.values[name], value)
            for name, value in record["values"].items()
            if stored.values[name] != value
        }
        stored.values = record["values"]
        # The marks are those of the values; what says the same again without marks takes none away.
        if changed or record["modified_time"] is not None:
            stored.modified_time = record["modified_time"]
        if changed or record["version"] is not None:
            stored.version = record["version"]
        stored.place = place
        stored.seen = max(stored.seen, place)
        return {"status": "UPDATED", "changed": changed} if changed else {"status": "UNCHANGED"}

    def release(self, tenant: str) -> None:
        """Parked records whose parents are there, parents' modules first, in the order of arrival."""
        while ready := self.ready(tenant):
            for post, position in ready:
                del post.parked[position]
                post.states[position] = self.settle(post, position)["status"]

    def ready(self, tenant: str) -> list[tuple[Post, int]]:
        for module in MODULES:
            ready = [
                (post, position)
                for post in self.posts
                if post.tenant == tenant and post.module == module
                for position, (parent, zoho_id) in sorted(post.parked.items())
                if zoho_id in self.table(tenant, parent)
            ]
            if ready:
                return ready
        return []


def is_stale(
    stored: Stored, modified_time: datetime | None, version: int | None, place: tuple[int, int]
) -> bool:
    if stored.modified_time is not None and modified_time is not None:
        if modified_time != stored.modified_time:
            return modified_time < stored.modified_time
        return place < stored.place
    if stored.version is not None and version is not None:
        if version != stored.version:
            return version < stored.version
        return place < stored.place
    return place < stored.seen


def highest(*values: Any) -> Any:
    return max((value for value in values if value is not None), default=None)


def newest(posts: list[Post], tenant: str, module: str, zoho_id: str, tables: dict) -> dict[str, Any] | None:
    """The values that a record must end with, of all that came about it and whose parents are there.

    For records whose sender always sends the same marks; then there is one order among them.
    """
    candidates = [
        (
            highest(record["modified_time"]),
            highest(record["version"]),
            (post.number, position),
            record["values"],
        )
        for post in posts
        if (post.tenant, post.module) == (tenant, module)
        for position, record in enumerate(post.records)
        if record["id"] == zoho_id
        and record.get("valid", True)
        and all(record["values"][n] in tables.get((tenant, p), {}) for n, p in LOOKUPS[module].items())
    ]
    if not candidates:
        return None
    # Times of one kind are all there or all missing, so None never meets a value.
    return max(candidates, key=lambda c: (c[0] is not None and c[0], c[1] is not None and c[1], c[2]))[3]
