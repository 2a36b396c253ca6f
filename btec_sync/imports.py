"""Importing an export by the way that Zoho's requests take: batches, each a delivery of its own."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from . import deliveries, problems
from .bulk_read import MOST_NAMED, WrongFile
from .models import State, Tenant

BEGINS, BETWEEN, ENDS = b'{"data": [\n', b",\n", b"\n]}"
HEADERS = {"Content-Type": "application/json", "User-Agent": "manage.py import_records"}


@dataclass
class Imported:
    """What became of the batches: records by state, and the deliveries that could not be processed.

    refused are the first that were, each with what was wrong; under_way is the delivery that is stored and
    not processed yet.
    """

    states: Counter[str] = field(default_factory=Counter)
    parked: int = 0
    batches: int = 0
    failed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    under_way: str = ""

    @property
    def records(self) -> int:
        return self.states.total()


def batches(records: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Bodies of as many records as one request may bring, each with their number. Raises WrongFile."""
    batch: list[bytes] = []
    frame = len(BEGINS) + len(ENDS)
    size = frame
    for line, record in records:
        if frame + len(record) > settings.BTEC_MAX_BODY_BYTES:
            raise WrongFile(f"a record larger than {settings.BTEC_MAX_BODY_BYTES:,} bytes.", line)
        longer = size + len(record) + len(BETWEEN)
        if batch and (len(batch) == settings.BTEC_MAX_BATCH or longer > settings.BTEC_MAX_BODY_BYTES):
            yield len(batch), _body(batch)
            batch, longer = [], frame + len(record) + len(BETWEEN)
        batch.append(record)
        size = longer
    if batch:
        yield len(batch), _body(batch)


def _body(batch: list[bytes]) -> bytes:
    return BEGINS + BETWEEN.join(batch) + ENDS


def import_records(
    tenant: Tenant, module: str, records: Iterable[tuple[int, bytes]], imported: Imported
) -> Iterator[int]:
    """Receives and processes batch after batch, and yields the number of records of each.

    Whatever ends it, whole batches are stored. Raises WrongFile, and Unavailable where the database is
    away or the tenant's turn did not come.
    """
    for number, body in batches(records):
        delivery = deliveries.receive(tenant, module, body, HEADERS)
        imported.under_way = str(delivery.uid)
        try:
            answer = json.loads(deliveries.process(delivery).body)
        except problems.Unavailable:
            raise
        except problems.Problem:
            # It is kept, and says why.
            imported.failed.append(str(delivery.uid))
        else:
            imported.states.update(answer["summary"])
            imported.parked += sum("retryable" in result for result in answer["results"])
            imported.refused += list(_refused(answer))[: MOST_NAMED - len(imported.refused)]
        imported.batches += 1
        imported.under_way = ""
        yield number


def _refused(answer: dict[str, Any]) -> Iterator[str]:
    """Those that neither are stored nor wait for a parent: the id, with which each result begins, and why."""
    for result in answer["results"]:
        zoho_id, state, message = list(result.values())[:3]
        if state in (State.INVALID, State.ERROR) and "retryable" not in result:
            yield f"{zoho_id or '(no id)'}: {message}"
