"""A database that refuses what is written, or breaks over it, by triggers."""

from contextlib import contextmanager

from django.db import connection

from tests import factories

REFUSE = "RAISE EXCEPTION 'Failing row contains (Ahmed)'"
END_SESSION = "PERFORM pg_terminate_backend(pg_backend_pid())"


@contextmanager
def refusing(condition: str, table: str = "units_unit"):
    """A trigger that refuses every row of the table for which the condition on NEW holds."""
    with connection.cursor() as cursor:
        if factories.on_sqlite():
            for event in ("INSERT", "UPDATE"):
                cursor.execute(
                    f"CREATE TRIGGER poison_{event} BEFORE {event} ON {table} WHEN {condition}"
                    " BEGIN SELECT RAISE(ABORT, 'Failing row contains (Ahmed)'); END"
                )
        else:
            cursor.execute(
                "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                f" IF {condition} THEN RAISE EXCEPTION 'Failing row contains (Ahmed)'; END IF;"
                " RETURN NEW; END $$"
            )
            cursor.execute(
                f"CREATE TRIGGER poison BEFORE INSERT OR UPDATE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION poison()"
            )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            if factories.on_sqlite():
                for event in ("INSERT", "UPDATE"):
                    cursor.execute(f"DROP TRIGGER poison_{event}")
            else:
                cursor.execute(f"DROP TRIGGER poison ON {table}")
                cursor.execute("DROP FUNCTION poison")


@contextmanager
def at_commit(table: str, event: str = "INSERT", action: str = REFUSE, rows: str = "1 = 1"):
    """A transaction that wrote such rows to the table comes to grief when it commits."""
    if factories.on_sqlite():
        broken = triggered(
            f"CREATE TRIGGER fault AFTER {event} ON {table} WHEN {rows}"
            " BEGIN INSERT INTO fault (other) VALUES (-1); END",
            before="CREATE TABLE fault (id INTEGER PRIMARY KEY, other INTEGER"
            " REFERENCES fault (id) DEFERRABLE INITIALLY DEFERRED)",
            after=["DROP TRIGGER fault", "DROP TABLE fault"],
        )
    else:
        broken = on_postgresql(
            f"CREATE CONSTRAINT TRIGGER fault AFTER {event} ON {table}"
            f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({rows}) EXECUTE FUNCTION fault()",
            action,
        )
    with broken:
        yield


def at_once(table: str, event: str = "INSERT", action: str = REFUSE):
    """A statement that writes to the table comes to grief."""
    if factories.on_sqlite():
        raise_ = "SELECT RAISE(ABORT, 'Failing row contains (Ahmed)')"
        return triggered(
            f"CREATE TRIGGER fault BEFORE {event} ON {table} BEGIN {raise_}; END",
            after=["DROP TRIGGER fault"],
        )
    return on_postgresql(
        f"CREATE TRIGGER fault AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION fault()", action
    )


def on_postgresql(trigger: str, action: str):
    function = (
        f"CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; RETURN NULL; END $$"
    )
    return triggered(trigger, before=function, after=["DROP FUNCTION fault CASCADE"])


@contextmanager
def triggered(trigger: str, *, before: str = "", after: list[str]):
    execute(*filter(None, [before, trigger]))
    try:
        yield
    finally:
        connection.close()  # it may be dead
        execute(*after)


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def numbered():
    """The sequence tries, whose numbers no rollback takes back."""
    execute("CREATE SEQUENCE tries")
    try:
        yield
    finally:
        execute("DROP SEQUENCE tries")
