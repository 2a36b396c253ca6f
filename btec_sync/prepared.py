"""Queries that the ORM writes once, and that run many times (docs/adr/0010-one-statement-for-a-batch.md).

To write a query takes the ORM longer than it takes PostgreSQL to answer one by an index, and a request asks a
dozen of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from .statements import Statement, fetch
from .writing import array, one_of

#: What a query asks for.
Argument = int | str | datetime | list


class Slot:
    """The place of an argument among a statement's parameters."""

    def __init__(self, number: int) -> None:
        self.number = number


class Prepared:
    """A query as a function of what it asks for; the rows are tuples.

        units = Unit.objects.values_list("pk")
        NUMBERS = Prepared(lambda tenant, zoho_ids: units.filter(tenant=tenant, zoho_id__in=zoho_ids))
        NUMBERS(tenant.pk, ["unit_1", "unit_2"])

    `build` makes it, from the arguments or from what stands for them: numbers, texts and times, never None,
    and lists for `__in`, of which those of numbers are not empty. It ends in values_list() of plain
    columns, none of them JSON. On SQLite it is built each time, as a list is a parameter for each value
    there.
    """

    def __init__(self, build: Callable[..., QuerySet]) -> None:
        self.build = build
        self._sql: tuple[str, Sequence[Any]] | None = None

    def __call__(self, *arguments: Argument) -> list[tuple]:
        (rows,) = ask(self.of(*arguments))
        return rows

    def of(self, *arguments: Argument) -> "Question":
        return Question(self, arguments)

    def statement(self, arguments: Sequence[Argument]) -> Statement:
        """What PostgreSQL is asked."""
        sql, parameters = self._sql = self._sql or self._prepare(arguments)
        given = [array(argument) if type(argument) is list else argument for argument in arguments]
        return sql, [given[p.number] if type(p) is Slot else p for p in parameters]

    def _prepare(self, arguments: Sequence[Any]) -> tuple[str, Sequence[Any]]:
        """The statement for arguments of these types, each parameter a Slot or a constant of the query's."""
        stand_ins = [
            one_of(argument, Slot(number)) if type(argument) is list else RawSQL("%s", [Slot(number)])
            for number, argument in enumerate(arguments)
        ]
        return self.build(*stand_ins).query.sql_with_params()


@dataclass(slots=True, frozen=True)
class Question:
    """A query and what it asks for: UNITS.of(tenant.pk)."""

    query: Prepared
    arguments: tuple[Argument, ...]


def ask(*questions: Question, after: Sequence[Statement] = ()) -> list[list[tuple]]:
    """The rows of each, on PostgreSQL asked together once the statements of `after` are done."""
    if connection.vendor != "postgresql":
        return [list(question.query.build(*question.arguments)) for question in questions]
    return fetch(*(question.query.statement(question.arguments) for question in questions), after=after)
