"""What must be in the tables once the traffic is over: nothing missing, nothing applied twice.

Each function answers with what is wrong, in words; an empty list is the proof.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.stress.databases import Database
from tests.stress.traffic import Sent, Traffic

TABLES = {
    "students": "reference_student",
    "programs": "reference_program",
    "units": "units_unit",
    "registrations": "registrations_registration",
    "payments": "payments_payment",
}


#: The tenants of concurrency.batches_answer_as_singles() hold invalid records.
OURS = "tenant_id = (SELECT id FROM btec_sync_tenant WHERE slug = 'default')"


def missing(database: Database, journal: list[Sent]) -> list[str]:
    """What was answered 200 and is not there, before anything is replayed."""
    stored = {str(uid).replace("-", "") for (uid,) in database.rows("SELECT uid FROM btec_sync_delivery")}
    versions = dict(database.rows("SELECT zoho_id, version FROM units_unit"))
    tables = {module: _ids(database, module) for module in TABLES}
    wrong = []
    for sent in journal:
        for answer in sent.answers():
            if answer["delivery_id"].replace("-", "") not in stored:
                wrong.append(f"delivery {answer['delivery_id']} was answered 200 and is not stored")
            for record, result in zip(sent.records, answer["results"], strict=False):
                if result["status"] == "INVALID":
                    continue
                if record["id"] not in tables[sent.module]:
                    wrong.append(f"{sent.module} {record['id']} was answered {result['status']}, is missing")
                elif sent.module == "units" and versions[record["id"]] < record["Version"]:
                    wrong.append(f"unit {record['id']}: version {record['Version']} was answered and is lost")
    return wrong


def unfinished(database: Database) -> list[str]:
    """Deliveries that are not done, and what is parked beside its parents."""
    left = database.rows(f"SELECT uid, state FROM btec_sync_delivery WHERE {OURS} AND state <> 'done'")
    return [f"delivery {uid} is {state}" for uid, state in left] + parked_beside_their_parents(database)


def parked(database: Database, word: str) -> list[str]:
    """Records with that word in their ids that wait for a parent."""
    waiting = database.rows(
        f"SELECT module, zoho_id, waits_for_id FROM btec_sync_recordresult WHERE {OURS}"
        f" AND \"current\" AND waits_for_id <> '' AND zoho_id LIKE '%{word}%'"
    )
    return [f"{module} {zoho_id} waits for {parent}" for module, zoho_id, parent in waiting]


def parked_beside_their_parents(database: Database) -> list[str]:
    there = {module: _ids(database, module) for module in TABLES}
    parked = database.rows(
        "SELECT module, zoho_id, waits_for_module, waits_for_id, delivery_id FROM btec_sync_recordresult"
        f" WHERE {OURS} AND \"current\" AND waits_for_id <> ''"
    )
    return [
        f"{module} {zoho_id} is parked, and {parent} {parent_id} is there: {_history(database, delivery)}"
        for module, zoho_id, parent, parent_id, delivery in parked
        if parent_id in there[parent]
    ]


def _history(database: Database, delivery: int) -> str:
    """What became of a delivery, attempt by attempt."""
    head = database.rows(
        "SELECT id, state, attempts, repeats_id, duplicate_of_id, new, unchanged, updated, invalid, error,"
        f" answer_is_final, received_at, processed_at FROM btec_sync_delivery WHERE id = {delivery}"
    )
    results = database.rows(
        'SELECT attempt, position, state, "current", waits_for_id, created_at'
        f" FROM btec_sync_recordresult WHERE delivery_id = {delivery} ORDER BY id"
    )
    return f"{head}, {results}"


def doubled(database: Database) -> list[str]:
    """What was applied twice, or from a state that was not the last one."""
    results = database.rows(
        "SELECT r.module, r.zoho_id, r.state, r.changed_fields, r.delivery_id, r.position"
        f" FROM btec_sync_recordresult r WHERE {OURS} AND r.state IN ('NEW', 'UPDATED') ORDER BY r.id"
    )
    news = Counter((module, zoho_id) for module, zoho_id, state, *_ in results if state == "NEW")
    wrong = [f"{module} {zoho_id} was NEW {n} times" for (module, zoho_id), n in news.items() if n > 1]
    for module in TABLES:
        ids = _ids(database, module)
        known = {zoho_id for of, zoho_id in news if of == module}
        wrong += [f"{module} {zoho_id} is stored and never was NEW" for zoho_id in ids - known]
        wrong += [f"{module} {zoho_id} was NEW and is not stored" for zoho_id in known - ids]
    return wrong + _broken_histories(database, results) + _keys_run_twice(database)


def _broken_histories(database: Database, results: list[tuple]) -> list[str]:
    """Units of which an update did not begin where the one before it ended."""
    bodies = {number: records for number, module, records in _bodies(database) if module == "units"}
    names = dict(database.rows("SELECT zoho_id, unit_name FROM units_unit"))
    history: dict[str, str] = {}
    wrong = []
    for module, zoho_id, state, changed, delivery, position in results:
        if module != "units":
            continue
        record = bodies[delivery][position]
        if state == "UPDATED":
            old, new = (json.loads(changed) if isinstance(changed, str) else changed)["unit_name"]
            if (old, new) != (history.get(zoho_id), record["Unit_Name"]):
                wrong.append(f"unit {zoho_id}: an update from {old} came after {history.get(zoho_id)}")
        history[zoho_id] = record["Unit_Name"]
    return wrong + [
        f"unit {zoho_id}: {names.get(zoho_id)} is stored, the last result says {name}"
        for zoho_id, name in history.items()
        if names.get(zoho_id) != name
    ]


def _keys_run_twice(database: Database) -> list[str]:
    ran = database.rows(
        f"SELECT {database.header('Idempotency-Key')} AS sent_key, count(*) FROM btec_sync_delivery"
        f" WHERE attempts > 0 AND {database.header('Idempotency-Key')} IS NOT NULL"
        " GROUP BY sent_key HAVING count(*) > 1"
    )
    return [f"key {key} was executed for {n} deliveries" for key, n in ran]


def wrong_in_the_end(database: Database, journal: list[Sent]) -> list[str]:
    """Records that differ from what all stored deliveries together say, and senders' records not there."""
    newest: dict[str, tuple[int, str]] = {}
    for _, module, records in _bodies(database):
        for record in records if module == "units" else []:
            version = (record["Version"], record["Unit_Name"])
            newest[record["id"]] = max(newest.get(record["id"], (-1, "")), version)
    stored = {i: (v, n) for i, v, n in database.rows("SELECT zoho_id, version, unit_name FROM units_unit")}
    wrong = [
        f"unit {i}: {stored.get(i)} is stored, {newest.get(i)} was delivered"
        for i in newest
        if stored.get(i) != newest[i]
    ]
    there = {module: _ids(database, module) for module in TABLES}
    return wrong + [
        f"{sent.module} {record['id']} was sent and is not stored"
        for sent in journal
        for record in sent.records
        if record["id"] not in there[sent.module]
    ]


def other_bytes(traffic: Traffic, sample: int) -> list[str]:
    """Keys of which a repeat is not answered byte for byte."""
    keyed = [sent for sent in traffic.journal if sent.key]
    wrong = []
    for sent in traffic.random.sample(keyed, min(sample, len(keyed))):
        # One that was parked runs once more; what it answers now is final.
        first = traffic.post(sent)
        second = traffic.post(sent)
        if first.status != 200 or first.body != second.body or not second.replayed:
            wrong.append(f"key {sent.key}: {first.status}, then {second.status}, or other bytes")
    return wrong


def snapshot(database: Database) -> list[list[tuple]]:
    """Every column of every mirrored row, and what was counted as done."""
    return [
        *(database.rows(f"SELECT * FROM {table} ORDER BY id") for table in TABLES.values()),
        database.rows("SELECT count(*) FROM btec_sync_recordresult WHERE state IN ('NEW', 'UPDATED')"),
        database.rows("SELECT state, count(*) FROM btec_sync_delivery GROUP BY state ORDER BY state"),
    ]


def _ids(database: Database, module: str) -> set[str]:
    return {zoho_id for (zoho_id,) in database.rows(f"SELECT zoho_id FROM {TABLES[module]} WHERE {OURS}")}


def _bodies(database: Database) -> Iterator[tuple[int, str, list[dict]]]:
    for number, module, body in database.rows(
        f"SELECT id, module, body FROM btec_sync_delivery WHERE {OURS}"
    ):
        yield number, module, json.loads(bytes(body))["data"]


def shortened(words: Iterable[str], most: int = 12) -> list[str]:
    """Each once, with how often it came, and no more than so many; one fault often shows a thousand times."""
    counted = Counter(words).most_common()
    lines = [f"{n} × {line}" if n > 1 else line for line, n in counted[:most]]
    return lines if len(counted) <= most else [*lines, f"… and {len(counted) - most} other lines"]
