"""Several statements in one trip to the database.

For a request of one record the trips cost more than what is done on them. PostgreSQL takes statements one
after the other, each of which sees what was committed before it began:
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
SQLite is in our own process, and takes one.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.db import DatabaseError, Error, connection

#: SQL and its parameters.
Statement = tuple[str, Sequence[Any]]


def execute(*statements: Statement) -> None:
    """Raises what the database raises for the first that fails; those after it are not executed."""
    fetch(after=statements)


def fetch(*queries: Statement, after: Sequence[Statement] = ()) -> list[list[tuple]]:
    """The rows of each query, once the statements of `after` were executed. Raises as execute() does."""
    results = []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            texts, parameters = zip(*after, *queries, strict=True)
            cursor.execute("; ".join(texts), [value for values in parameters for value in values])
            for number in range(len(texts)):
                if number >= len(after):
                    results.append(cursor.fetchall())
                cursor.nextset()
        else:
            for statement in after:
                cursor.execute(*statement)
            for query in queries:
                cursor.execute(*query)
                results.append(cursor.fetchall())
    return results


def execute_bound(statement: Statement) -> list[tuple]:
    """One whose parameters hold a body or an answer; the rows that it returns. Raises as execute() does."""
    with connection.bound_cursor() if connection.vendor == "postgresql" else connection.cursor() as cursor:
        cursor.execute(*statement)
        return cursor.fetchall() if cursor.description else []


def attempt(statement: Statement) -> None:
    """Executes it inside a transaction, which can go on where it fails. Raises what the database raises."""
    try:
        execute(("SAVEPOINT attempt", ()), statement, ("RELEASE SAVEPOINT attempt", ()))
    except DatabaseError:
        with suppress(Error):  # without a connection there is nothing to go on with
            execute(("ROLLBACK TO SAVEPOINT attempt", ()), ("RELEASE SAVEPOINT attempt", ()))
        raise
