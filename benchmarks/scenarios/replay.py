"""Goal 5: replay and import beside the HTTP batches, and a parent that releases many parked payments."""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import records
from benchmarks.contenders import PAYMENTS, Contender, django, ours
from benchmarks.databases import query
from benchmarks.measure import Cost, Sample, cost
from benchmarks.processes import cpu_seconds, python
from benchmarks.processes import run as run_program
from benchmarks.report import Report
from benchmarks.stage import Stage
from tests import live

BATCH = 1_000


def run(stage: Stage, report: Report) -> None:
    if "postgresql" not in stage.names:
        return
    rates(stage, report)
    parked(stage, report)


def rates(stage: Stage, report: Report) -> None:
    """The same payments over HTTP, as deliveries that replay finds unprocessed, and as a file to import."""
    count = stage.size(short=200, default=100_000, full=1_000_000) // stage.rounds
    database = stage.database()
    with ours(database) as http, ours(database) as replayed, ours(database) as imported:
        runs = {"replay": Program(replayed, _replay), "import": Program(imported, _import)}
        if "import_records" not in live.manage(replayed.url, "help"):
            del runs["import"]
            report.note("there is no manage.py import_records yet: not measured")
        calls: dict[str, Callable[[int], Cost]] = {"HTTP": http.takes(count)}
        calls |= {name: lambda n, p=program: p.load(n * count, count) for name, program in runs.items()}
        samples = stage.in_turns(calls)
        for contender in [http, *(program.contender for program in runs.values())]:
            contender.check(records.payments(0, count * stage.turns))
        for name, program in runs.items():
            ratio = samples["HTTP"] / samples[name]
            report.goal(5, f"records a second, {name} ÷ HTTP batches, {count:,} in one run", ratio, least=0.5)
            few = min(BATCH, count)
            small = Sample((program.peak_of(count * stage.turns, few),))
            large = Sample((max(program.peaks),))
            report.goal(5, f"memory of {name}: {count:,} records ÷ {few:,}", large / small, most=1.3)
            report.median(f"memory of {name} of {count:,} records, at most", large, "MiB")
        for name, sample in samples.items():
            report.median(
                f"{name}, {count:,} NEW", Sample(tuple(count / w for w in sample.values)), "records/s"
            )


class Program:
    """A command of manage.py that works through many records."""

    def __init__(self, contender: Contender, prepare: Callable[..., list[str]]) -> None:
        self.contender, self.prepare = contender, prepare
        self.peaks: list[float] = []

    def load(self, start: int, count: int) -> Cost:
        with tempfile.TemporaryDirectory(prefix="btec-bench-") as folder:
            arguments = self.prepare(self.contender, Path(folder), start, count)
            command = [sys.executable, "manage.py", *arguments]
            processes = self.contender.database.processes
            before = cpu_seconds(processes())
            ended = run_program(command, live.environ(self.contender.url))
        self.peaks.append(ended.peak)
        return Cost(ended.wall, ended.cpu + cpu_seconds(processes()) - before)

    def peak_of(self, start: int, count: int) -> float:
        self.load(start, count)
        return self.peaks.pop()


def _replay(contender: Contender, folder: Path, start: int, count: int) -> list[str]:
    """Deliveries as a crash before their processing leaves them."""
    python("benchmarks.received", str(start), str(count), environment=django(contender.url))
    return ["replay", "--tenant", records.tenant(0)]


def _import(contender: Contender, folder: Path, start: int, count: int) -> list[str]:
    path = folder / "payments.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records.payments(start, count)))
    return ["import_records", "payments", str(path), "--tenant", records.tenant(0)]


def parked(stage: Stage, report: Report) -> None:
    """The answer of the registration that many payments wait for, and when the last of them is stored."""
    few, many = stage.size(short=20, default=1_000), stage.size(short=60, default=10_000)
    with ours(stage.database()) as contender:
        family = Family(contender)
        samples = stage.in_turns({few: family.arrives(few), many: family.arrives(many)})
    what = f"answer of a parent of {many:,} parked payments"
    report.goal(5, f"{what} ÷ of {few:,}", samples[many] / samples[few], most=1.3)
    report.seconds(f"answer of a parent of {few:,} parked payments", samples[few])
    report.seconds(what, samples[many])
    report.seconds(
        f"from then on, until all {many:,} were stored", Sample(tuple(family.rests[many][stage.warm_up :]))
    )


class Family:
    """Registrations, each of which comes after its payments."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.client = contender.client()
        self.sent = 0
        self.rests: dict[int, list[float]] = {}

    def arrives(self, count: int) -> Callable[[int], Cost]:
        rests = self.rests[count] = []

        def send(number: int) -> Cost:
            parent = f"parent-{count}-{number}"
            for first in range(self.sent, self.sent + count, BATCH):
                children = records.payments(first, min(BATCH, self.sent + count - first))
                for child in children:
                    child["Registration"] = {"id": parent}
                self.client.post(PAYMENTS, records.body(children))
            self.sent += count
            registration = {
                "id": parent,
                "Student": {"id": "student"},
                "Program": {"id": "program"},
                "Enrollment_Status": "Active",
            }
            answer = cost(lambda: self.client.post("/v1/sync/registrations", records.body([registration])))
            began = time.perf_counter()
            while query(self.contender.url, "SELECT count(*) FROM payments_payment")[0][0] < self.sent:
                if time.perf_counter() - began > 600:
                    raise SystemExit(f"of {self.sent:,} parked payments not all were released in 10 minutes")
                time.sleep(0.02)
            rests.append(time.perf_counter() - began)
            return answer

        return send
