"""Erasing a person: their records, and every trace of these in results, bodies and answers.

The tombstones go first, so that nothing comes back while the rest is under way, and they hold all that a
run needs to know: one that was interrupted is finished by the next.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from . import results, tombstones
from .fields import Id
from .models import Delivery, RecordResult, State, Tenant, Tombstone
from .redaction import NoRecords, positions, redact_answer, redact_body, redact_move, without_ids
from .serializers import is_system_field
from .services import SyncService, services
from .turns import take_turn, with_retries
from .unreadable import names, readings

#: The module whose records are persons.
PERSONS = "students"
# Bodies that are read at once: each may hold megabytes.
BODIES = 25
# Ids are ASCII: whatever else JSON may write for one of their letters begins so.
ESCAPED = b"\\u00"

Ids = dict[str, set[str]]


class Erasure:
    """One run for one person. `report` counts what it did, or on a dry run would do.

    A transaction may be tried again, so it returns what it counts, and that is reported once it is committed.
    """

    def __init__(self, tenant: Tenant, person: str, *, dry_run: bool = False) -> None:
        self.tenant = tenant
        self.person = person
        self.dry_run = dry_run
        self.ids: Ids = {}
        self.strangers: set[str] = set()
        self.report: Counter[str] = Counter()
        # What a dry run has counted already: deliveries and results.
        self._counted: set[int] = set()
        self._results: set[int] = set()

    def to_read(self) -> int:
        """How many deliveries run() looks into, once; some modules may be read again."""
        return self._deliveries(*self._modules()).count()

    def run(self, progress: Callable[[int], Any]) -> None:
        """Erases everything, in transactions of a moment each. Calls progress with deliveries read."""
        self.report += with_retries(self._erase_records)
        known = -1
        # A record that was never stored is found in bodies, and may be named in those that were read before.
        while known < (found := sum(map(len, self.ids.values()))):
            known = found
            for module in self._modules():
                self._search(services()[module], progress)
        self.report += with_retries(self._erase_results)
        self.report["results"] += len(self._results)

    # Records

    def _erase_records(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        with transaction.atomic():
            take_turn(self.tenant)
            self.strangers = strangers(self.tenant, self.person)
            self.ids = _merged(tombstoned(self.tenant, self.person), stored_of(self.tenant, self.person))
            for module, service in reversed(services().items()):
                zoho_ids = self.ids.get(module, set())
                counted[module] = self._delete(service.model.objects, zoho_id__in=zoho_ids)
                if not self.dry_run:
                    tombstones.add(self.tenant, module, zoho_ids, person=self.person)
        return counted

    def _erase_results(self) -> Counter[str]:
        counted: Counter[str] = Counter()
        with transaction.atomic():
            take_turn(self.tenant)
            # What came and was refused meanwhile has left tombstones as well.
            self.ids = _merged(self.ids, tombstoned(self.tenant, self.person))
            for module in services():
                zoho_ids = self._ids_of(module)
                rows = RecordResult.objects.filter(tenant=self.tenant, module=module, zoho_id__in=zoho_ids)
                counted["results"] += self._erase(rows)
        return counted

    def _erase(self, rows: QuerySet[RecordResult]) -> int:
        """Deletes results, as many as it says, and counts the deliveries anew that they were of."""
        if self.dry_run:
            self._results.update(rows.values_list("pk", flat=True))
            return 0
        deliveries = set(rows.filter(current=True).values_list("delivery", flat=True))
        deleted = rows.delete()[0]
        results.recount(deliveries)
        return deleted

    def _delete(self, rows, **which: Any) -> int:
        found = rows.filter(tenant=self.tenant, **which)
        return found.count() if self.dry_run else found.delete()[0]

    # Deliveries

    def _modules(self) -> list[str]:
        """All, as anything may be sent to a wrong address; those that speak of persons come first."""
        found = {PERSONS}
        for module, service in services().items():
            if any(parent.module in found for parent in service.dependencies.values()):
                found.add(module)
        return sorted(services(), key=lambda module: module not in found)

    def _ids_of(self, module: str) -> set[str]:
        """What is the person's there: their records, and what came under their own id to a wrong address."""
        return self.ids.get(module, set()) | ({self.person} if module in self.strangers else set())

    def _deliveries(self, *modules: str):
        return Delivery.objects.filter(tenant=self.tenant, module__in=modules).order_by("pk")

    def _search(self, service: type[SyncService], progress: Callable[[int], Any]) -> None:
        """Redacts a module's deliveries."""
        concerns = self._concerns(service)
        for number, body in self._bodies(service.module, progress):
            if concerns.are_in(body):
                self._take_out(service, number, body, concerns)
                concerns = self._concerns(service)  # the body may have told of more ids

    def _concerns(self, service: type[SyncService]) -> "Concerns":
        return Concerns(service, self.person, {module: self._ids_of(module) for module in services()})

    def _bodies(self, module: str, progress: Callable[[int], Any]) -> Iterator[tuple[int, bytes]]:
        last = 0
        rows = self._deliveries(module).filter(body_removed_at=None)
        while page := list(rows.filter(pk__gt=last).values_list("pk", "body")[:BODIES]):
            for number, body in page:
                yield number, bytes(body)
            last = page[-1][0]
            progress(len(page))

    def _take_out(self, service: type[SyncService], number: int, body: bytes, concerns: "Concerns") -> None:
        if not self.dry_run:
            self.report += with_retries(lambda: self._redact(service, number, concerns))
        elif number not in self._counted:
            self._counted.add(number)
            found = self._find(service, concerns, body)
            self.report += _report_of(found)
            self._erase(RecordResult.objects.filter(delivery=number, position__in=found or []))

    def _redact(self, service: type[SyncService], number: int, concerns: "Concerns") -> Counter[str]:
        with transaction.atomic():
            take_turn(self.tenant)
            delivery = (
                Delivery.objects.only("body", "answer", "attempts", "unchanged").filter(pk=number).first()
            )
            if delivery is None or not delivery.body:
                return Counter()
            body = bytes(delivery.body)
            found = self._find(service, concerns, body)
            counted = _report_of(found)
            # What the database said of a record repeats it.
            changes: dict[str, Any] = {"traceback": ""}
            if found is None:
                changes |= {"body": b"", "body_removed_at": timezone.now(), "state": Delivery.State.REJECTED}
            else:
                answer = redact_answer(bytes(delivery.answer), service, found)
                changes |= {"body": redact_body(body, found), "answer": answer}
                rows = RecordResult.objects.filter(delivery=number, position__in=found)
                changes["unchanged"] = delivery.unchanged - _unchanged(delivery, rows, found)
                counted["results"] = self._erase(rows)
                new = tombstones.own(service(self.tenant), concerns.own)
                tombstones.add(self.tenant, service.module, new, person=self.person)
                self._forget_moves(service, concerns.own - new, set().union(*concerns.parents.values()))
            Delivery.objects.filter(pk=number).update(**changes)
        return counted

    def _forget_moves(self, service: type[SyncService], moved: set[str], erased: set[str]) -> None:
        """Of a record that is somebody else's by now: that it was this person's before."""
        rows = RecordResult.objects.filter(tenant=self.tenant, module=service.module, zoho_id__in=moved)
        for result in rows.filter(state=State.UPDATED):
            changed = without_ids(result.changed_fields, service, erased)
            if changed == result.changed_fields:
                continue
            RecordResult.objects.filter(pk=result.pk).update(changed_fields=changed)
            delivery = Delivery.objects.only("answer").get(pk=result.delivery_id)
            answer = redact_move(bytes(delivery.answer), service, result.position, erased)
            Delivery.objects.filter(pk=delivery.pk).update(answer=answer)

    def _find(self, service: type[SyncService], concerns: "Concerns", body: bytes) -> list[int] | None:
        """Where the person stands in the body; None where it can only be removed as a whole.

        The ids that it tells of are known from then on.
        """
        concerns.own = set()
        try:
            found = positions(body, concerns)
        except NoRecords:
            return None
        self.ids.setdefault(service.module, set()).update(tombstones.own(service(self.tenant), concerns.own))
        return found


class Concerns:
    """Whether a record that came to a module is one of the erased or points at one.

    `own` gathers the ids under which the module may have such records: not those of what only names the
    person where the module has no field for that.
    """

    def __init__(self, service: type[SyncService], person: str, ids: Ids) -> None:
        self.person = person
        self.own: set[str] = set()
        self.erased = ids[service.module]
        self.parents = _parents(service, ids)
        # A lookup is read as it is meant, whatever address it came to.
        self.lookups = {k: v for one in services().values() for k, v in _parents(one, ids).items()}
        self.named = {person}.union(self.erased, *self.lookups.values())
        self.needles = [zoho_id.encode() for zoho_id in sorted(self.named)]

    def __call__(self, record: Any) -> bool:
        if not isinstance(record, dict):
            return _names(record, {self.person})
        if self._is_own(record):
            zoho_id = record.get("id")
            if isinstance(zoho_id, str) and Id.PATTERN.fullmatch(zoho_id):
                self.own.add(zoho_id)
            return True
        return any(
            (name in self.lookups and _id(value) in self.lookups[name])
            # Below a lookup stands what is a record of the lookup's module, if it is any.
            or _names(value, self.lookups.get(name, {self.person}))
            for name, value in record.items()
            # Who owns a record, or changed it last, is somebody of the office.
            if not is_system_field(name)
        )

    def _is_own(self, record: dict) -> bool:
        return _id(record) in self.erased or any(
            _id(record.get(name)) in ids for name, ids in self.parents.items()
        )

    def are_in(self, body: bytes) -> bool:
        """Whether the body holds such records, or is none of records and names one of the ids."""
        if not self._may_be_in(body):
            return False
        try:
            return bool(positions(body, self))
        except NoRecords:
            return any(names(reading, self.named) for reading in readings(body))

    def _may_be_in(self, body: bytes) -> bool:
        return any(
            ESCAPED in reading or any(needle in reading for needle in self.needles)
            for reading in readings(body)
        )


def _parents(service: type[SyncService], ids: Ids) -> Ids:
    """The ids that each of a module's lookups may name."""
    return {
        zoho_name: ids[service.dependencies[name].module] for zoho_name, name in service.lookups().items()
    }


def _names(value: Any, ids: Collection[str]) -> bool:
    return any(_id(inner) in ids for inner in _objects_in(value))


def _objects_in(value: Any) -> Iterator[dict]:
    """Every object in it, itself and however deep."""
    inner = [value]
    while inner:
        value = inner.pop()
        if isinstance(value, dict):
            yield value
        inner += _values(value)


def _values(value: Any) -> Collection[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _report_of(found: list[int] | None) -> Counter[str]:
    """What a report says of a body with these places."""
    if found is None:
        return Counter({"bodies removed": 1})
    return Counter({"bodies redacted": 1, "records in bodies": len(found)})


def _unchanged(delivery: Delivery, rows: QuerySet[RecordResult], places: Collection[int]) -> int:
    """How many of these places its last attempt counted as UNCHANGED: those that have no result."""
    if not delivery.attempts:
        return 0
    told = rows.filter(current=True).count()
    return min(delivery.unchanged, len(places) - told)


def _id(value: Any) -> str | None:
    """The id of an object, or that is an id itself, as it was meant: `{"Id": "stud_1 "}` means stud_1."""
    if isinstance(value, dict):
        value = next((inner for name, inner in value.items() if name.strip().lower() == "id"), None)
    return value.strip() if isinstance(value, str) else None


def strangers(tenant: Tenant, person: str) -> set[str]:
    """The modules that have no record of their own under a person's id: what came to them under it is the
    person's, at a wrong address. Parked and ERROR are a module's own; plainly INVALID proves nothing."""
    results = RecordResult.objects.filter(tenant=tenant, zoho_id=person)
    own = results.exclude(state=State.INVALID, waits_for_id="").order_by().distinct()
    known = {PERSONS, *own.values_list("module", flat=True)}
    return {
        module
        for module, service in services().items()
        if module not in known and not service.model.objects.filter(tenant=tenant, zoho_id=person).exists()
    }


def stored_of(tenant: Tenant, person: str) -> Ids:
    """The Zoho ids of a person's records by module: theirs, and what points at them, to the end."""
    found: Ids = {PERSONS: {person}}
    pks: dict[str, list[int]] = {}
    for module, service in services().items():
        rows = service.model.objects.none()
        if module == PERSONS:
            rows = service.model.objects.filter(tenant=tenant, zoho_id=person)
        for name, parent in service.dependencies.items():
            if pks.get(parent.module):
                rows |= service.model.objects.filter(tenant=tenant, **{f"{name}__in": pks[parent.module]})
        pairs = dict(rows.values_list("pk", "zoho_id"))
        if pairs:
            pks[module] = list(pairs)
            found.setdefault(module, set()).update(pairs.values())
    return found


def tombstoned(tenant: Tenant, person: str) -> Ids:
    """The same of what was erased before."""
    found: Ids = {}
    rows = Tombstone.objects.filter(tenant=tenant, person=person).order_by()
    for module, zoho_id in rows.values_list("module", "zoho_id"):
        found.setdefault(module, set()).add(zoho_id)
    return found


def _merged(one: Ids, other: Ids) -> Ids:
    return {module: one.get(module, set()) | other.get(module, set()) for module in {*one, *other}}
