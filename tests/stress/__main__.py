"""Shows that the service keeps its word: beside an oracle, under many senders, under faults. `make stress`.

    python -m tests.stress                          everything: at least 50,000 records compared with the
                                                    oracle and at least 500 faults for each database
    python -m tests.stress --short                  a little of everything, in less than a minute
    python -m tests.stress --faults 100 postgresql  that database alone
    python -m tests.stress concurrency              the senders alone, on both databases
    python -m tests.stress oracle                   the oracle alone, on both databases
    python -m tests.stress --only COMMIT faults     only kinds of faults with that word in their names

A gunicorn with two workers and a real database, both our own, on the loopback. SQLite lies on a small tmpfs
and PostgreSQL has its tables on one, so that the disk can be full; who may not mount one goes without that
fault. What is shown: tests/stress/comparison.py, concurrency.py, faults.py and verdicts.py. Exit status 1
when anything is missing, doubled, not explained by a fault, or slow to recover.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path

from tests import live
from tests.stress import campaign, concurrency, faults, verdicts
from tests.stress.comparison import compared_with_the_oracle
from tests.stress.databases import Database, PostgreSQL, SQLite, prepare, with_postgres
from tests.stress.server import Server
from tests.stress.traffic import PRIVATE, Traffic

PARTS = ["oracle", "concurrency", "faults"]
DATABASES = {"sqlite": SQLite, "postgresql": PostgreSQL}
SENDERS = 6
ENOUGH_FAULTS = 500

Steps = dict[str, Callable[[], list[str]]]


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    wrong = []
    for name in DATABASES:
        if name not in options.databases:
            continue
        if name == "postgresql" and not (module := with_postgres()).find_programs():
            say(f"PostgreSQL: not run. {module.MISSING}", "")
            wrong += ["PostgreSQL is required"] * (os.environ.get("BTEC_REQUIRE_POSTGRES") == "1")
            continue
        wrong += show(name, options)
    say("All of it held." if not wrong else "It did not hold.")
    return 1 if wrong else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.stress", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *DATABASES, *PARTS], metavar="NAME")
    parser.add_argument("--short", action="store_true", help="a few of each, for CI")
    parser.add_argument(
        "--records", type=int, metavar="N", help="so many beside the oracle for each database (50,000)"
    )
    parser.add_argument("--faults", type=int, metavar="N", help="so many for each database (520)")
    parser.add_argument(
        "--seconds", type=float, metavar="N", help="no more faults for a database after that (1,200)"
    )
    parser.add_argument(
        "--only", default="", metavar="WORD", help="only kinds of faults with it in their names"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the plan and the traffic")
    options = parser.parse_args(arguments)
    options.parts = set(PARTS) & set(options.names) or set(PARTS)
    options.databases = set(DATABASES) & set(options.names) or set(DATABASES)
    # In a short pass the oracle has its say in the tests already.
    options.records = options.records or (0 if options.short else 50_000)
    options.records *= "oracle" in options.parts
    options.faults = options.faults or (1 if options.short else 520)
    options.seconds = options.seconds or (15 if options.short else 1_200)
    return options


def say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def show(name: str, options: argparse.Namespace) -> list[str]:
    """What is wrong with the service on one database."""
    say(f"{DATABASES[name].name}")
    began = time.monotonic()
    with DATABASES[name]() as database:
        wrong = show_oracle(database, options.records) if options.records else []
        if options.parts - {"oracle"}:
            wrong += show_server(database, options)
    say(*(f"  WRONG: {words}" for words in verdicts.shortened(wrong)))
    say(f"  {'FAILED' if wrong else 'held'} after {time.monotonic() - began:.0f} s", "")
    return wrong


def show_oracle(database: Database, records: int) -> list[str]:
    compared, wrong = compared_with_the_oracle(database.url, records)
    say(f"  {compared:,} records compared with the oracle")
    return wrong


def show_server(database: Database, options: argparse.Namespace) -> list[str]:
    """The senders and the faults, one after the other on the same tables, and what they left behind."""
    wrong = []
    with clock() as path:
        keys = prepare(database)
        with Server(database.service_url, threads=16, STRESS_CLOCK=str(path)) as server:
            server.wait_for_workers()
            traffics = [Traffic(server.port, key, options.seed) for key in keys]
            if "concurrency" in options.parts:
                wrong += show_senders(database, traffics, options)
            if "faults" in options.parts:
                if not options.short:
                    server.restart(BTEC_LOCK_SECONDS=str(PostgreSQL.lock_seconds))
                wrong += show_faults(faults.Stage(database, server, path), traffics[0], options)
            database.relax()
            wrong += run_steps(aftermath(database, traffics[0], server, options))
    return wrong


def show_senders(database: Database, traffics: list[Traffic], options: argparse.Namespace) -> list[str]:
    rounds = 1 if options.short else 12
    wrong = run_steps(concurrency.scenes(database, *traffics, rounds))
    requests = sum(traffic.statuses.total() for traffic in traffics)
    say(
        f"  {requests} requests of {concurrency.SENDERS} and {concurrency.SENDERS_OF_ONE_KEY} senders at once"
    )
    return wrong + show_deadlocks(database)


def show_deadlocks(database: Database) -> list[str]:
    """Of SQLite there are none: it has one writer."""
    if not isinstance(database, PostgreSQL):
        return []
    deadlocks = database.deadlocks()
    say(f"  {deadlocks} deadlocks counted by PostgreSQL")
    return ["there were deadlocks"] * bool(deadlocks)


def show_faults(stage: faults.Stage, traffic: Traffic, options: argparse.Namespace) -> list[str]:
    kinds = faults.kinds(stage.database, short=options.short, only=options.only)
    planned = campaign.plan(kinds, options.faults, options.seed)
    traffic.statuses.clear()
    traffic.start(SENDERS)
    began = time.monotonic()
    records = campaign.run(stage, traffic, planned, began + options.seconds)
    traffic.finish()
    wrong = campaign.unexplained(records, traffic.journal) + traffic.wrong
    say(*(f"  {line}" for line in campaign.table(records)))
    statuses = [f"{n} × {status or 'no answer'}" for status, n in sorted(traffic.statuses.items())]
    say(f"  {len(records)} of {len(planned)} faults in {time.monotonic() - began:.0f} s")
    if not options.short:
        missed = {fault.name for fault in planned} - {record.fault.name for record in records}
        wrong += [f"no time was left for: {name}" for name in sorted(missed)]
        enough = min(options.faults, ENOUGH_FAULTS)
        wrong += [f"only {len(records)} faults, {enough} are wanted"] * (len(records) < enough)
    wrong += show_deadlocks(stage.database)
    say(f"  {traffic.statuses.total()} requests: {', '.join(statuses)}")
    return wrong


def aftermath(database: Database, traffic: Traffic, server: Server, options: argparse.Namespace) -> Steps:
    """What may be wrong once all is over."""
    states = database.rows("SELECT state, count(*) FROM btec_sync_delivery GROUP BY state")
    say(f"  deliveries before the replay: {', '.join(f'{n} {state}' for state, n in sorted(states))}")
    steps: Steps = {
        "answered 2xx and missing": partial(verdicts.missing, database, traffic.journal),
        "not finished by replay": lambda: replay(database) + verdicts.unfinished(database),
        "applied twice": partial(verdicts.doubled, database),
        "other than delivered": partial(verdicts.wrong_in_the_end, database, traffic.journal),
        "other bytes for a key": partial(verdicts.other_bytes, traffic, 10 if options.short else 300),
        "names in the log": lambda: [line for line in server.lines if PRIVATE in line],
    }
    return (
        steps if options.short else steps | {"changed by replay --all": partial(changed_by_replay, database)}
    )


def run_steps(steps: Steps) -> list[str]:
    """All that is wrong; of each step it is said how much that is."""
    wrong = []
    for name, step in steps.items():
        began = time.monotonic()
        found = step()
        say(f"  {name:<28}{len(found):>4} wrong{time.monotonic() - began:>8.1f} s")
        wrong += found
    return wrong


def replay(database: Database, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "manage.py", "replay", "--tenant", "default", *arguments],
        cwd=live.ROOT,
        env=live.environ(database.url),
        capture_output=True,
        text=True,
        check=False,
    )
    return [f"replay ended with {done.returncode}: {done.stderr[-500:]}"] * bool(done.returncode)


def changed_by_replay(database: Database) -> list[str]:
    before = verdicts.snapshot(database)
    wrong = replay(database, "--all")
    after = verdicts.snapshot(database)
    pairs = [pair for rows in zip(before, after, strict=True) for pair in zip_longest(*rows)]
    return wrong + [f"{old} became {new}" for old, new in pairs if old != new]


@contextmanager
def clock() -> Iterator[Path]:
    """The file that says by how much the service's clock is wrong."""
    with tempfile.TemporaryDirectory(prefix="btec-stress-") as folder:
        path = Path(folder) / "clock"
        faults.write_clock(path, 0)
        yield path


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    sys.exit(main(sys.argv[1:]))
