"""SyncService: parse, resolve, compare, write. What a module adds is a declaration."""

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from . import storing
from .fingerprints import fingerprint
from .models import State, SyncedRecord, Tenant
from .order import Marks, Order, place_of
from .prepared import Prepared, Question
from .serializers import FieldError, RecordSerializer
from .storing import MARK_COLUMNS, Row

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Candidate:
    """A parsed record at its place in the order of arrival, on its way to be stored."""

    position: int
    place: int
    zoho_id: str | None
    errors: list[FieldError] = field(default_factory=list)
    order: Order | None = None
    values: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    #: An earlier attempt has decided it: what came since then stands, whatever the sender's marks say.
    decided: bool = False

    def moved(self, place: int, *, decided: bool) -> "Candidate":
        """The same record at another place in the order."""
        if place == self.place and decided == self.decided:
            return self
        order = self.order and self.order._replace(place=place)
        return replace(self, place=place, order=order, decided=decided)


@dataclass(slots=True)
class Outcome:
    """What became of a candidate.

    waits_for is (module, Zoho id) of the parent of a parked one; cause, for staff alone, is what the
    database said of an ERROR.
    """

    candidate: Candidate
    state: State
    message: str
    errors: list[FieldError] = field(default_factory=list)
    changed_fields: dict[str, list] = field(default_factory=dict)
    waits_for: tuple[str, str] | None = None
    cause: str = ""


class SyncService:
    """Keeps one module's table a mirror of what was delivered."""

    # Subclass declares

    #: The module's name in the address and in the tables: "payments".
    module: str
    model: type[SyncedRecord]
    serializer_class: type[RecordSerializer]
    #: The model's foreign keys and the services whose records they point at.
    dependencies: dict[str, type["SyncService"]] = {}

    # The machinery

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant

    @classmethod
    def label(cls) -> str:
        """What one record is called in a sentence: "Payment"."""
        return str(cls.model._meta.verbose_name).capitalize()

    @classmethod
    def not_stored(cls) -> str:
        """What is said of an ERROR."""
        return f"{cls.label()} could not be stored. It is kept and can be replayed."

    @classmethod
    def id_key(cls) -> str:
        """The key of the record's id in an answer: "zoho_payment_id"."""
        return f"zoho_{cls.model._meta.model_name}_id"

    @classmethod
    @cache
    def columns(cls) -> list[str]:
        return list(cls.serializer_class.data_fields().values())

    @classmethod
    @cache
    def paths(cls) -> list[str]:
        """Where the ORM finds the values of the columns: a lookup's is its parent's Zoho id."""
        return [f"{name}__zoho_id" if name in cls.dependencies else name for name in cls.columns()]

    @classmethod
    @cache
    def lookups(cls) -> dict[str, str]:
        """The model's foreign key for each of Zoho's lookups: {"Student": "student"}."""
        fields = cls.serializer_class.data_fields().items()
        return {zoho_name: name for zoho_name, name in fields if name in cls.dependencies}

    # What is asked of the table, by the Zoho ids or the primary keys of a batch's records

    @classmethod
    @cache
    def numbers(cls) -> Prepared:
        """(Zoho id, primary key)"""
        return cls._by_zoho_id("zoho_id", "pk")

    @classmethod
    @cache
    def marks(cls) -> Prepared:
        """(Zoho id, primary key, fingerprint, *MARK_COLUMNS)"""
        return cls._by_zoho_id("zoho_id", "pk", "fingerprint", *MARK_COLUMNS)

    @classmethod
    def _by_zoho_id(cls, *columns: str) -> Prepared:
        records = cls.model.objects.order_by().values_list(*columns)
        return Prepared(lambda tenant, zoho_ids: records.filter(tenant=tenant, zoho_id__in=zoho_ids))

    @classmethod
    @cache
    def stored_values(cls) -> Prepared:
        """(Zoho id, *columns), lookups as Zoho ids"""
        records = cls.model.objects.order_by().values_list("zoho_id", *cls.paths())
        return Prepared(lambda numbers: records.filter(pk__in=numbers))

    # Parsing: no database, no lock

    def parse(self, records: Iterable[tuple[int, int, Any]]) -> list[Candidate]:
        """Candidates of (delivery's number, position in it, record as JSON value)."""
        serializer = self.serializer_class()
        ignore_unknown = self.tenant.unknown_fields == Tenant.UnknownFields.IGNORE
        candidates = []
        for delivery_id, position, record in records:
            place = place_of(delivery_id, position)
            parsed = serializer.parse(record, ignore_unknown=ignore_unknown)
            candidate = Candidate(position, place, parsed.zoho_id, parsed.errors)
            if not parsed.errors:
                values = parsed.values
                candidate.order = Order(values.pop("modified_time"), values.pop("version"), place)
                candidate.values = values
                candidate.fingerprint = fingerprint(values)
            candidates.append(candidate)
        return candidates

    # Syncing: inside the tenant's turn, in a transaction

    def questions(self, candidates: Sequence[Candidate]) -> list[Question]:
        """What sync() has to know: each foreign key's parents, then what is stored of the records."""
        good = [candidate for candidate in candidates if not candidate.errors]
        return [
            *(
                service.numbers().of(self.tenant.pk, list({c.values[name] for c in good} - {None}))
                for name, service in self.dependencies.items()
            ),
            self.marks().of(self.tenant.pk, list({candidate.zoho_id for candidate in good})),
        ]

    def sync(self, candidates: Sequence[Candidate], known: Sequence[list[tuple]]) -> list[Outcome]:
        """Stores the candidates and says what became of each, in their order.

        known is what questions() of these or more candidates found in this turn.
        """
        outcomes: dict[int, Outcome] = {}
        *found, stored = known
        parents = self._parents(found)
        groups: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            if candidate.errors:
                outcomes[candidate.place] = _invalid(candidate, candidate.errors)
            elif missing := self._missing(candidate, parents):
                outcomes[candidate.place] = _parked(candidate, missing)
            else:
                groups[candidate.zoho_id].append(candidate)
        stored = self._stored(groups, stored)
        self._settle(groups, stored, parents, outcomes)
        return [outcomes[candidate.place] for candidate in candidates]

    def _parents(self, found: Sequence[list[tuple]]) -> dict[str, dict[str, int]]:
        """For each foreign key the primary keys of the tenant's parents by Zoho id."""
        return {name: dict(rows) for name, rows in zip(self.dependencies, found, strict=True)}

    def _missing(
        self, candidate: Candidate, parents: dict[str, dict[str, int]]
    ) -> list[tuple[str, type["SyncService"], str]]:
        """(Zoho's field, the parent's service, its Zoho id) of every parent that is not there."""
        return [
            (zoho_name, self.dependencies[name], wanted)
            for zoho_name, name in self.lookups().items()
            if (wanted := candidate.values[name]) is not None and wanted not in parents[name]
        ]

    def _stored(self, groups: dict[str, list[Candidate]], stored: list[tuple]) -> dict[str, Row]:
        """What is stored of these records; the values only of those that some candidate differs from."""
        rows = {
            zoho_id: Row(pk, zoho_id, Marks(*marks), print_, None)
            for zoho_id, pk, print_, *marks in stored
            if zoho_id in groups
        }
        differing = [
            zoho_id
            for zoho_id, row in rows.items()
            if any(candidate.fingerprint != row.fingerprint for candidate in groups[zoho_id])
        ]
        if differing:
            for zoho_id, *values in self.stored_values()([rows[zoho_id].pk for zoho_id in differing]):
                rows[zoho_id].values = dict(zip(self.columns(), values, strict=True))
        return rows

    def _settle(
        self,
        groups: dict[str, list[Candidate]],
        stored: dict[str, Row],
        parents: dict[str, dict[str, int]],
        outcomes: dict[int, Outcome],
    ) -> None:
        """Compares every record with what is stored and writes them together, the refused ones singly."""
        final: dict[str, Row] = {}
        for zoho_id, group in groups.items():
            row = stored.get(zoho_id)
            for candidate in group:
                outcomes[candidate.place], row = self.compare(row, candidate)
            final[zoho_id] = row
        changed = [row for zoho_id, row in final.items() if row is not stored.get(zoho_id)]
        for zoho_id, cause in storing.write(self, changed, stored, parents).items():
            self._settle_singly(groups[zoho_id], stored.get(zoho_id), parents, outcomes, cause)

    def _settle_singly(
        self,
        group: list[Candidate],
        row: Row | None,
        parents: dict[str, dict[str, int]],
        outcomes: dict[int, Outcome],
        cause: str,
    ) -> None:
        """One record whose write was refused: its candidates in turn, as if each had been posted alone."""
        if len(group) == 1:
            outcomes[group[0].place] = self._error(group[0], cause)
            return
        for candidate in group:
            outcome, after = self.compare(row, candidate)
            before = {candidate.zoho_id: row} if row else {}
            refused = storing.write(self, [after], before, parents) if after is not row else {}
            if refused:
                outcome = self._error(candidate, refused[candidate.zoho_id])
            else:
                row = after
            outcomes[candidate.place] = outcome

    def _error(self, candidate: Candidate, cause: str) -> Outcome:
        return Outcome(candidate, State.ERROR, self.not_stored(), cause=f"{candidate.zoho_id}: {cause}")

    def compare(self, row: Row | None, candidate: Candidate) -> tuple[Outcome, Row]:
        """What the candidate makes of the row: the outcome, and the row after it (the same if untouched)."""
        if row is None:
            marks = Marks.first(candidate.order)
            after = Row(None, candidate.zoho_id, marks, candidate.fingerprint, candidate.values)
            return Outcome(candidate, State.NEW, f"{self.label()} created"), after
        decided_before = candidate.decided and row.marks.is_past(candidate.order)
        if decided_before or row.marks.is_newer_than(candidate.order):
            message = "No changes detected: stale, a newer version is stored"
            marks = row.marks.heard_of(candidate.order)
            after = row if marks is row.marks else replace(row, marks=marks)
            return Outcome(candidate, State.UNCHANGED, message), after
        changed = (
            {} if row.fingerprint == candidate.fingerprint else _differences(row.values, candidate.values)
        )
        if changed:
            marks = row.marks.replaced_by(candidate.order)
            after = Row(row.pk, row.zoho_id, marks, candidate.fingerprint, candidate.values)
            return Outcome(candidate, State.UPDATED, f"{self.label()} updated", changed_fields=changed), after
        outcome = Outcome(candidate, State.UNCHANGED, "No changes detected")
        marks = row.marks.confirmed_by(candidate.order)
        if marks == row.marks and row.fingerprint == candidate.fingerprint:
            return outcome, row
        return outcome, Row(row.pk, row.zoho_id, marks, candidate.fingerprint, candidate.values)


def _differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, list]:
    return {name: [_plain(old[name]), _plain(value)] for name, value in new.items() if old[name] != value}


def _plain(value: Any) -> Any:
    """A stored value as JSON shows it; amounts as text, so that no reader makes a float of them."""
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return value.isoformat() if isinstance(value, datetime.date) else value


def _invalid(candidate: Candidate, errors: list[FieldError]) -> Outcome:
    return Outcome(candidate, State.INVALID, " ".join(error.message for error in errors), errors)


def _parked(candidate: Candidate, missing: list[tuple[str, type[SyncService], str]]) -> Outcome:
    errors = [
        FieldError(
            f"{zoho_name}.id",
            "missing_dependency",
            f"{parent.label()} {zoho_id} not found. Create {parent.label().lower()} first.",
        )
        for zoho_name, parent, zoho_id in missing
    ]
    outcome = _invalid(candidate, errors)
    _, parent, zoho_id = missing[0]
    outcome.waits_for = (parent.module, zoho_id)
    return outcome


@cache
def services() -> dict[str, type[SyncService]]:
    """The modules' services by name, parents before children."""
    return {service.module: service for service in map(import_string, settings.BTEC_SYNC_SERVICES)}
