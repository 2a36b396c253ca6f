"""A campaign of faults under traffic: one after the other, and how long each takes to be over."""

import random
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.stress.faults import Fault, Stage
from tests.stress.traffic import Reply, Sent, Traffic

RECOVERY_SECONDS = 5.0
NEVER = 60.0


@dataclass
class Record:
    """A fault that was done, and the seconds until the next request was answered 200."""

    fault: Fault
    began: float
    over: float
    recovery: float
    #: What the tries to recover were answered.
    tries: list[int]
    #: What requests around it got instead of a 200, by status.
    failed: Counter[int] = field(default_factory=Counter)


def plan(faults: list[Fault], count: int, seed: int) -> list[Fault]:
    """So many faults in a random order: of each kind its share, and one at least."""
    shares = sum(fault.share for fault in faults)
    planned = [fault for fault in faults for _ in range(max(1, round(count * fault.share / shares)))]
    random.Random(seed).shuffle(planned)
    return planned


def run(stage: Stage, traffic: Traffic, planned: list[Fault], deadline: float) -> list[Record]:
    """Does the faults, waiting after each until a request succeeds; no more of them after the deadline."""
    records = []
    for fault in planned:
        if time.monotonic() > deadline:
            break
        time.sleep(random.uniform(0.05, 0.3))
        began = time.monotonic()
        since = fault.inject(stage) or time.monotonic()
        tries = probe(traffic, since + NEVER)
        over = time.monotonic()
        records.append(Record(fault, began, over, over - since, tries))
    return records


def probe(traffic: Traffic, deadline: float) -> list[int]:
    """Sends a request of our own, on a new connection each time, until it is answered 200."""
    sent = traffic.sent("units", [traffic.unit("probe")])
    while traffic.post(sent, timeout=30).status != 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    return [reply.status for reply in sent.replies]


def unexplained(records: list[Record], journal: list[Sent]) -> list[str]:
    """What a fault does not explain: a failed request while nothing was broken, a slow recovery."""
    wrong = [
        f"{record.fault.name}: recovered after {record.recovery:.1f} s, answers {record.tries[-9:]}"
        for record in records
        if record.recovery > RECOVERY_SECONDS
    ]
    for reply in (reply for sent in journal for reply in sent.replies if reply.status != 200):
        around = list(_around(records, reply))
        explaining = [record for record in around if _explains(record.fault, reply.status)]
        if explaining:
            explaining[-1].failed[reply.status] += 1
        else:
            names = ", ".join(sorted({record.fault.name for record in around})) or "no fault at all"
            wrong.append(f"{reply.status or 'no answer'} during: {names}")
    return wrong


def _explains(fault: Fault, status: int) -> bool:
    return {0: fault.ends_requests, 500: fault.crashes}.get(status, True)


def _around(records: list[Record], reply: Reply) -> Iterator[Record]:
    """The faults that a request may have met: begun before it ended, and not long over when it began."""
    for record in records:
        if record.began <= reply.ended and reply.began <= record.over + 1:
            yield record


def table(records: list[Record]) -> list[str]:
    """A line for each kind: how often, how long until the next request succeeded, what failed around it."""
    by_name = defaultdict(list)
    for record in records:
        by_name[record.fault.name].append(record)
    head = f"{'fault':<32}{'count':>6}{'median s':>10}{'max s':>8}{'503':>7}{'500':>6}{'no answer':>11}"
    lines = [_line(name, of_kind) for name, of_kind in sorted(by_name.items())]
    return [head, *lines, _line("all", records)] if records else ["no faults"]


def _line(name: str, records: list[Record]) -> str:
    seconds = [record.recovery for record in records]
    failed = sum((record.failed for record in records), Counter())
    median = statistics.median(seconds)
    columns = f"{len(seconds):>6}{median:>10.2f}{max(seconds):>8.2f}{failed[503] + failed[409]:>7}"
    return f"{name:<32}{columns}{failed[500]:>6}{failed[0]:>11}"
