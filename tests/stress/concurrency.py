"""Many senders at once against a running server: nothing lost, nothing doubled, one execution for one key.

Each scene answers with what is wrong, in words; an empty list is the proof.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from tests.stress import verdicts
from tests.stress.databases import Database
from tests.stress.traffic import Reply, Sent, Traffic, chain

T = TypeVar("T")

SENDERS = 16
SENDERS_OF_ONE_KEY = 32


def scenes(
    database: Database, traffic: Traffic, batches: Traffic, singles: Traffic, rounds: int
) -> dict[str, Callable[[], list[str]]]:
    """The scenes by name; batches and singles send for tenants of their own."""
    return {
        "clashing batches": partial(clashing_batches, traffic, rounds),
        "batches and singles": partial(batches_answer_as_singles, batches, singles, rounds),
        "one key": partial(one_key, database, traffic, rounds),
        "parents meet children": partial(parents_meet_children, database, traffic, rounds),
    }


def at_once(calls: Iterable[Callable[[], T]]) -> list[T]:
    """The results of calls that start together, each in a thread."""
    calls = list(calls)
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def request(module: str, records: list[dict], key: str | None = None) -> Sent:
    return Sent(module, records, key, json.dumps({"data": records}).encode())


def refused(replies: Iterable[Reply]) -> list[str]:
    return [f"answered {reply.status}: {reply.body[:200]!r}" for reply in replies if reply.status != 200]


def clashing_batches(traffic: Traffic, rounds: int) -> list[str]:
    """The same ids from all senders, in other orders and with shuffled versions, round after round.

    That the highest version stays is seen from the tables, once all is over.
    """
    replies = []
    for number in range(rounds):
        ids = [f"clash{number}-{n}" for n in range(40)]
        batches = [[traffic.unit(i) for i in random.sample(ids, len(ids))] for _ in range(SENDERS)]
        random.shuffle(batches)
        replies += at_once(partial(traffic.post, request("units", batch)) for batch in batches)
    answers = [json.loads(reply.body) for reply in replies if reply.status == 200]
    news = Counter(
        result["zoho_unit_id"]
        for answer in answers
        for result in answer["results"]
        if result["status"] == "NEW"
    )
    wrong = [f"{zoho_id} was answered NEW {n} times" for zoho_id, n in news.items() if n != 1]
    if len(news) != rounds * 40:
        wrong.append(f"{len(news)} of {rounds * 40} ids were answered NEW")
    return refused(replies) + wrong


def batches_answer_as_singles(batches: Traffic, singles: Traffic, rounds: int) -> list[str]:
    """One tenant gets batches, the other the same records one by one: the results are the same."""
    for traffic in (batches, singles):
        traffic.post(request("students", [{"id": "same", "Name": "A"}]))
        traffic.post(request("programs", [{"id": "same", "Product_Name": "P"}]))
    wrong = []
    for number in range(rounds):
        numbers = range(number * SENDERS, (number + 1) * SENDERS)
        wrong += at_once(partial(_compare, batches, singles, awkward_records(n)) for n in numbers)
    return [words for of_one in wrong for words in of_one]


def _compare(batches: Traffic, singles: Traffic, records: list[dict]) -> list[str]:
    together = batches.post(request("registrations", records))
    apart = [singles.post(request("registrations", [record])) for record in records]
    if wrong := refused([together, *apart]):
        return wrong
    alone = [result for reply in apart for result in json.loads(reply.body)["results"]]
    pairs = zip(json.loads(together.body)["results"], alone, strict=True)
    return [f"{one} in a batch, {other} alone" for one, other in pairs if one != other]


def awkward_records(number: int) -> list[dict]:
    """Registrations that are new, the same, changed, stale, invalid or parked, each id several times."""
    records = []
    for n in range(8):
        record = {
            "id": f"awkward{number}-{n % 4}",
            "Student": {"id": "same"},
            "Program": {"id": random.choice(["same", "same", "same", f"nowhere{number}"])},
            "Enrollment_Status": random.choice(["Active", "Completed"]),
            "Version": random.randint(1, 5),
        }
        records.append({**record, "Wrong": 1} if random.random() < 0.1 else record)
    return records


def one_key(database: Database, traffic: Traffic, rounds: int) -> list[str]:
    """All senders with one Idempotency-Key: one execution, the same bytes for all."""
    wrong = []
    for number in range(rounds):
        batch = [traffic.unit(f"key{number}-{n}") for n in range(50)]
        sent = request("units", batch, f"one-key{number}")
        replies = at_once([partial(traffic.post, sent)] * SENDERS_OF_ONE_KEY)
        firsts = sum(not reply.replayed for reply in replies)
        if len({reply.body for reply in replies}) != 1 or refused(replies) or firsts != 1:
            wrong.append(f"key {number}: {firsts} executions were answered, or other bytes, or a refusal")
    # claimed once each, and executed for one delivery each: verdicts.doubled() looks at the latter
    claimed = database.rows("SELECT count(*) FROM btec_sync_idempotencykey WHERE key LIKE 'one-key%'")
    return wrong if claimed == [(rounds,)] else [*wrong, f"{claimed} keys were claimed in {rounds} rounds"]


def parents_meet_children(database: Database, traffic: Traffic, rounds: int) -> list[str]:
    """Payments, registrations, students and programs at the same moment, in any order, from all senders."""
    replies = []
    for number in range(rounds):
        parts = [part for n in range(8) for part in chain(f"race{number}-{n}")]
        random.shuffle(parts)
        replies += at_once(partial(_post_all, traffic, parts[n::SENDERS]) for n in range(SENDERS))
    return refused(reply for of_one in replies for reply in of_one) + _still_parked(database)


def _post_all(traffic: Traffic, parts: list[tuple[str, list[dict]]]) -> list[Reply]:
    return [traffic.post(request(module, records)) for module, records in parts]


def _still_parked(database: Database) -> list[str]:
    """Of the chains, a second after the last answer: what was let go on may follow an answer."""
    deadline = time.monotonic() + 1
    while (parked := verdicts.parked(database, "race")) and time.monotonic() < deadline:
        time.sleep(0.05)
    return parked
