"""All writes of one tenant take turns (docs/adr/0006-one-lock-per-tenant.md)."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection

from .models import Tenant
from .prepared import Question, ask
from .statements import Statement

log = structlog.get_logger(__name__)
T = TypeVar("T")

TRIES = 3
# Our own work between two statements is silence too, and takes seconds for a very large batch.
SILENT_SECONDS = 300
# A host that vanished is noticed sooner than one that is slow: it does not answer PostgreSQL's kernel.
VANISHED = {
    "tcp_keepalives_idle": "5s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "15s",
}


def take_turn(tenant: Tenant, *questions: Question) -> list[list[tuple]]:
    """Waits, inside a transaction, until no other delivery of the tenant is being processed; then asks.

    What is read then or afterwards is still true when we write. It waits for BTEC_LOCK_SECONDS at most and
    then raises OperationalError, of which is_lock_timeout() is true. Who has the turn loses it where it is
    silent for SILENT_SECONDS, or has vanished for 15: else all behind it would wait for hours. SQLite has one
    writer anyway: there the transaction itself is the turn.
    """
    if connection.vendor != "postgresql":
        return ask(*questions)
    limits = _set(
        {
            "lock_timeout": f"{settings.BTEC_LOCK_SECONDS}s",
            # A connection keeps the plans of its foreign keys' checks. One made while a table was small
            # would read all of it for every row, once it is large.
            "enable_seqscan": "off",
            "idle_in_transaction_session_timeout": f"{SILENT_SECONDS}s",
            **VANISHED,
        }
    )
    turn = ("SELECT id FROM btec_sync_tenant WHERE id = %s FOR NO KEY UPDATE", [tenant.pk])
    return ask(*questions, after=[limits, turn])


def _set(limits: Mapping[str, str]) -> Statement:
    """What sets PostgreSQL's parameters until the end of the transaction."""
    calls = ", ".join(["set_config(%s, %s, true)"] * len(limits))
    return f"SELECT {calls}", [text for limit in limits.items() for text in limit]


def is_lock_timeout(error: OperationalError) -> bool:
    return sqlstate(error) == "55P03" or "database is locked" in str(error)


def is_outage(error: Exception) -> bool:
    """True when the database was in trouble itself; False when it refused what it was given, or crashed us.

    25006 is a database that may only be read, as a standby after a failover; 25P03 a transaction that
    was ended because nothing came for too long; 25P02 one that had failed already.
    """
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, InternalError) and sqlstate(error) in ("25006", "25P02", "25P03")


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
            log.warning("transaction tried again", sqlstate=sqlstate(error))
    return transact()
