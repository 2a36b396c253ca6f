"""Goal 1, beside whole programs: dlt and Singer's target-postgres, which are given a file of payments."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import records
from benchmarks.contenders import OTHERS, ours
from benchmarks.databases import Database, query
from benchmarks.measure import Cost, Sample
from benchmarks.processes import cpu_seconds
from benchmarks.processes import run as run_program
from benchmarks.report import Report
from benchmarks.stage import Stage

TENANT = records.tenant(0)
SCHEMA = {
    "type": "SCHEMA",
    "stream": "payments",
    "key_properties": ["tenant", "id"],
    "schema": {
        "type": "object",
        "properties": {
            "tenant": {"type": "string"},
            "id": {"type": "string"},
            "Registration": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "name": {"type": ["string", "null"]}},
            },
            "Amount": {"type": ["number", "null"], "multipleOf": 0.01},
            "Payment_Date": {"type": ["string", "null"], "format": "date"},
            "Payment_Method": {"type": ["string", "null"]},
            "Payment_Status": {"type": ["string", "null"]},
            "Description": {"type": ["string", "null"]},
        },
    },
}
#: A program of its own each time, and how its rows are read.
ROWS = {
    "dlt": """
        SELECT id, registration__id, amount, payment_date, payment_method, payment_status, description
        FROM loaded.payments""",
    "Singer": """
        SELECT id, "Registration"->>'id', "Amount", "Payment_Date", "Payment_Method", "Payment_Status",
            "Description"
        FROM loaded.payments""",
}


def run(stage: Stage, report: Report) -> None:
    if "postgresql" not in stage.names:
        return
    if not os.path.exists(OTHERS):
        report.note("dlt and Singer are not installed (make bench does it): left out")
        return
    sizes = {"short": [50], "default": [1_000, 20_000], "full": [1_000, 100_000]}
    for count in sizes[stage.length]:
        samples = measure(stage, count)
        for name, sample in samples.items():
            report.seconds(f"{name}, {count:,} NEW in one run, per record", sample * (1 / count))
        for name in ROWS:
            ratio = samples[name] / samples["ours"]
            report.goal(1, f"{name} ÷ ours, {count:,} NEW, whole program and its start", ratio, least=1)


def measure(stage: Stage, count: int) -> dict[str, Sample]:
    database = stage.database()
    with tempfile.TemporaryDirectory(prefix="btec-bench-") as folder, ours(database) as contender:
        programs = {"dlt": DLT(database, Path(folder)), "Singer": Singer(database, Path(folder))}
        calls: dict[str, Callable[[int], Cost]] = {"ours": contender.takes(count)}
        calls |= {name: lambda n, p=program: p.load(n * count, count) for name, program in programs.items()}
        samples = stage.in_turns(calls)
        sent = records.payments(0, count * stage.turns)
        contender.check(sent)
        for name, program in programs.items():
            found = {records.stored(*row) for row in query(program.url, ROWS[name])}
            if found != records.expected(sent):
                raise SystemExit(f"{name} has other rows than it was given: its times would mean nothing.")
    return samples


class Program:
    """One that is started for every load."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.url = database.create()
        # Neither may call home from here, and dlt keeps no settings in the user's home.
        self.environment = {
            **os.environ,
            "DATABASE_URL": self.url,
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "DLT_DATA_DIR": str(folder),
            "HOME": str(folder),
        }

    def load(self, start: int, count: int) -> Cost:
        path = self.folder / f"{type(self).__name__}.jsonl"
        path.write_text(
            "".join(f"{json.dumps(line)}\n" for line in self.lines(records.payments(start, count)))
        )
        before = cpu_seconds(self.database.processes())
        ended = self.start(path)
        return Cost(ended.wall, ended.cpu + cpu_seconds(self.database.processes()) - before)


class DLT(Program):
    def lines(self, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"tenant": TENANT, **record} for record in sent]

    def start(self, path: Path):
        script = "benchmarks/references/dlt_load.py"
        return run_program([OTHERS, script, str(path), str(self.folder / "dlt")], self.environment)


class Singer(Program):
    """target-postgres, fed with messages on standard input."""

    def lines(self, sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
        messages = [
            {"type": "RECORD", "stream": "payments", "record": {"tenant": TENANT, **record}}
            for record in sent
        ]
        return [SCHEMA, *messages, {"type": "STATE", "value": {}}]

    def start(self, path: Path):
        config = self.folder / "singer.json"
        config.write_text(
            json.dumps(
                {
                    "sqlalchemy_url": self.url.replace("postgres://", "postgresql+psycopg://"),
                    "default_target_schema": "loaded",
                    "load_method": "upsert",
                    "use_copy": True,
                    "add_record_metadata": False,
                    "activate_version": False,
                }
            )
        )
        program = str(Path(OTHERS).with_name("target-postgres"))
        return run_program([program, "--config", str(config)], self.environment, input=path)
