"""What is kept of an attempt: a RecordResult per record that was not UNCHANGED."""

import traceback
from collections.abc import Collection, Iterable, Sequence

import structlog
from django.db.models import Count
from django.utils import timezone

from . import faults, writing
from .models import Delivery, RecordResult, State
from .services import Outcome, SyncService
from .statements import Statement

log = structlog.get_logger(__name__)

MOST_CAUSES = 20


def insert(service: SyncService, attempts: Iterable[tuple[int, int, Sequence[Outcome]]]) -> list[Statement]:
    """What keeps the outcomes of (delivery's number, attempt, outcomes); nothing where all are UNCHANGED."""
    kept = [
        (delivery_id, attempt, outcome)
        for delivery_id, attempt, outcomes in attempts
        for outcome in outcomes
        if outcome.state != State.UNCHANGED
    ]
    return [_insert(service, kept)] if kept else []


def _insert(service: SyncService, kept: Sequence[tuple[int, int, Outcome]]) -> Statement:
    outcomes = [outcome for _, _, outcome in kept]
    waits_for = [outcome.waits_for or ("", "") for outcome in outcomes]
    return writing.insert(
        RecordResult,
        {
            "delivery": [delivery_id for delivery_id, _, _ in kept],
            "attempt": [attempt for _, attempt, _ in kept],
            "position": [outcome.candidate.position for outcome in outcomes],
            "zoho_id": [outcome.candidate.zoho_id or "" for outcome in outcomes],
            "state": [outcome.state.value for outcome in outcomes],
            "message": [outcome.message for outcome in outcomes],
            "errors": [[error.as_dict() for error in outcome.errors] for outcome in outcomes],
            "faults": [faults.text((e.field, e.code) for e in outcome.errors) for outcome in outcomes],
            "changed_fields": [outcome.changed_fields for outcome in outcomes],
            "waits_for_module": [module for module, _ in waits_for],
            "waits_for_id": [zoho_id for _, zoho_id in waits_for],
        },
        {
            "tenant": service.tenant.pk,
            "module": service.module,
            "current": True,
            "created_at": timezone.now(),
        },
    )


def recount(numbers: Collection[int]) -> None:
    """Counts anew the records of deliveries that have lost results, so that figures say what the lists show.

    UNCHANGED ones have no result, and their count stays. A delivery whose refused records are all gone is
    done. In the turn.
    """
    counts = {number: dict.fromkeys(COUNTED, 0) for number in numbers}
    left = RecordResult.objects.filter(delivery__in=numbers, current=True).order_by()
    for number, state, count in left.values_list("delivery", "state").annotate(count=Count("*")):
        counts[number][state] = count
    for number, of_one in counts.items():
        columns = {state.lower(): count for state, count in of_one.items()}
        Delivery.objects.filter(pk=number).update(**columns)
    refused_none = Delivery.objects.filter(pk__in=numbers, invalid=0, error=0)
    refused_none.filter(state=Delivery.State.INCOMPLETE).update(state=Delivery.State.DONE)


COUNTED = [state for state in State if state != State.UNCHANGED]


def causes(outcomes: Iterable[Outcome]) -> str:
    """What the database said of the records that are an ERROR: the first of them, for staff."""
    found = [outcome.cause for outcome in outcomes if outcome.cause]
    return storable("\n".join(found[:MOST_CAUSES]))


def storable(text: str) -> str:
    """Text that every database takes: no NUL, no lone surrogates."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def mark_failed(delivery_id: int, error: Exception, **as_it_was: int) -> None:
    """Keeps of a crash the traceback for staff, unless the delivery is not as it was any more.

    The log gets the class alone.
    """
    log.error("processing failed", number=delivery_id, error=type(error).__name__)
    Delivery.objects.filter(pk=delivery_id, **as_it_was).update(
        state=Delivery.State.FAILED,
        processed_at=timezone.now(),
        traceback=storable("".join(traceback.format_exception(error))),
    )
