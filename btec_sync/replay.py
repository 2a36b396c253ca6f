"""Running stored deliveries again, for manage.py replay and the admin's action."""

from collections.abc import Iterable, Iterator

from django.db.models import Case, IntegerField, QuerySet, Value, When

from . import deliveries, problems
from .models import Delivery
from .services import services


def in_order(queryset: QuerySet[Delivery]) -> list[int]:
    """The deliveries' numbers as they are to be replayed: parents' modules first, then as they arrived."""
    ranks = [When(module=module, then=Value(rank)) for rank, module in enumerate(services())]
    rank = Case(*ranks, default=Value(len(ranks)), output_field=IntegerField())
    return list(queryset.order_by(rank, "pk").values_list("pk", flat=True))


def replay(numbers: Iterable[int]) -> Iterator[Delivery]:
    """Processes each delivery again and yields it with the state that it is in afterwards.

    One transaction each: interrupted at any point, what was done is done and the rest is as it was.
    A refusal or a crash is a state of the delivery, and one whose tenant is busy stays as it was. Raises
    Unavailable where the database is away.
    """
    for number in numbers:
        delivery = Delivery.objects.select_related("tenant").get(pk=number)
        try:
            deliveries.process(delivery)
        except problems.Problem as problem:
            if isinstance(problem, problems.Unavailable) and not isinstance(problem, problems.Busy):
                raise
        delivery.refresh_from_db(fields=["state", "processed_at"])
        yield delivery
