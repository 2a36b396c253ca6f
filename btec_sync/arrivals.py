"""Parents that came while records waited for them, or that never will as they were erased.

An Arrival is written in the transaction that decides it, in the tenant's turn, whatever number of records
wait; it is gone when none of them does. parking.py lets these go on.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cache

from django.db.models import Exists, OuterRef, QuerySet

from . import writing
from .models import Arrival, RecordResult, State, Tenant
from .prepared import Prepared
from .services import Outcome, SyncService, services
from .statements import execute


def note(service: SyncService, outcomes: Iterable[Outcome]) -> bool:
    """Notes those that are NEW and that others wait for; whether there were any. In the turn."""
    if not _has_children(type(service)):
        return False
    new = {outcome.candidate.zoho_id for outcome in outcomes if outcome.state == State.NEW}
    if not new:
        return False
    awaited = [zoho_id for (zoho_id,) in _awaited(type(service))(service.tenant.pk, list(new))]
    add(service.tenant, service.module, awaited)
    return bool(awaited)


def add(tenant: Tenant, module: str, zoho_ids: Collection[str]) -> None:
    """What waits for one of these may go on. In the turn."""
    if zoho_ids:
        alike = {"tenant": tenant.pk, "module": module}
        unique = ["tenant", "module", "zoho_id"]
        execute(writing.insert(Arrival, {"zoho_id": sorted(zoho_ids)}, alike, unique=unique))


def revoke(tenant: Tenant, outcomes: Iterable[Outcome]) -> None:
    """Forgets those that records have just been found to wait for: somebody took them away. In the turn."""
    missing = defaultdict(set)
    for module, zoho_id in {outcome.waits_for for outcome in outcomes} - {None}:
        missing[module].add(zoho_id)
    for module, zoho_ids in missing.items():
        gone = Arrival.objects.filter(
            tenant=tenant, module=module, zoho_id__in=writing.one_of(list(zoho_ids))
        )
        gone.delete()


def first(tenant: Tenant, most: int) -> list[tuple[str, str]]:
    """(module, Zoho id), the earliest first."""
    return _first(most)(tenant.pk)


def forget(tenant: Tenant, most: int) -> int:
    """Forgets those of the first that nothing waits for any more, and says how many. In the turn."""
    first = Arrival.objects.filter(tenant=tenant).order_by("pk")[:most]
    waited_for = _waited_for(OuterRef("tenant"), OuterRef("module"), OuterRef("zoho_id"))
    return Arrival.objects.filter(pk__in=first.values("pk")).exclude(waited_for).delete()[0]


def waiting(**which: object) -> QuerySet[RecordResult]:
    """Parked results, in the words of their index, of the modules that there are."""
    parked = RecordResult.objects.filter(current=True, module__in=list(services()), **which)
    return parked.exclude(waits_for_id="").order_by()


def _waited_for(tenant: object, module: object, zoho_id: object) -> Exists:
    return Exists(waiting(tenant=tenant, waits_for_module=module, waits_for_id=zoho_id))


@cache
def _awaited(service: type[SyncService]) -> Prepared:
    records = service.model.objects.order_by().values_list("zoho_id")

    def build(tenant, zoho_ids):
        waits = _waited_for(OuterRef("tenant"), service.module, OuterRef("zoho_id"))
        return records.filter(waits, tenant=tenant, zoho_id__in=zoho_ids)

    return Prepared(build)


@cache
def _first(most: int) -> Prepared:
    arrivals = Arrival.objects.order_by("pk").values_list("module", "zoho_id")
    return Prepared(lambda tenant: arrivals.filter(tenant=tenant)[:most])


@cache
def _has_children(service: type[SyncService]) -> bool:
    return any(service in other.dependencies.values() for other in services().values())
