"""What is kept for how long: manage.py prune.

Each piece is a transaction of its own in the tenant's turn, which it holds for a moment. Whatever ends a
run, the next one goes on from there. Nothing that is unfinished is ever taken, however old it is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT

from .models import Delivery, IdempotencyKey, RecordResult, Tenant
from .turns import take_turn, with_retries

#: Rows that one transaction takes, at most.
PIECE = 200

PARKED = Exists(
    RecordResult.objects.filter(delivery=OuterRef("pk"), current=True).exclude(waits_for_id="").order_by()
)
#: Received and failed ones are to be replayed, and so is what is parked or an ERROR. An INVALID record is
#: the sender's to mend: it was answered, and nothing here will make more of it.
FINISHED = Q(state__in=[Delivery.State.DONE, Delivery.State.REJECTED]) | (
    Q(state=Delivery.State.INCOMPLETE, error=0) & ~PARKED
)


@dataclass(frozen=True)
class Kind:
    """One kind of what is pruned: its name, how old, which rows, and how a piece of them goes."""

    name: str
    rows: Callable[[Tenant, datetime], QuerySet]
    remove: Callable[[Tenant, list[int], datetime], int]
    #: The column that tells a row's age, and that an index orders them by.
    age: str


# --- Idempotency keys --------------------------------------------------------------------------------


def old_keys(tenant: Tenant, now: datetime) -> QuerySet[IdempotencyKey]:
    """Keys that no delivery can ask for any more."""
    return IdempotencyKey.objects.filter(tenant=tenant, created_at__lt=_keys_from(now)).exclude(AWAITED)


# A lifetime is counted between deliveries and not up to now: one that waits since last week, to be
# processed for the first time, asks for a key of last week.
AWAITED = Exists(
    Delivery.objects.filter(
        tenant=OuterRef("tenant"),
        state__in=[Delivery.State.RECEIVED, Delivery.State.FAILED],
        module=OuterRef("module"),
    )
    .annotate(key=KT("headers__Idempotency-Key"))
    .filter(key=OuterRef("key"))
    .order_by()
)


def _keys_from(now: datetime) -> datetime:
    return now - timedelta(hours=settings.BTEC_IDEMPOTENCY_HOURS)


def has_key(now: datetime) -> Exists:
    """Whether a delivery's answer may still be asked for."""
    known = IdempotencyKey.objects.filter(Q(created_at__gte=_keys_from(now)) | AWAITED)
    return Exists(known.filter(delivery=OuterRef("pk")).order_by())


def remove_keys(tenant: Tenant, numbers: list[int], now: datetime) -> int:
    return old_keys(tenant, now).filter(pk__in=numbers).delete()[0]


# --- Bodies and answers ------------------------------------------------------------------------------


def old_bodies(tenant: Tenant, now: datetime) -> QuerySet[Delivery]:
    before = now - timedelta(days=settings.BTEC_BODY_DAYS)
    return Delivery.objects.filter(tenant=tenant, body_removed_at=None, received_at__lt=before)


def removable_bodies(tenant: Tenant, now: datetime) -> QuerySet[Delivery]:
    return old_bodies(tenant, now).filter(FINISHED).exclude(has_key(now)).exclude(ANSWERS_FOR_UNFINISHED)


# Once it is replayed, a repeat gets the answer of what it repeats.
ANSWERS_FOR_UNFINISHED = Exists(
    Delivery.objects.filter(~FINISHED, repeats=OuterRef("pk"), body_removed_at=None).order_by()
)


def remove_bodies(tenant: Tenant, numbers: list[int], now: datetime) -> int:
    rows = removable_bodies(tenant, now).filter(pk__in=numbers)
    return rows.update(body=b"", answer=b"", traceback="", body_removed_at=now)


# --- Deliveries and results --------------------------------------------------------------------------


def old_deliveries(tenant: Tenant, now: datetime) -> QuerySet[Delivery]:
    """Those whose body is gone, as that of a finished one is by then."""
    return _out_of_history(Delivery.objects.filter(tenant=tenant, body_removed_at__isnull=False), now)


def old_deliveries_with_body(tenant: Tenant, now: datetime) -> QuerySet[Delivery]:
    """Those that are old once their body is removed; a dry run counts them."""
    return _out_of_history(removable_bodies(tenant, now), now)


def _out_of_history(rows: QuerySet[Delivery], now: datetime) -> QuerySet[Delivery]:
    before = now - timedelta(days=settings.BTEC_HISTORY_DAYS)
    # One that is not to go yet, for its age or as it is unfinished, keeps what it repeats.
    unfinished = ~FINISHED & Q(body_removed_at=None)
    staying = Delivery.objects.filter(Q(received_at__gte=before) | unfinished, repeats=OuterRef("pk"))
    return rows.filter(received_at__lt=before).exclude(Exists(staying.order_by())).exclude(has_key(now))


def old_repeats(tenant: Tenant, now: datetime) -> QuerySet[Delivery]:
    return old_deliveries(tenant, now).filter(repeats__isnull=False)


def old_originals(tenant: Tenant, now: datetime) -> QuerySet[Delivery]:
    return old_deliveries(tenant, now).filter(repeats=None)


def remove_deliveries(tenant: Tenant, numbers: list[int], now: datetime) -> int:
    """Those of which nothing is left but themselves."""
    rows = old_deliveries(tenant, now).filter(pk__in=numbers)
    still_used = [
        Exists(RecordResult.objects.filter(delivery=OuterRef("pk")).order_by()),
        Exists(Delivery.objects.filter(duplicate_of=OuterRef("pk")).order_by()),
        Exists(Delivery.objects.filter(repeats=OuterRef("pk")).order_by()),
        Exists(IdempotencyKey.objects.filter(delivery=OuterRef("pk")).order_by()),
    ]
    for use in still_used:
        rows = rows.exclude(use)
    # Nothing is fetched for it.
    return rows._raw_delete(rows.db)


def results_of(numbers: list[int] | QuerySet[Delivery]) -> QuerySet[RecordResult]:
    return RecordResult.objects.filter(delivery__in=numbers)


def duplicates_of(numbers: list[int]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(duplicate_of__in=numbers)


DELIVERIES = "deliveries"
KINDS = [
    Kind("idempotency keys", old_keys, remove_keys, "created_at"),
    Kind("bodies and answers", removable_bodies, remove_bodies, "received_at"),
    # Of any number of repeats each piece takes its share; then nothing points at what they repeated.
    Kind(DELIVERIES, old_repeats, remove_deliveries, "received_at"),
    Kind(DELIVERIES, old_originals, remove_deliveries, "received_at"),
]


# --- Logins: who works here, and from where; of no tenant --------------------------------------------

#: Far longer than axes keeps a login closed.
LOGIN_DAYS = 30


def old_logins(now: datetime) -> list[tuple[str, QuerySet]]:
    """Sessions that have expired, and what axes keeps of attempts to log in, by the name of their row."""
    before = now - timedelta(days=LOGIN_DAYS)
    attempts = [AccessAttempt, AccessFailureLog, AccessLog]
    return [
        ("expired sessions", Session.objects.filter(expire_date__lt=now)),
        *(("login attempts", model.objects.filter(attempt_time__lt=before)) for model in attempts),
    ]


def prune_logins(now: datetime) -> Iterator[tuple[str, int]]:
    """Removes them, and yields the name and number of rows that each transaction took."""
    for name, rows in old_logins(now):
        while pks := list(rows.order_by().values_list("pk", flat=True)[:PIECE]):
            yield name, rows.filter(pk__in=pks).delete()[0]


# --- The machinery -----------------------------------------------------------------------------------


def prune(tenant: Tenant, kind: Kind, now: datetime) -> Iterator[tuple[str, int]]:
    """Removes what is old, and yields the kind and number of rows that each transaction took."""
    for numbers in _pieces(kind, tenant, now):
        if kind.name == DELIVERIES:
            yield from _empty(tenant, numbers)
        yield kind.name, _in_turn(tenant, lambda piece=numbers: kind.remove(tenant, piece, now))


def _pieces(kind: Kind, tenant: Tenant, now: datetime) -> Iterator[list[int]]:
    """Row numbers, the oldest first. What stays is passed over, as the place in the order goes on."""
    rows = kind.rows(tenant, now).order_by(kind.age, "pk").values_list(kind.age, "pk")
    page = rows[:PIECE]
    while found := list(page):
        yield [number for _, number in found]
        age, number = found[-1]
        later = Q(**{f"{kind.age}__gt": age}) | Q(pk__gt=number)
        page = rows.filter(later, **{f"{kind.age}__gte": age})[:PIECE]


def _empty(tenant: Tenant, numbers: list[int]) -> Iterator[tuple[str, int]]:
    """Takes away what points at deliveries: their results, and the hints at the first of the same bytes."""
    while pks := list(results_of(numbers).order_by().values_list("pk", flat=True)[:PIECE]):
        rows = RecordResult.objects.filter(pk__in=pks)
        yield "results", _in_turn(tenant, lambda rows=rows: rows.delete()[0])
    while pks := list(duplicates_of(numbers).order_by().values_list("pk", flat=True)[:PIECE]):
        rows = Delivery.objects.filter(pk__in=pks)
        _in_turn(tenant, lambda rows=rows: rows.update(duplicate_of=None))


def _in_turn(tenant: Tenant, remove: Callable[[], int]) -> int:
    def transact() -> int:
        with transaction.atomic():
            take_turn(tenant)
            return remove()

    return with_retries(transact)


def kept(tenant: Tenant, now: datetime) -> int:
    """How many old deliveries keep their body: they are unfinished, or their key is known still."""
    return old_bodies(tenant, now).count() - removable_bodies(tenant, now).count()
