"""The faults: what is broken under the traffic, kind by kind."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests import live
from tests.stress.databases import Database
from tests.stress.server import Server

MOST_SET_BACK = 48 * 3600


@dataclass
class Stage:
    """All that a fault may touch."""

    database: Database
    server: Server
    clock: Path


@dataclass(frozen=True)
class Fault:
    """One way to break it. inject() returns when it is over, with the time from which recovery counts.

    share: how many of about a thousand. ends_requests: some may be left without an answer. crashes: some
    may be answered 500. short: part of a short pass.
    """

    name: str
    share: int
    inject: Callable[[Stage], float | None]
    ends_requests: bool = False
    crashes: bool = False
    short: bool = False


# Processes


def kill_worker(stage: Stage) -> None:
    _end_one(stage.server.workers(), signal.SIGKILL)


def kill_every_worker(stage: Stage) -> None:
    for pid in stage.server.workers():
        _end_one([pid], signal.SIGKILL)


def stop_worker(stage: Stage) -> None:
    _end_one(stage.server.workers(), signal.SIGTERM)


def _end_one(pids: list[int], by: signal.Signals) -> None:
    if pids:
        with suppress(ProcessLookupError):
            os.kill(random.choice(pids), by)


def kill_server(stage: Stage) -> float:
    began = time.monotonic()
    stage.server.kill()
    stage.server.start()
    return began


def terminate_server(stage: Stage) -> float:
    stage.server.terminate()
    stopped = time.monotonic()
    stage.server.start()
    return stopped


def kill_replay(stage: Stage) -> None:
    """An operator's replay of what is unfinished, beside the traffic, killed halfway.

    Not of everything: that would mend what was lost before it is looked for.
    """
    replay = subprocess.Popen(
        [sys.executable, "manage.py", "replay"],
        cwd=live.ROOT,
        env=live.environ(stage.database.url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(random.uniform(1.5, 3))
    replay.kill()
    replay.wait()


# Both databases


def hold_writer(stage: Stage) -> None:
    with stage.database.writer_held():
        time.sleep(stage.database.lock_seconds + 0.5)


def hold_writer_shortly(stage: Stage) -> None:
    with stage.database.writer_held():
        time.sleep(random.uniform(0.05, 0.5))


def fill_disk(stage: Stage) -> None:
    with stage.database.disk.full():
        time.sleep(random.uniform(0.2, 0.8))


def refuse_commits(stage: Stage) -> None:
    with stage.database.commits_fail("btec_sync_recordresult"):
        time.sleep(random.uniform(0.1, 0.4))


def refuse_deliveries(stage: Stage) -> None:
    with stage.database.commits_fail("btec_sync_delivery"):
        time.sleep(random.uniform(0.1, 0.4))


def set_clock_back(stage: Stage) -> None:
    shift = float(stage.clock.read_text()) - random.choice([1, 60, 3600, 6 * 3600])
    write_clock(stage.clock, shift if shift > -MOST_SET_BACK else 0)


def write_clock(clock: Path, shift: float) -> None:
    """At once, as readers must not find it empty."""
    new = clock.with_suffix(".new")
    new.write_text(str(shift))
    new.replace(clock)


# SQLite alone


def forbid_file_growth(stage: Stage) -> None:
    """Every write of the workers to a file fails: EFBIG, which SQLite calls a disk I/O error."""
    workers = stage.server.workers()
    with _file_limit(workers, 0):
        time.sleep(random.uniform(0.1, 0.4))


@contextmanager
def _file_limit(pids: list[int], limit: int) -> Iterator[None]:
    with ExitStack() as stack:
        for pid in pids:
            stack.callback(_limit, pid, resource.RLIM_INFINITY)
            _limit(pid, limit)
        yield


def _limit(pid: int, limit: int) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


# PostgreSQL alone


def end_a_session(stage: Stage) -> None:
    stage.database.end_sessions(limit=1)


def end_all_sessions(stage: Stage) -> None:
    stage.database.end_sessions()


def crash_database(stage: Stage) -> None:
    stage.database.crash()


def shut_database_down(stage: Stage) -> None:
    stage.database.shut_down()
    time.sleep(random.uniform(0, 1))
    stage.database.start()


def database_away_for_long(stage: Stage) -> None:
    """Longer than a request waits for a connection, so that some must be refused."""
    stage.database.shut_down()
    time.sleep(stage.database.lock_seconds + random.uniform(5, 12))
    stage.database.start()


def make_read_only(stage: Stage) -> None:
    with stage.database.read_only():
        time.sleep(random.uniform(0.2, 0.6))


def cut_connections(stage: Stage) -> None:
    stage.database.proxy.cut_all()


def _ordered(name: str) -> Callable[[Stage], None]:
    """A breakage that the proxy does at the next occasion; we wait for that a little."""

    def inject(stage: Stage) -> None:
        proxy = stage.database.proxy
        setattr(proxy, name, 1)
        deadline = time.monotonic() + 1
        while getattr(proxy, name) and time.monotonic() < deadline:
            time.sleep(0.005)
        proxy.heal()

    return inject


def leave_half_open(stage: Stage) -> None:
    """The service's end of a connection is gone; PostgreSQL's is there, and in a transaction."""
    stage.database.proxy.release_forgotten()
    _ordered("half_open")(stage)


def delay_connections(stage: Stage) -> None:
    stage.database.proxy.delay = random.uniform(0.05, 0.3)
    time.sleep(random.uniform(0.3, 1))
    stage.database.proxy.heal()


def refuse_connections(stage: Stage) -> None:
    stage.database.proxy.refusing = True
    stage.database.proxy.cut_all()
    time.sleep(random.uniform(0.2, 1.2))
    stage.database.proxy.heal()


COMMON = [
    Fault("kill -9 of a worker", 90, kill_worker, ends_requests=True, short=True),
    Fault("kill -9 of every worker", 20, kill_every_worker, ends_requests=True),
    Fault("SIGTERM to a worker", 20, stop_worker, ends_requests=True),
    Fault("kill -9 of the server", 30, kill_server, ends_requests=True, short=True),
    Fault("SIGTERM to the server", 20, terminate_server, ends_requests=True),
    Fault("kill -9 of a replay", 8, kill_replay),
    Fault("COMMIT of the records fails", 40, refuse_commits, crashes=True, short=True),
    Fault("COMMIT of the delivery fails", 30, refuse_deliveries, short=True),
    Fault("clock set back", 50, set_clock_back),
    Fault("writer held shortly", 50, hold_writer_shortly),
    Fault("disk full", 30, fill_disk, short=True),
]
ON_SQLITE = [
    *COMMON,
    Fault("writer held past the time-out", 1, hold_writer),
    Fault("files may not grow", 60, forbid_file_growth, short=True),
]
ON_POSTGRESQL = [
    *COMMON,
    Fault("writer held past the time-out", 8, hold_writer),
    Fault("pg_terminate_backend of one", 90, end_a_session),
    Fault("pg_terminate_backend of all", 60, end_all_sessions, short=True),
    Fault("kill -9 of a backend", 20, crash_database),
    Fault("immediate shutdown", 25, shut_database_down, short=True),
    Fault("database away for long", 3, database_away_for_long),
    Fault("read-only database", 15, make_read_only, short=True),
    Fault("connections cut", 60, cut_connections),
    Fault("a message torn in two", 60, _ordered("tears")),
    Fault("cut before COMMIT", 60, _ordered("before_commit")),
    Fault("cut before COMMIT is answered", 60, _ordered("after_commit"), short=True),
    Fault("half-open connection", 15, leave_half_open),
    Fault("connections delayed", 25, delay_connections),
    Fault("connections refused", 25, refuse_connections, short=True),
]


def kinds(database: Database, *, short: bool, only: str) -> list[Fault]:
    """The faults that can be done here: one needs a disk of its own, another what only Linux has."""
    impossible = set()
    if not database.disk.is_small:
        impossible.add(fill_disk)
    if not hasattr(resource, "prlimit"):
        impossible.add(forbid_file_growth)
    faults = ON_SQLITE if database.name == "SQLite" else ON_POSTGRESQL
    return [
        fault
        for fault in faults
        if only in fault.name and (fault.short or not short) and fault.inject not in impossible
    ]
