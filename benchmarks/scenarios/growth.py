"""Goal 4: what a record costs in small and large tables, among few and many tenants, in every batch."""

import json
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks import records
from benchmarks.contenders import PAYMENTS, Contender, fill, ours, service, unfilled
from benchmarks.measure import Cost, Sample, cost
from benchmarks.report import Report
from benchmarks.stage import Stage

STATES = ["NEW", "UPDATED", "UNCHANGED"]
MOST = 1.3


def run(stage: Stage, report: Report) -> None:
    if "postgresql" not in stage.names:
        return
    stored_rows(stage, report)
    if not stage.is_short:
        tenants(stage, report)
        batches(stage, report)


def stored_rows(stage: Stage, report: Report) -> None:
    sizes = {"short": [100, 1_000], "default": [1_000, 1_000_000], "full": [10**n for n in (3, 4, 5, 6)]}
    rows = sizes[stage.length]
    grown = {count: {"payments": count, "results": count} for count in rows}
    samples = measure(stage, grown, stage.size(short=50, default=1_000))
    told(report, samples, rows, "{:,} stored rows and results")


def tenants(stage: Stage, report: Report) -> None:
    counts, rows = [1, 1_000], 100_000
    grown = {count: {"tenants": count, "payments": rows} for count in counts}
    samples = measure(stage, grown, 1_000)
    told(report, samples, counts, f"{{:,}} tenants with {rows:,} rows in all")


def measure(stage: Stage, grown: dict[int, dict[str, int]], batch: int) -> dict[tuple[int, str], Sample]:
    """A batch of each state in each of these databases, all of them running side by side."""
    database = stage.database()
    with ExitStack() as stack:
        calls = {}
        for size, numbers in grown.items():
            url = database.create(unfilled(database))
            stack.callback(database.drop, url)
            headers = fill(url, **numbers)
            contender = stack.enter_context(service(database, url, headers))
            per_tenant = numbers["payments"] // len(headers)
            calls |= {(size, state): _call(contender, state, batch, per_tenant) for state in STATES}
        return stage.in_turns(calls)


def _call(contender: Contender, state: str, batch: int, rows: int) -> Callable[[int], Cost]:
    """NEW ones behind those that are stored; then half of these and half of the old ones, changed."""

    def send(number: int) -> Cost:
        # Far apart, as the tenants of a day are.
        client = contender.client(number * 331 % len(contender.tenants))
        start = rows + 1 + number * batch  # some tenants have one more than others
        if state == "NEW":
            sent = records.payments(start, batch)
        else:
            changed = {"amount": 600 + number}
            half = min(batch // 2, rows)
            sent = records.payments(start, batch - half, **changed)
            step = max(1, rows // half)
            sent += [records.payments(n * step, 1, **changed)[0] for n in range(half)]
        body = records.body(sent if state != "UNCHANGED" else sent[::-1])
        answers: list[bytes] = []
        taken = cost(lambda: answers.append(client.post(PAYMENTS, body)), contender.processes)
        client.close()
        summary = json.loads(answers[0])["summary"]
        if summary[state] != batch:
            raise SystemExit(f"a batch of {batch:,} {state} was answered {summary}")
        return taken

    return send


def told(report: Report, samples: dict[tuple[int, str], Sample], sizes: list[int], words: str) -> None:
    smallest, largest = sizes[0], sizes[-1]
    for state in STATES:
        ratio = samples[largest, state] / samples[smallest, state]
        what = f"{state}: {words.format(largest)} ÷ {smallest:,}"
        report.goal(4, what, ratio, most=MOST)
        for size in sizes:
            report.seconds(f"ours, a batch {state}, {words.format(size)}", samples[size, state])


def batches(stage: Stage, report: Report) -> None:
    """Batches of 10, 100 and 1,000, and what one more record costs between them."""
    repeats = {10: 10, 100: 3, 1_000: 1}
    with ours(stage.database()) as contender:
        client = contender.client()
        taken = 0

        def call(size: int) -> Callable[[int], Cost]:
            def send(_: int) -> Cost:
                nonlocal taken
                bodies = list(records.bodies(taken, size * repeats[size], batch=size))
                taken += size * repeats[size]
                whole = cost(lambda: [client.post(PAYMENTS, body) for body in bodies], contender.processes)
                return Cost(whole.wall / len(bodies), whole.cpu / len(bodies))

            return send

        samples = stage.in_turns({size: call(size) for size in repeats})
    for size, sample in samples.items():
        report.seconds(f"ours, a batch of {size:,} NEW, per record", sample * (1 / size))
    few = (samples[100] - samples[10]) * (1 / 90)
    many = (samples[1_000] - samples[100]) * (1 / 900)
    report.goal(4, "one more record, from 100 to 1,000 in a batch ÷ from 10 to 100", many / few, most=MOST)
