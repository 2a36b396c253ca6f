"""Running stored deliveries again, for manage.py replay and the admin's action."""

from collections.abc import Iterable, Iterator

import structlog
from django.db.models import Case, IntegerField, QuerySet, Value, When

from . import deliveries, logs, problems
from .models import Delivery
from .services import services

log = structlog.get_logger(__name__)


def in_order(queryset: QuerySet[Delivery]) -> list[int]:
    """The deliveries' numbers as they are to be replayed: parents' modules first, then as they arrived."""
    ranks = [When(module=module, then=Value(rank)) for rank, module in enumerate(services())]
    rank = Case(*ranks, default=Value(len(ranks)), output_field=IntegerField())
    return list(queryset.order_by(rank, "pk").values_list("pk", flat=True))


def replay(numbers: Iterable[int]) -> Iterator[Delivery]:
    """Processes each delivery again and yields it with the state that it is in afterwards.

    One transaction each: interrupted at any point, what was done is done and the rest is as it was.
    A refusal or a crash is a state of the delivery. One whose tenant is busy stays as it was, and so does
    one whose body was removed (body_removed_at). Raises Unavailable where the database is away.
    """
    for number in numbers:
        delivery = Delivery.objects.select_related("tenant").filter(pk=number).first()
        if delivery is None:  # pruned since it was listed
            continue
        ids = {"tenant": delivery.tenant.slug, "module": delivery.module, "delivery": str(delivery.uid)}
        with logs.about(**ids):
            _replay(delivery)
        yield delivery


def _replay(delivery: Delivery) -> None:
    try:
        deliveries.process(delivery)
    except deliveries.BodyRemoved:
        logs.note(problem="body_removed")
        log.info("left as it is", state=delivery.state)
        return
    except problems.Problem as problem:
        if isinstance(problem, problems.Unavailable) and not isinstance(problem, problems.Busy):
            raise
        logs.note(problem=problem.code)
    delivery.refresh_from_db(fields=["state", "processed_at"])
    log.info("replayed", state=delivery.state)


def left_as_they_are(number: int) -> str:
    """What to say of deliveries that a replay could not process."""
    if number == 1:
        return "1 delivery was left as it is: its body is not kept any more."
    return f"{number:,} deliveries were left as they are: their bodies are not kept any more."
