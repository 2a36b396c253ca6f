"""Goal 4: the memory of a worker over many records, and for one large body."""

from benchmarks import records
from benchmarks.contenders import PAYMENTS, Contender, ours
from benchmarks.measure import Sample
from benchmarks.processes import memory, reset_peak
from benchmarks.report import Report
from benchmarks.stage import Stage

BODY_BYTES = 5 * 2**20
BATCH = 1_000


def run(stage: Stage, report: Report) -> None:
    for database in stage.databases():
        aims = database.name == "PostgreSQL"
        with ours(database) as contender:
            many_records(stage, report, contender, aims)
        with ours(database) as contender:
            large_bodies(stage, report, contender, aims)


def many_records(stage: Stage, report: Report, contender: Contender, aims: bool) -> None:
    """A worker's memory after a fifth of the records and after all of them."""
    count = stage.size(short=500, default=20_000, full=1_000_000)
    client, [worker] = contender.client(), contender.server.workers()
    memories = []
    for body in records.bodies(0, count, batch=min(BATCH, count // 5)):
        client.post(PAYMENTS, body)
        memories.append(memory(worker))
    early, late = (Sample((memories[n],)) for n in (len(memories) // 5, -1))
    name = contender.database.name
    aim = {"most": 1.1} if aims else {}
    report.goal(4, f"{name}: a worker's memory after {count:,} records ÷ after a fifth", late / early, **aim)
    report.median(f"{name}: a worker's memory after {count:,} records", late, "MiB")


def large_bodies(stage: Stage, report: Report, contender: Contender, aims: bool) -> None:
    """What a worker takes at most for a body of the largest size, beyond what it had before."""
    client, [worker] = contender.client(), contender.server.workers()
    for body in records.bodies(0, 200, batch=100):
        client.post(PAYMENTS, body)
    for what, body, aim in [
        (f"{BATCH:,} records of 5 KiB", long_descriptions(), {"most": 60}),
        ("empty arrays, answered 413", b'{"data": [' + b"[]," * (BODY_BYTES // 3 - 10) + b"[]]}", {}),
    ]:
        costs = []
        for _ in range(stage.rounds):
            before = memory(worker)
            reset_peak(worker)
            client.post_any(PAYMENTS, body)
            costs.append(memory(worker, "VmHWM") - before)
        name = contender.database.name
        # The first is the dear one: later ones find the room that it left.
        most = Sample((max(costs),))
        report.goal(
            4,
            f"{name}: MiB for a body of {len(body) / 2**20:.2f} MiB, {what}",
            most,
            **((aims and aim) or {}),
        )


def long_descriptions() -> bytes:
    """A body just below the limit, as long texts make it."""
    sent = records.payments(0, BATCH)
    spare = BODY_BYTES - len(records.body(sent)) - BATCH
    for record in sent:
        record["Description"] += "x" * (spare // BATCH)
    return records.body(sent)
