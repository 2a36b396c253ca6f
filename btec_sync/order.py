"""Which of two deliveries about one record is the newer (docs/adr/0005-order.md).

A *place* is where a record stands in the order of arrival: the number of its delivery, which the database
gave out, and behind it the record's position in the batch. No clock takes part, so setting one back
makes nothing older.
"""

from datetime import datetime
from typing import NamedTuple

POSITION_BITS = 20


def place_of(delivery_id: int, position: int) -> int:
    return delivery_id << POSITION_BITS | position


def delivery_of(place: int) -> int:
    return place >> POSITION_BITS


class Order(NamedTuple):
    """What says how new a record is: the sender's own marks where it sent them, and its place."""

    modified_time: datetime | None
    version: int | None
    place: int


class Marks(NamedTuple):
    """What the database remembers of a record's order.

    modified_time, version and place are those of the values that are stored; seen is the highest place
    that spoke of the record: changing it, saying the same, or stale.
    """

    modified_time: datetime | None
    version: int | None
    place: int
    seen: int

    @classmethod
    def first(cls, order: Order) -> "Marks":
        """The marks of a record that was not there before."""
        return cls(order.modified_time, order.version, order.place, order.place)

    def is_newer_than(self, order: Order) -> bool:
        """True when the incoming record is stale. At equal times the later arrival wins."""
        for ours, theirs in ((self.modified_time, order.modified_time), (self.version, order.version)):
            if ours is not None and theirs is not None:
                return theirs < ours or (theirs == ours and order.place < self.place)
        return order.place < self.seen

    def is_past(self, order: Order) -> bool:
        """True when what was decided of this order before needs no other look: the values are another's."""
        return order.place <= self.seen and order.place != self.place

    def heard_of(self, order: Order) -> "Marks":
        """The marks once a stale record has spoken: only that it did."""
        return self._replace(seen=order.place) if order.place > self.seen else self

    def replaced_by(self, order: Order) -> "Marks":
        """The marks once the incoming record's values are stored."""
        return Marks(order.modified_time, order.version, order.place, max(self.seen, order.place))

    def confirmed_by(self, order: Order) -> "Marks":
        """The marks once the incoming record has said the same again; what it does not tell stays known."""
        return Marks(
            modified_time=self.modified_time if order.modified_time is None else order.modified_time,
            version=self.version if order.version is None else order.version,
            place=order.place,
            seen=max(self.seen, order.place),
        )
