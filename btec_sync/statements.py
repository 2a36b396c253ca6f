"""Several statements in one trip to the database.

For a request of one record the trips cost more than what is done on them. PostgreSQL takes statements one
after the other, each of which sees what was committed before it began:
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
SQLite is in our own process, and takes one.
"""

from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from django.db import DatabaseError, Error, connection, transaction
from psycopg import Binary

#: SQL and its parameters.
Statement = tuple[str, Sequence[Any]]

# Bytes that take longer to be written into a statement's text than a trip of its own takes (execute_bound).
LARGE = 16_000


class Rows(list):
    """Parameters of a statement that is executed for each of these rows: SQLite's many rows."""


def execute(*statements: Statement) -> None:
    """Raises what the database raises for the first that fails; those after it are not executed."""
    if connection.vendor == "postgresql":
        for by_itself, group in groupby(statements, _is_large):
            if by_itself:
                for statement in group:
                    execute_bound(statement)
            else:
                fetch(after=list(group))
    else:
        with connection.cursor() as cursor:
            for sql, parameters in statements:
                (cursor.executemany if type(parameters) is Rows else cursor.execute)(sql, parameters)


def _is_large(statement: Statement) -> bool:
    return any(type(value) is Binary and len(value.obj) > LARGE for value in statement[1])


def fetch(*queries: Statement, after: Sequence[Statement] = ()) -> list[list[tuple]]:
    """The rows of each query, once the statements of `after` were executed; for PostgreSQL.

    Raises as execute() does.
    """
    texts, parameters = zip(*after, *queries, strict=True)
    results = []
    with connection.cursor() as cursor:
        cursor.execute("; ".join(texts), [value for values in parameters for value in values])
        for number in range(len(texts)):
            if number >= len(after):
                results.append(cursor.fetchall())
            cursor.nextset()
    return results


def execute_bound(statement: Statement) -> list[tuple]:
    """One whose parameters may hold a large body or answer; the rows that it returns. Raises as execute()."""
    with connection.bound_cursor() if connection.vendor == "postgresql" else connection.cursor() as cursor:
        cursor.execute(*statement)
        return cursor.fetchall() if cursor.description else []


def attempt(statement: Statement) -> None:
    """Executes it inside a transaction, which can go on where it fails. Raises what the database raises."""
    if connection.vendor != "postgresql":
        with transaction.atomic():
            execute(statement)
        return
    try:
        execute(("SAVEPOINT attempt", ()), statement, ("RELEASE SAVEPOINT attempt", ()))
    except DatabaseError:
        with suppress(Error):  # without a connection there is nothing to go on with
            execute(("ROLLBACK TO SAVEPOINT attempt", ()), ("RELEASE SAVEPOINT attempt", ()))
        raise
