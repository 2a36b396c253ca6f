"""What is kept of an attempt: a RecordResult per record that was not UNCHANGED, and who may go on now."""

import logging
import traceback
from collections.abc import Iterable, Sequence

from django.utils import timezone

from . import faults
from .models import Delivery, RecordResult, State
from .services import Outcome, SyncService, services

log = logging.getLogger(__name__)

MOST_CAUSES = 20


def store(service: SyncService, attempts: Iterable[tuple[int, int, Sequence[Outcome]]]) -> None:
    """Keeps the outcomes of (delivery's number, attempt, outcomes), and marks what they let go on."""
    results = []
    arrived = set()
    for delivery_id, attempt, outcomes in attempts:
        results += [
            _result(service, delivery_id, attempt, outcome)
            for outcome in outcomes
            if outcome.state != State.UNCHANGED
        ]
        arrived |= {outcome.candidate.zoho_id for outcome in outcomes if outcome.state == State.NEW}
    RecordResult.objects.bulk_create(results)
    if arrived and _has_children(service):
        RecordResult.objects.filter(
            tenant=service.tenant, current=True, waits_for_module=service.module, waits_for_id__in=arrived
        ).update(ready=True)


def _has_children(service: SyncService) -> bool:
    return any(type(service) in other.dependencies.values() for other in services().values())


def _result(service: SyncService, delivery_id: int, attempt: int, outcome: Outcome) -> RecordResult:
    waits_for_module, waits_for_id = outcome.waits_for or ("", "")
    return RecordResult(
        tenant=service.tenant,
        delivery_id=delivery_id,
        attempt=attempt,
        position=outcome.candidate.position,
        module=service.module,
        zoho_id=outcome.candidate.zoho_id or "",
        state=outcome.state,
        message=outcome.message,
        errors=[error.as_dict() for error in outcome.errors],
        faults=faults.text((error.field, error.code) for error in outcome.errors),
        changed_fields=outcome.changed_fields,
        waits_for_module=waits_for_module,
        waits_for_id=waits_for_id,
    )


def causes(outcomes: Iterable[Outcome]) -> str:
    """What the database said of the records that are an ERROR: the first of them, for staff."""
    found = [outcome.cause for outcome in outcomes if outcome.cause]
    return storable("\n".join(found[:MOST_CAUSES]))


def storable(text: str) -> str:
    """Text that every database takes: no NUL, no lone surrogates."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def mark_failed(delivery_id: int, error: Exception) -> None:
    """Keeps of a crash the traceback for staff; the log gets the class alone."""
    log.error("processing failed delivery=%d error=%s", delivery_id, type(error).__name__)
    Delivery.objects.filter(pk=delivery_id).update(
        state=Delivery.State.FAILED,
        processed_at=timezone.now(),
        traceback=storable("".join(traceback.format_exception(error))),
    )
