"""Which records need somebody: the last that was heard of them is INVALID or an ERROR.

Asked when a list is looked at and never kept, so it is true whatever was sent, replayed, pruned or erased
since. It looks at the unsettled results only, which have an index of their own, and for each of them at one
row of its module's table and at the later results of the same record.
"""

from collections.abc import Iterable

from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)

from .models import Delivery, RecordResult, State, SyncedRecord
from .order import POSITION_BITS
from .redaction import erased_from
from .services import services

#: What a refused record is called where staff see it.
PARKED = "parked"
ERASED = "erased"
KINDS = (PARKED, State.INVALID.value, State.ERROR.value)

UNSETTLED = Q(current=True, state__in=[State.INVALID.value, State.ERROR.value])
KIND = Case(When(~Q(waits_for_id=""), then=Value(PARKED)), default=F("state"), output_field=TextField())
PLACE = ExpressionWrapper(
    F("delivery_id") * Value(2**POSITION_BITS, output_field=BigIntegerField()) + F("position"),
    output_field=BigIntegerField(),
)


def to_mend(results: QuerySet[RecordResult]) -> QuerySet[RecordResult]:
    """Those of the results that are still somebody's work.

    Not so: what a later attempt has decided, a record that a newer delivery has stored since, and of several
    refusals of one record all but the last. Without a readable id nothing later is known of a record.
    """
    later = RecordResult.objects.filter(
        UNSETTLED,
        Q(delivery__gt=OuterRef("delivery_id"))
        | Q(delivery=OuterRef("delivery_id"), position__gt=OuterRef("position")),
        ~Q(zoho_id=""),
        tenant=OuterRef("tenant_id"),
        module=OuterRef("module"),
        zoho_id=OuterRef("zoho_id"),
    )
    # A CASE has one table asked for each row, its module's. Six conditions would be six joins, which
    # PostgreSQL takes longer to plan than to carry out, and plans for all rows where a page needs fifty.
    stored_since = Case(
        *(When(module=module, then=_stored_since(service.model)) for module, service in services().items()),
        default=False,
        output_field=BooleanField(),
    )
    unsettled = results.filter(UNSETTLED).filter(~Exists(later.order_by()))
    return unsettled.alias(place_of_result=PLACE, stored_since=stored_since).filter(stored_since=False)


def _stored_since(model: type[SyncedRecord]) -> Exists:
    """Whether the values that are stored came after the result: a stale delivery mends nothing."""
    return Exists(
        model.objects.filter(
            tenant=OuterRef("tenant_id"), zoho_id=OuterRef("zoho_id"), place__gt=OuterRef("place_of_result")
        ).order_by()
    )


def with_parent(results: QuerySet[RecordResult]) -> QuerySet[RecordResult]:
    """The results with what is known of the parent that each waits for, where it has come and was refused:
    `parent_kind`, and `parent_result`, the number of its own result."""
    parents = RecordResult.objects.filter(
        UNSETTLED,
        tenant=OuterRef("tenant_id"),
        module=OuterRef("waits_for_module"),
        zoho_id=OuterRef("waits_for_id"),
    ).order_by("-delivery_id", "-position")
    return results.annotate(
        parent_kind=Subquery(parents.values_list(KIND)[:1]), parent_result=Subquery(parents.values("pk")[:1])
    )


def of_kind(kind: str) -> Q:
    """Those of the unsettled results that staff call so, in the words of the indices."""
    return ~Q(waits_for_id="") if kind == PARKED else Q(waits_for_id="", state=kind)


def kind(result: RecordResult) -> str:
    """What staff call the result's state: parked is one of its own."""
    return PARKED if result.current and result.waits_for_id else result.state


def states_after(places: Iterable[tuple[int, int]], deliveries: Iterable[int]) -> dict[tuple[int, int], str]:
    """What the records at these places (delivery's number, position) are now, of these deliveries.

    Without a result of the last attempt a record was erased from its body, or is UNCHANGED: it came right
    before, or by a newer delivery.
    """
    numbers = set(deliveries)
    results = RecordResult.objects.filter(delivery__in=numbers, current=True)
    now = {(result.delivery_id, result.position): kind(result) for result in results.only(*KIND_COLUMNS)}
    places = [place for place in places if place[0] in numbers]
    bodies = Delivery.objects.filter(pk__in={number for number, _ in set(places) - now.keys()})
    for number, body in bodies.values_list("pk", "body").iterator(chunk_size=10):
        now |= {(number, position): ERASED for position in erased_from(bytes(body))}
    return {place: now.get(place, State.UNCHANGED.value) for place in places}


KIND_COLUMNS = ("delivery_id", "position", "state", "current", "waits_for_id")
