"""All writes of one tenant take turns (docs/adr/0006-one-lock-per-tenant.md)."""

import logging
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection

from .models import Tenant

log = logging.getLogger(__name__)
T = TypeVar("T")

TRIES = 3
# Our own work between two statements is silence too, and takes seconds for a very large batch.
SILENT_SECONDS = 300


def take_turn(tenant: Tenant) -> None:
    """Waits, inside a transaction, until no other delivery of the tenant is being processed.

    What is read afterwards is still true when we write. It waits for BTEC_LOCK_SECONDS at most and
    then raises OperationalError, of which is_lock_timeout() is true. Who has the turn and is silent for
    SILENT_SECONDS loses it: the worker's host may be gone, and PostgreSQL would keep its lock for hours.
    SQLite has one writer anyway: there the transaction itself is the turn.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, true),"
                " set_config('idle_in_transaction_session_timeout', %s, true)",
                [f"{settings.BTEC_LOCK_SECONDS}s", f"{SILENT_SECONDS}s"],
            )
    Tenant.objects.select_for_update(no_key=True).values_list("pk").get(pk=tenant.pk)


def is_lock_timeout(error: OperationalError) -> bool:
    return sqlstate(error) == "55P03" or "database is locked" in str(error)


def is_outage(error: Exception) -> bool:
    """True when the database was in trouble itself; False when it refused what it was given, or crashed us.

    25006 is a database that may only be read, as a standby after a failover; 25P03 a transaction that
    was ended because nothing came for too long.
    """
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, InternalError) and sqlstate(error) in ("25006", "25P03")


def sqlstate(error: Exception) -> str | None:
    """PostgreSQL's code for a database error; None on SQLite and for a connection that broke.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    return getattr(error.__cause__, "sqlstate", None)


def with_retries(transact: Callable[[], T]) -> T:
    """Runs a transaction, and again where the database asks for it: 40001 and 40P01."""
    for _ in range(TRIES - 1):
        try:
            return transact()
        except OperationalError as error:
            # Inside somebody else's transaction there is nothing left to try again.
            if sqlstate(error) not in ("40001", "40P01") or connection.in_atomic_block:
                raise
            log.warning("transaction tried again sqlstate=%s", sqlstate(error))
    return transact()
