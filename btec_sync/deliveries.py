"""The one way in, for HTTP, replay and admin alike.

receive() stores a request before anything looks into it. process() makes of a stored delivery what it
says, in one transaction: the claim of its Idempotency-Key, its records, their results and the answer.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, QuerySet
from django.utils import timezone

from . import answers, arrivals, idempotency, logs, parking, problems, results, tombstones, writing
from .answers import Answer
from .models import Arrival, Delivery, State, Tenant, Tombstone
from .order import place_of
from .prepared import Prepared
from .serializers import ERASED, read_envelope
from .services import Candidate, Outcome, SyncService, services
from .statements import Statement, execute
from .turns import is_lock_timeout, is_outage, take_turn, with_retries

log = structlog.get_logger(__name__)

KEPT_HEADERS = (
    "Content-Type",
    "Content-Encoding",
    "Idempotency-Key",
    "User-Agent",
    "X-Request-ID",
    "X-Tenant-ID",
)


class BodyRemoved(Exception):
    """What came in is not kept any more, so the delivery cannot be processed again."""


def receive(tenant: Tenant, module: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
    """Stores a request byte for byte, committed when this returns. Raises what the database raises."""
    # A statement alone is a transaction of its own. Inside another it would not last: atomic() refuses that.
    with transaction.atomic(durable=True) if connection.in_atomic_block else nullcontext():
        return writing.create(
            Delivery(
                tenant=tenant,
                module=module,
                body=body,
                digest=digest_of(tenant, module, body),
                headers={name: _storable(headers[name]) for name in KEPT_HEADERS if name in headers},
            )
        )


def digest_of(tenant: Tenant, module: str, body: bytes) -> str:
    """SHA-256 of tenant, module and body: the key of a request that brought none."""
    return hashlib.sha256(f"{tenant.slug}\n{module}\n".encode() + body).hexdigest()


def _storable(value: str) -> str:
    """A header as it came, but for NUL, which PostgreSQL's JSON does not take, and for what is very long."""
    return value.replace("\0", "\ufffd")[:1_000]


def process(delivery: Delivery, *, enough_releases: int | None = None) -> Answer:
    """Processes a stored delivery, for the first time or again, and answers it.

    Parked records that it lets go on are synced as well: all of them, or until enough were.

    Raises the Problem that the sender gets where the request is refused as a whole (the delivery is
    `rejected`), where processing crashed (`failed`), and where its turn did not come or the database
    went away (it stays as it was, and can be processed again). Raises BodyRemoved where there is nothing
    left to process.
    """
    if delivery.body_removed_at:
        raise BodyRemoved
    try:
        answer = _attempt(delivery)
    except (DatabaseError, InterfaceError) as error:
        log.error("database unavailable", delivery=str(delivery.uid), error=type(error).__name__)
        raise problems.Unavailable(
            "The delivery is stored, but could not be processed now. Send it again later, or replay it.",
            delivery_id=str(delivery.uid),
        ) from error
    if not answer.releases_left:
        return answer
    try:
        all_released = parking.release(delivery.tenant, enough=enough_releases)
    except (DatabaseError, InterfaceError) as error:
        # This delivery is committed and gets its answer; the arrivals stay for whoever comes next.
        log.error("release put off", tenant=delivery.tenant.slug, error=type(error).__name__)
        return replace(answer, releases_left=False)
    return replace(answer, releases_left=not all_released)


def _attempt(delivery: Delivery) -> Answer:
    """Processes it; a refusal or a crash is kept on it. What the database raises then is an outage."""
    attempts = delivery.attempts
    try:
        return _process(delivery)
    except problems.Problem as problem:
        if problem.rejects:
            problem.extra["delivery_id"] = str(delivery.uid)
            _reject(delivery, problem)
        raise
    except Exception as error:
        if is_outage(error) or isinstance(error, BodyRemoved):
            raise
        # Where another process has been through with it meanwhile, its word stands.
        results.mark_failed(delivery.pk, error, attempts=attempts)
        raise problems.ProcessingFailed(
            "Processing failed. The delivery is stored and can be replayed.", delivery_id=str(delivery.uid)
        ) from error


def _process(delivery: Delivery) -> Answer:
    key = idempotency.read_key(delivery.headers)
    service = services()[delivery.module](delivery.tenant)
    # What was accepted once is not refused because the limit was lowered since.
    most = None if delivery.attempts else settings.BTEC_MAX_BATCH
    records = read_envelope(delivery.headers, bytes(delivery.body), most=most)
    # The slow part, before anybody waits for us.
    candidates = service.parse((delivery.pk, position, record) for position, record in enumerate(records))
    is_first = not delivery.attempts

    def settle() -> Answer:
        with transaction.atomic():
            situation, *known = take_turn(
                delivery.tenant,
                SITUATION.of(delivery.pk, delivery.tenant_id, delivery.digest),
                *service.questions(candidates),
            )
            # Another process may have worked on it while we waited.
            arrived, erased, came_before = _refresh(delivery, situation)
            allowed = tombstones.refuse(service, candidates, some=erased)
            # What waits for somebody who was erased goes on as well, and is refused.
            left = arrived or erased
            if is_first and delivery.answer_is_final:
                return _stored_answer(delivery, releases_left=left)
            target = idempotency.claim(delivery, key)
            if target != delivery:
                _mark_as_repeat(delivery, target)
                if target.answer_is_final:
                    return _stored_answer(target, replayed=True, releases_left=left)
                came_before = True  # perhaps
            first = FIRST(target.tenant_id, target.digest, target.pk) if came_before else []
            outcomes = service.sync(_at_its_place(target, allowed), known)
            answer = _record(target, service, outcomes, key, first)
            return replace(answer, releases_left=left or answer.releases_left)

    try:
        answer = with_retries(settle)
    except OperationalError as error:
        if is_lock_timeout(error):
            raise _busy(delivery, key) from error
        raise
    _note(delivery)
    return answer


def _note(delivery: Delivery) -> None:
    """What became of it, for the log: only now is it committed."""
    counts = logs.states({state: getattr(delivery, state.lower()) for state in State})
    logs.note(state=delivery.state, attempt=delivery.attempts, records=counts)
    if delivery.repeats_id:
        logs.note(repeats=delivery.repeats_id)  # its number: the log must not ask the database


STATE_FIELDS = ["state", "attempts", "repeats_id", "answer_status", "answer", "answer_is_final"]

#: A delivery's state as it is now, and whether there are arrivals, tombstones, and an earlier delivery of the
#: same bytes.
SITUATION = Prepared(
    lambda number, tenant, digest: (
        Delivery.objects.filter(pk=number)
        .order_by()
        .values_list(
            *STATE_FIELDS,
            Exists(Arrival.objects.filter(tenant=tenant)),
            Exists(Tombstone.objects.filter(tenant=tenant)),
            Exists(_of_the_same_bytes(tenant, digest, number)),
        )
    )
)

#: The first delivery of the same bytes as one of this number, where there is one: (number, uid).
FIRST = Prepared(
    lambda tenant, digest, number: (
        _of_the_same_bytes(tenant, digest, number).order_by("pk").values_list("pk", "uid")[:1]
    )
)


def _of_the_same_bytes(tenant: Any, digest: Any, number: Any) -> QuerySet[Delivery]:
    """The deliveries before this one."""
    return Delivery.objects.filter(tenant=tenant, digest=digest, pk__lt=number).order_by()


def _refresh(delivery: Delivery, situation: list[tuple]) -> list[bool]:
    """Sets the state that was found; the rest. Raises BodyRemoved where all of it was pruned."""
    if not situation:
        raise BodyRemoved
    [found] = situation
    for name, value in zip(STATE_FIELDS, found, strict=False):
        setattr(delivery, name, value)
    return list(found[len(STATE_FIELDS) :])


def _stored_answer(delivery: Delivery, **flags: bool) -> Answer:
    return Answer(delivery.answer_status, bytes(delivery.answer), **flags)


def _at_its_place(delivery: Delivery, candidates: list[Candidate]) -> list[Candidate]:
    """The candidates of these bytes at the delivery's place, those marked that it has decided before."""
    pending = _undecided(delivery) if delivery.attempts else range(len(candidates))
    return [
        candidate.moved(place_of(delivery.pk, candidate.position), decided=candidate.position not in pending)
        for candidate in candidates
    ]


def _undecided(delivery: Delivery) -> set[int]:
    results = delivery.results.filter(current=True, state__in=[State.INVALID, State.ERROR])
    return set(results.values_list("position", flat=True))


def _busy(delivery: Delivery, key: str | None) -> problems.Problem:
    """What to answer when the tenant's turn did not come in time."""
    in_flight = Delivery.objects.filter(
        tenant=delivery.tenant, module=delivery.module, state=Delivery.State.RECEIVED, pk__lt=delivery.pk
    )
    if key and in_flight.filter(**{"headers__Idempotency-Key": key}).exists():
        return problems.KeyInFlight(
            "A request with this Idempotency-Key is still being processed.", delivery_id=str(delivery.uid)
        )
    return problems.Busy(
        "The delivery is stored, but others of this tenant are before it. Send it again later, or replay it.",
        delivery_id=str(delivery.uid),
    )


def _record(
    delivery: Delivery,
    service: SyncService,
    outcomes: Sequence[Outcome],
    key: str | None,
    first: list[tuple],
) -> Answer:
    """Keeps what one whole attempt made of a delivery, and the answer; first is what FIRST found."""
    attempt = delivery.attempts + 1
    if delivery.attempts:
        delivery.results.filter(current=True).update(current=False)
    left = _not_erased(delivery, outcomes)
    releases = arrivals.note(service, left)
    counts = answers.count(left)
    duplicate_of = delivery.duplicate_of
    if first and not duplicate_of:
        [(number, uid)] = first
        duplicate_of = Delivery(pk=number, uid=uid, tenant=delivery.tenant)
    body = answers.render(delivery, service, outcomes, duplicate_of=duplicate_of, key=key)
    incomplete = counts[State.INVALID] or counts[State.ERROR]
    changes = {
        "state": Delivery.State.INCOMPLETE if incomplete else Delivery.State.DONE,
        "attempts": attempt,
        "processed_at": timezone.now(),
        "duplicate_of": duplicate_of,
        "traceback": results.causes(outcomes),
        **{state.lower(): n for state, n in counts.items()},
    }
    # What was answered for good is answered again for good.
    if not delivery.answer_is_final:
        final = not any(outcome.state == State.ERROR or outcome.waits_for for outcome in outcomes)
        changes |= {"answer": body, "answer_status": 200, "answer_is_final": final}
    execute(*results.insert(service, [(delivery.pk, attempt, left)]), _set(delivery, **changes))
    return Answer(200, body, releases_left=releases)


def _not_erased(delivery: Delivery, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Without what was taken out of the body since it came: that is answered, and counted no more."""
    left = [outcome for outcome in outcomes if outcome.candidate.errors != [ERASED]]
    if len(left) == len(outcomes):
        return outcomes
    # What a sender writes in such a place is as wrong as anything else without an id.
    as_it_came = digest_of(delivery.tenant, delivery.module, bytes(delivery.body)) == delivery.digest
    return outcomes if as_it_came else left


def _mark_as_repeat(delivery: Delivery, target: Delivery) -> None:
    _save(
        delivery,
        repeats=target,
        duplicate_of=target.duplicate_of or target,
        state=Delivery.State.DONE,
        processed_at=timezone.now(),
    )


def _reject(delivery: Delivery, problem: problems.Problem) -> None:
    changes = {"state": Delivery.State.REJECTED, "processed_at": timezone.now()}
    if not delivery.answer_is_final:
        changes |= {"answer": problem.body(), "answer_status": problem.status_code}
    _save(delivery, **changes)
    logs.note(state=delivery.state, problem=problem.code)


def _save(delivery: Delivery, **values: Any) -> None:
    execute(_set(delivery, **values))


def _set(delivery: Delivery, **values: Any) -> Statement:
    """Sets these values; what writes them."""
    for name, value in values.items():
        setattr(delivery, name, value)
    return writing.save(delivery, list(values))
