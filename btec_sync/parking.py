"""Parked records: those whose parents were not there. They are synced by themselves once these arrive.

That a parent came which others wait for is noted in the transaction that stores it (arrivals.py), in the
tenant's turn, as is the parking: so none stays parked beside a parent that is there, and whoever comes next
finds what a crash left.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import structlog
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from . import answers, arrivals, logs, results, tombstones
from .models import Delivery, RecordResult, State, Tenant
from .order import delivery_of, place_of
from .serializers import read_envelope
from .services import Candidate, Outcome, SyncService, services
from .statements import execute
from .turns import is_outage, take_turn, with_retries
from .writing import one_of

log = structlog.get_logger(__name__)

# How many are released in one transaction, so that none holds the tenant's turn for long.
BATCH = 1_000
# How many are put in their order for a batch, where they wait for several parents.
SORTED = 20_000


def release(tenant: Tenant, *, enough: int | None = None) -> bool:
    """Syncs the records whose parents have arrived, chains to their end or until enough were synced.

    Each is a new attempt on its own delivery, at that delivery's place in the order. False when some
    are left for the next call.
    """
    released = 0
    while arrived := arrivals.first(tenant, BATCH):
        if enough is not None and released >= enough:
            return False
        if ready := _ready(tenant, arrived):
            _release(tenant, ready)
            released += len(ready)
        elif not _forget(tenant):
            break  # another process is at it
    return True


class Ready(NamedTuple):
    """A result of a record that may go on now."""

    pk: int
    module: str
    delivery_id: int
    position: int


def _ready(tenant: Tenant, arrived: Sequence[tuple[str, str]]) -> list[Ready]:
    """The next batch behind these parents: of one module, parents' modules first, in the order of arrival."""
    parents = defaultdict(list)
    for module, zoho_id in arrived:
        parents[module].append(zoho_id)
    found = [result for module, zoho_ids in parents.items() for result in _behind(tenant, module, zoho_ids)]
    by_module = defaultdict(list)
    for result in sorted(found, key=lambda result: result[2:])[:BATCH]:
        by_module[result.module].append(result)
    return next((by_module[module] for module in services() if module in by_module), [])


def _behind(tenant: Tenant, module: str, zoho_ids: Sequence[str]) -> list[Ready]:
    """A batch of what waits for these parents of one module, in the order of arrival."""
    parked = arrivals.waiting(tenant=tenant, waits_for_module=module)
    while len(zoho_ids) > 1:
        behind = parked.filter(waits_for_id__in=one_of(zoho_ids))
        if behind.values("pk")[: SORTED + 1].count() <= SORTED:
            # Not in the order of an index: PostgreSQL might read all results in it, to find some of these.
            return _batch(behind.order_by(F("delivery_id") + 0, "position"))
        zoho_ids = zoho_ids[: len(zoho_ids) // 2]
    # Of one it is the index's order, which is left after a batch. By the number itself: order_by("delivery")
    # would mean that table's own order, the newest first.
    return _batch(parked.filter(waits_for_id=zoho_ids[0]).order_by("delivery_id", "position"))


def _batch(ordered: QuerySet[RecordResult]) -> list[Ready]:
    return [Ready(*row) for row in ordered.values_list(*Ready._fields)[:BATCH]]


def _forget(tenant: Tenant) -> int:
    with transaction.atomic():
        take_turn(tenant)
        return arrivals.forget(tenant, BATCH)


def _release(tenant: Tenant, ready: Sequence[Ready]) -> None:
    """Releases a batch; where that crashes, halves find the delivery at fault, which is `failed`."""
    try:
        service = services()[ready[0].module](tenant)
        candidates = _parse(service, ready)
        with_retries(lambda: _sync(service, ready, candidates))
    except Exception as error:  # whatever it is, the neighbours go on
        if is_outage(error):
            raise
        deliveries = sorted({result.delivery_id for result in ready})
        if len(deliveries) == 1:
            _give_up(tenant, ready, error)
            return
        middle = deliveries[len(deliveries) // 2]
        _release(tenant, [result for result in ready if result.delivery_id < middle])
        _release(tenant, [result for result in ready if result.delivery_id >= middle])


def _give_up(tenant: Tenant, ready: Sequence[Ready], error: Exception) -> None:
    """Makes these an ERROR and their delivery failed, unless another process has released them meanwhile.

    They wait for nothing any more but a replay. In the turn: who is releasing them now has to find them as it
    left them.
    """
    with transaction.atomic():
        take_turn(tenant)
        left = arrivals.waiting(pk__in=[result.pk for result in ready])
        message = services()[ready[0].module].not_stored()
        nobody = {"waits_for_module": "", "waits_for_id": ""}
        if left.update(state=State.ERROR, message=message, errors=[], faults="", **nobody):
            results.recount([ready[0].delivery_id])
            results.mark_failed(ready[0].delivery_id, error)


def _parse(service: SyncService, ready: Sequence[Ready]) -> list[Candidate]:
    positions = defaultdict(list)
    for result in ready:
        positions[result.delivery_id].append(result.position)
    candidates = []
    # A few bodies at a time: each may hold megabytes.
    deliveries = Delivery.objects.filter(pk__in=positions).order_by("pk").only("headers", "body")
    for delivery in deliveries.iterator(chunk_size=10):
        records = read_envelope(delivery.headers, bytes(delivery.body), most=None)
        candidates += service.parse((delivery.pk, p, records[p]) for p in positions[delivery.pk])
    return candidates


def _sync(service: SyncService, ready: Sequence[Ready], candidates: Sequence[Candidate]) -> None:
    with transaction.atomic():
        erased, *known = take_turn(
            service.tenant, tombstones.ANY.of(service.tenant.pk), *service.questions(candidates)
        )
        # Another process may have been faster.
        parked = arrivals.waiting(pk__in=one_of([result.pk for result in ready]))
        still = {place_of(*row) for row in parked.values_list("delivery_id", "position")}
        outcomes = defaultdict(list)
        allowed = tombstones.refuse(service, [c for c in candidates if c.place in still], some=erased)
        for outcome in service.sync(allowed, known):
            outcomes[delivery_of(outcome.candidate.place)].append(outcome)
        parked.update(current=False)
        _record(service, outcomes)
        arrivals.forget(service.tenant, BATCH)


def _record(service: SyncService, outcomes: dict[int, list[Outcome]]) -> None:
    """Keeps a new attempt on each delivery: its results, and its counts with one INVALID less for each."""
    deliveries = Delivery.objects.filter(pk__in=outcomes)
    attempts = dict(deliveries.values_list("pk", "attempts"))
    execute(*results.insert(service, [(pk, attempts[pk] + 1, outcomes[pk]) for pk in outcomes]))
    all_outcomes = list(chain.from_iterable(outcomes.values()))
    arrivals.note(service, all_outcomes)
    arrivals.revoke(service.tenant, all_outcomes)
    alike = defaultdict(list)
    for pk, of_one in outcomes.items():
        counts = answers.count(of_one)
        counts[State.INVALID] -= len(of_one)
        alike[tuple(counts.items())].append(pk)
    for counts, pks in alike.items():
        Delivery.objects.filter(pk__in=pks).update(
            attempts=F("attempts") + 1,
            processed_at=timezone.now(),
            **{state.lower(): F(state.lower()) + n for state, n in counts if n},
        )
    deliveries.filter(invalid=0, error=0).update(state=Delivery.State.DONE)
    for pk, of_one in outcomes.items():
        if causes := results.causes(of_one):
            Delivery.objects.filter(pk=pk).update(traceback=causes)
    log.info(
        "released",
        tenant=service.tenant.slug,
        module=service.module,
        deliveries=len(outcomes),
        records=logs.states(answers.count(all_outcomes)),
    )
