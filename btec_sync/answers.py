"""What is answered to a batch that was processed: docs/answers.md."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .models import Delivery, State
from .services import Outcome, SyncService


@dataclass(slots=True, frozen=True)
class Answer:
    """An answer byte for byte; replayed when it was given before, for the same Idempotency-Key.

    releases_left: parked records of the tenant may go on now, and have not yet.
    """

    status: int
    body: bytes
    replayed: bool = False
    releases_left: bool = False


def count(outcomes: Sequence[Outcome]) -> dict[State, int]:
    """How many records ended in each of the five states."""
    counts = Counter(outcome.state for outcome in outcomes)
    return {state: counts[state] for state in State}


def render(
    delivery: Delivery,
    service: SyncService,
    outcomes: Sequence[Outcome],
    *,
    duplicate_of: Delivery | None,
    key: str | None,
) -> bytes:
    """One result per record, in the request's order."""
    counts = count(outcomes)
    answer = {
        "status": _status(counts),
        "tenant_id": delivery.tenant.slug,
        "idempotency_key": key or delivery.digest,
        "delivery_id": str(delivery.uid),
        "duplicate_of": str(duplicate_of.uid) if duplicate_of else None,
        "summary": {state.value: n for state, n in counts.items()},
        "results": [_result(service.id_key(), outcome) for outcome in outcomes],
    }
    return json.dumps(answer, ensure_ascii=False).encode()


def summarised(answer: dict[str, Any]) -> bytes:
    """An answer whose results were changed, with the status and the summary that they make now."""
    counts = Counter(result["status"] for result in answer["results"])
    summary = {state: counts[state] for state in State}
    answer["status"] = _status(summary)
    answer["summary"] = {state.value: n for state, n in summary.items()}
    return json.dumps(answer, ensure_ascii=False).encode()


def _status(counts: Mapping[State, int]) -> str:
    bad = counts[State.INVALID] + counts[State.ERROR]
    if not bad:
        return "success"
    return "failed" if bad == sum(counts.values()) else "partial"


def _result(id_key: str, outcome: Outcome) -> dict[str, Any]:
    result = {id_key: outcome.candidate.zoho_id, "status": outcome.state.value, "message": outcome.message}
    if outcome.state == State.UPDATED:
        result["changed_fields"] = outcome.changed_fields
    if outcome.state == State.INVALID:
        result["errors"] = [error.as_dict() for error in outcome.errors]
    if outcome.waits_for:
        result["retryable"] = True
    return result
