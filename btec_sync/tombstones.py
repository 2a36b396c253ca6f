"""What was erased at a person's request stays out (docs/adr/0012-erasure.md).

refuse() is the one place where deliveries are held against the tombstones, in the tenant's turn.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from . import arrivals
from .models import Delivery, Tenant, Tombstone
from .order import delivery_of
from .prepared import Prepared
from .redaction import redact_body
from .serializers import FieldError
from .services import Candidate, SyncService
from .writing import one_of

#: A row where the tenant has tombstones at all.
ANY = Prepared(lambda tenant: Tombstone.objects.filter(tenant=tenant).order_by().values_list("pk")[:1])

#: (module, Zoho id) of an erased record, and the person on whose request.
Erased = dict[tuple[str, str], str]


def refuse(service: SyncService, candidates: Sequence[Candidate], *, some: object) -> list[Candidate]:
    """The candidates, those that were erased or point at what was erased with that as their one error.

    They become INVALID, are erased from their bodies at once, and get tombstones of their own, so that
    what points at them is refused as well. In the tenant's turn; some says whether there are any at all.
    """
    if not some:
        return list(candidates)
    erased = find(service, candidates)
    kept, refused = [], []
    for candidate in candidates:
        found = next((named for named in _names(service, candidate) if named[1:] in erased), None)
        if found is None:
            kept.append(candidate)
            continue
        refused.append((candidate, erased[found[1:]]))
        kept.append(replace(candidate, errors=[_error(service, *found)]))
    _bury(service, refused)
    return kept


def find(service: SyncService, candidates: Sequence[Candidate]) -> Erased:
    """Those of the records that the candidates are or point at that were erased. One query."""
    named = {named[1:] for candidate in candidates for named in _names(service, candidate)}
    if not named:
        return {}
    modules, zoho_ids = (list(set(column)) for column in zip(*named, strict=True))
    # More than is asked for, where an id stands in two modules; a pair decides.
    found = Tombstone.objects.filter(
        tenant=service.tenant, module__in=modules, zoho_id__in=one_of(zoho_ids)
    ).order_by()
    rows = found.values_list("module", "zoho_id", "person")
    return {(module, zoho_id): person for module, zoho_id, person in rows}


def _names(service: SyncService, candidate: Candidate) -> list[tuple[str, str, str]]:
    """(Zoho's field, module, Zoho id) of the candidate itself and of what it points at."""
    named = [("id", service.module, candidate.zoho_id)] if candidate.zoho_id else []
    return named + [
        (f"{zoho_name}.id", service.dependencies[name].module, zoho_id)
        for zoho_name, name in service.lookups().items()
        if (zoho_id := candidate.values.get(name)) is not None
    ]


def _error(service: SyncService, field: str, module: str, zoho_id: str) -> FieldError:
    parents = {parent.module: parent for parent in service.dependencies.values()}
    label = (service if module == service.module else parents[module]).label()
    return FieldError(field, "erased", f"{label} {zoho_id} was erased at a person's request.")


def _bury(service: SyncService, refused: Iterable[tuple[Candidate, str]]) -> None:
    by_person: dict[str, set[str]] = defaultdict(set)
    by_delivery: dict[int, set[int]] = defaultdict(set)
    for candidate, person in refused:
        by_delivery[delivery_of(candidate.place)].add(candidate.position)
        if candidate.zoho_id:
            by_person[person].add(candidate.zoho_id)
    for person, zoho_ids in by_person.items():
        add(service.tenant, service.module, own(service, zoho_ids), person=person)
    for number, places in by_delivery.items():
        # A body that prune removed since it was read holds nothing any more.
        for body in Delivery.objects.filter(pk=number, body_removed_at=None).values_list("body", flat=True):
            Delivery.objects.filter(pk=number).update(body=redact_body(bytes(body), places))


def own(service: SyncService, zoho_ids: Collection[str]) -> set[str]:
    """Those that are not stored: a record that is stored points at somebody else by now."""
    stored = service.model.objects.filter(tenant=service.tenant, zoho_id__in=one_of(zoho_ids))
    return set(zoho_ids) - set(stored.values_list("zoho_id", flat=True))


def add(tenant: Tenant, module: str, zoho_ids: Collection[str], *, person: str) -> None:
    """Tombstones for these; what is parked for one of them goes on, and is then refused. In the turn."""
    rows = [Tombstone(tenant=tenant, module=module, zoho_id=one, person=person) for one in sorted(zoho_ids)]
    Tombstone.objects.bulk_create(rows, ignore_conflicts=True)
    arrivals.add(tenant, module, zoho_ids)


def lift(tenant: Tenant, person: str) -> int:
    """Lets a person's records in again, and says how many tombstones that took away."""
    return Tombstone.objects.filter(tenant=tenant, person=person).delete()[0]
