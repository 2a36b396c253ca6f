"""How Zoho sends what was saved: in batches, some of them with all the keys of a whole record."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

Record = dict[str, Any]

BATCH = 50
MODULES = ["programs", "units", "students", "registrations", "payments", "grades"]


@dataclass(frozen=True)
class Request:
    """One request of Zoho's: the module that it is for, and its body."""

    module: str
    body: bytes


@dataclass(frozen=True)
class Save:
    """A record as somebody saved it in Zoho, and when."""

    module: str
    record: Record
    time: datetime


def batches(saves: Iterable[Save]) -> Iterator[Request]:
    """A month at a time, parents' modules first, some of them with all the keys of a whole record."""
    created: dict[str, datetime] = {}
    number = 0
    for month, monthly in groupby(sorted(saves, key=_month), key=_month):
        by_module = {module: [] for module in MODULES}
        for save in monthly:
            created.setdefault(save.record["id"], save.time)
            by_module[save.module].append(save)
        # In January payments overtook their registrations: these were parked, and released by themselves.
        order = MODULES if month != (2026, 1) else reversed(MODULES)
        for module in order:
            for batch in pages(sorted(by_module[module], key=lambda save: save.time)):
                number += 1
                yield Request(module, body([sent(save, created, whole=number % 3 == 0) for save in batch]))


def _month(save: Save) -> tuple[int, int]:
    return save.time.year, save.time.month


def pages(saves: Sequence[Save]) -> Iterator[Sequence[Save]]:
    for start in range(0, len(saves), BATCH):
        yield saves[start : start + BATCH]


def body(records: list[Any]) -> bytes:
    return json.dumps({"data": records}, ensure_ascii=False).encode()


def sent(save: Save, created: dict[str, datetime], *, whole: bool) -> Record:
    """A record as it is sent: with all the keys that Zoho's API gives it, or with its own and its time."""
    marked = {**save.record, "Modified_Time": save.time.isoformat()}
    return {**system_keys(save.record["id"], created[save.record["id"]]), **marked} if whole else marked


def zoho_name(zoho_id: str) -> str:
    """What Zoho calls a record that has no name of its own."""
    return zoho_id.upper().replace("_", "-")


def system_keys(zoho_id: str, created: datetime) -> Record:
    """What Zoho's API puts around a record's own fields."""
    office = {"name": "Front Office", "id": "5516116000097441001", "email": "office@college.example"}
    return {
        "Name": zoho_name(zoho_id),
        "Owner": office,
        "Created_Time": created.isoformat(),
        "Created_By": office,
        "Modified_By": office,
        "Currency": "JOD",
        "$currency_symbol": "JD",
        "Exchange_Rate": 1,
        "Tag": [],
        "Locked__s": False,
        "$approved": True,
        "$state": "save",
        "$in_merge": False,
        "$editable": True,
        "$approval_state": "approved",
        "$approval": dict.fromkeys(("delegate", "takeover", "approve", "reject", "resubmit"), False),
        "$layout_id": {"display_label": "Standard", "name": "Standard", "id": "5516116000000588002"},
    }
