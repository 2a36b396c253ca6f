"""A batch's rows on their way into a module's table.

One statement for what is new or changed and one for what a delivery only spoke of; the rows that the database
refuses are found by halves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from django.db import DatabaseError
from django.utils import timezone

from . import writing
from .order import Marks
from .statements import Statement, attempt
from .turns import is_outage, sqlstate

if TYPE_CHECKING:
    from .services import SyncService

log = structlog.get_logger(__name__)

MARK_COLUMNS = ("modified_time", "version", "place", "seen")


@dataclass(slots=True)
class Row:
    """A record as the database has it, or is about to have it."""

    pk: int | None  # None of what is not there yet
    zoho_id: str
    marks: Marks
    fingerprint: str
    values: dict[str, Any] | None  # None where nothing needed to look at them


def write(
    service: "SyncService", rows: list[Row], stored: dict[str, Row], parents: dict[str, dict[str, int]]
) -> dict[str, str]:
    """Writes the rows; what the database said of those that it refused, by Zoho id."""
    touched = [row for row in rows if _is_touched(row, stored.get(row.zoho_id))]
    changed = [row for row in rows if not _is_touched(row, stored.get(row.zoho_id))]
    upsert, touch = partial(_upsert, service, parents), partial(_touch, service)
    return _write_halves(service, changed, upsert) | _write_halves(service, touched, touch)


def _write_halves(
    service: "SyncService", rows: list[Row], statement_for: Callable[[list[Row]], Statement]
) -> dict[str, str]:
    """One statement for all rows. Where the database refuses it, halves find the rows at fault."""
    if not rows:
        return {}
    try:
        attempt(statement_for(rows))
    except DatabaseError as error:
        if not blames_the_data(error):
            raise
        if len(rows) == 1:
            return {rows[0].zoho_id: _report(service, rows[0], error)}
        half = len(rows) // 2
        return _write_halves(service, rows[:half], statement_for) | _write_halves(
            service, rows[half:], statement_for
        )
    return {}


def _upsert(service: "SyncService", parents: dict[str, dict[str, int]], rows: list[Row]) -> Statement:
    """Rows that are new or changed."""
    values = _values(service, parents, rows) | _marks(rows)
    values["fingerprint"] = [row.fingerprint for row in rows]
    now = timezone.now()
    return writing.insert(
        service.model,
        {"zoho_id": [row.zoho_id for row in rows], **values},
        {"tenant": service.tenant.pk, "created_at": now, "updated_at": now},
        unique=["tenant", "zoho_id"],
        update=[*values, "updated_at"],
    )


def _values(service: "SyncService", parents: dict[str, dict[str, int]], rows: list[Row]) -> dict[str, list]:
    """The rows' data by column, lookups as the parents' primary keys."""
    values = {name: [row.values[name] for row in rows] for name in service.columns()}
    return values | {name: [parents[name].get(zoho_id) for zoho_id in values[name]] for name in parents}


def _touch(service: "SyncService", rows: list[Row]) -> Statement:
    """Rows that a delivery spoke of without changing them."""
    return writing.update(service.model, [row.pk for row in rows], _marks(rows))


def _report(service: "SyncService", row: Row, error: DatabaseError) -> str:
    """Says in the log which record was refused; the database's words are for staff alone."""
    log.error(
        "record refused by the database",
        tenant=service.tenant.slug,
        module=service.module,
        zoho_id=row.zoho_id,
        error=type(error).__name__,
        sqlstate=sqlstate(error),
    )
    return f"{type(error).__name__}: {error}"


def _marks(rows: list[Row]) -> dict[str, list]:
    return {name: [getattr(row.marks, name) for row in rows] for name in MARK_COLUMNS}


def blames_the_data(error: Exception) -> bool:
    """True when the database refused a row; False when the database or its tables were in trouble.

    57014 is query_canceled, a statement that was ended with the connection alive; class 54 a limit of
    PostgreSQL's that a row exceeds; class 42 a table, a column or a permission that is missing.
    """
    code = sqlstate(error) or ""
    if code.startswith("42"):
        return False
    return code == "57014" or code.startswith("54") or not is_outage(error)


def _is_touched(row: Row, before: Row | None) -> bool:
    """Whether only its marks are to be written. One that this batch has inserted has no known primary key."""
    return before is not None and before.pk is not None and row.fingerprint == before.fingerprint
