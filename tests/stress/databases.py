"""The two databases, each made for a run and removed after it, and the ways to break them."""

import importlib.util
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests import live
from tests.stress.proxy import Proxy

DISK_MIB = 512


def with_postgres() -> ModuleType:
    """bin/with-postgres as a module of our own."""
    loader = SourceFileLoader("with_postgres", str(live.ROOT / "bin" / "with-postgres"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    # What is killed here must be there afterwards.
    module.SETTINGS |= {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
    return module


class Disk:
    """A folder on a small disk that can be filled; an ordinary folder where mounting is not allowed."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="btec-stress-", dir="/tmp"))
        options = ["-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0755", "btec-stress", str(self.folder)]
        mount = shutil.which("mount")
        self.is_small = (
            bool(mount) and not subprocess.run([mount, *options], stderr=subprocess.DEVNULL).returncode
        )

    def remove(self) -> None:
        if self.is_small:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)
        shutil.rmtree(self.folder)

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte is left until the block ends."""
        ballast = self.folder / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            room = os.statvfs(self.folder)
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)
            file.seek(0, os.SEEK_END)
            while True:  # what others freed meanwhile
                file.write(bytes(4096))
        try:
            yield
        finally:
            ballast.unlink()


class SQLite:
    """A file in WAL mode."""

    name = "SQLite"
    #: How long a request waits for the writer before it (config/environment.py).
    lock_seconds = 20

    def __enter__(self) -> "SQLite":
        self.disk = Disk()
        self.path = self.disk.folder / "live.sqlite3"
        self.url = self.service_url = f"sqlite:///{self.path}"
        return self

    def __exit__(self, *_: object) -> None:
        self.disk.remove()

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def rows(self, statement: str) -> list[tuple]:
        with closing(self.connect()) as connection:
            return connection.execute(statement).fetchall()

    def execute(self, *statements: str) -> None:
        with closing(self.connect()) as connection:
            for statement in statements:
                connection.execute(statement)

    def header(self, name: str) -> str:
        """SQL for a header of a delivery."""
        return f"json_extract(headers, '$.\"{name}\"')"

    def relax(self) -> None:
        """The disk is memory anyway."""

    @contextmanager
    def writer_held(self) -> Iterator[None]:
        """Another process writes and does not end."""
        with closing(self.connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    @contextmanager
    def commits_fail(self, table: str) -> Iterator[None]:
        """A transaction that writes to the table breaks a deferred rule: its COMMIT is refused."""
        self.execute(
            "BEGIN IMMEDIATE",
            "CREATE TABLE IF NOT EXISTS stress_rule (id INTEGER PRIMARY KEY, other INTEGER"
            " REFERENCES stress_rule (id) DEFERRABLE INITIALLY DEFERRED)",
            f"CREATE TRIGGER stress AFTER INSERT ON {table}"
            " BEGIN INSERT INTO stress_rule (other) VALUES (-1); END",
            "COMMIT",
        )
        try:
            yield
        finally:
            self.execute("DROP TRIGGER stress")


class PostgreSQL:
    """A durable server of our own, behind a proxy; its tables, not its log, on the small disk."""

    name = "PostgreSQL"
    #: How long a request waits for its turn or for a connection: BTEC_LOCK_SECONDS while faults are done.
    lock_seconds = 2

    def __enter__(self) -> "PostgreSQL":
        module = with_postgres()
        self.cluster = _cluster_class(module)(module.find_programs())
        url = self.cluster.__enter__()
        self.disk = Disk()
        self.admin_url = url
        parts = urlsplit(url)
        self.url = urlunsplit(parts._replace(path="/stress"))
        self.proxy = Proxy((parts.hostname, parts.port))
        through_proxy = parts.netloc.replace(f":{parts.port}", f":{self.proxy.port}")
        self.service_url = urlunsplit(parts._replace(path="/stress", netloc=through_proxy))
        tables = self.disk.folder / "tables"
        tables.mkdir()
        if owner := self.cluster.owner:
            os.chown(tables, owner["user"], owner["group"])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{tables}'")
            connection.execute("CREATE DATABASE stress TABLESPACE small")
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.close()
        self.cluster.__exit__()
        self.disk.remove()

    def connect(self, url: str = "") -> psycopg.Connection:
        # Who waits for a lock for that long waits for somebody who will never let it go.
        return psycopg.connect(
            url or self.url, autocommit=True, connect_timeout=5, options="-c lock_timeout=30s"
        )

    def rows(self, statement: str) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(statement).fetchall()

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def header(self, name: str) -> str:
        return f"headers ->> '{name}'"

    def relax(self) -> None:
        """Once nothing is broken any more, nobody has to wait for the disk."""
        self.execute("ALTER DATABASE stress SET synchronous_commit = off")
        self.end_sessions()

    # Ways to break it

    SESSIONS = "datname = 'stress' AND pid <> pg_backend_pid() AND backend_type = 'client backend'"

    def sessions(self) -> list[int]:
        """The service's, as process ids."""
        return [pid for (pid,) in self.rows(f"SELECT pid FROM pg_stat_activity WHERE {self.SESSIONS}")]

    def end_sessions(self, limit: int = 1_000) -> None:
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
            f" WHERE {self.SESSIONS} ORDER BY random() LIMIT {limit}) AS chosen"
        )

    def crash(self) -> None:
        """kill -9 of a session: the server ends all of them and recovers."""
        if sessions := self.sessions():
            with suppress(ProcessLookupError):
                os.kill(random.choice(sessions), signal.SIGKILL)
        self.wait_until_ready()

    def shut_down(self) -> None:
        """The immediate shutdown: no checkpoint, every session cut."""
        self.cluster.process.send_signal(signal.SIGQUIT)
        self.cluster.process.wait(30)

    def start(self) -> None:
        self.cluster.start_again()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.rows("SELECT 1")
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    @contextmanager
    def writer_held(self) -> Iterator[None]:
        """A transaction of somebody else's has the tenants' turns."""
        with closing(self.connect()) as connection, connection.transaction(force_rollback=True):
            connection.execute("SELECT 1 FROM btec_sync_tenant FOR NO KEY UPDATE")
            yield

    @contextmanager
    def commits_fail(self, table: str) -> Iterator[None]:
        """A deferred trigger refuses every transaction that wrote to the table, when it commits."""
        self.execute(
            "CREATE OR REPLACE FUNCTION stress_rule() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'Failing row contains (%)', NEW; END $$",
            f"CREATE CONSTRAINT TRIGGER stress AFTER INSERT ON {table}"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stress_rule()",
        )
        try:
            yield
        finally:
            self.execute(f"DROP TRIGGER stress ON {table}")

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """As after a failover to a standby: every session may only read."""
        self._set_read_only("on")
        try:
            yield
        finally:
            self._set_read_only("off")

    def _set_read_only(self, value: str) -> None:
        with self.connect(self.admin_url) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER DATABASE stress SET default_transaction_read_only = {value}")
        self.end_sessions()

    def deadlocks(self) -> int:
        """As PostgreSQL counts them, up to now. Sessions tell of theirs when they end, and seldom before."""
        self.end_sessions()
        time.sleep(0.5)
        [(count,)] = self.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = 'stress'")
        return count


def _cluster_class(module: ModuleType) -> type:
    class Cluster(module.Cluster):
        """with-postgres' cluster, which can be started again after it went down."""

        def spawn(self, program, *arguments, output):
            if program == "postgres":
                self.arguments = arguments
            return super().spawn(program, *arguments, output=output)

        def start_again(self) -> None:
            with (self.folder / "log").open("a") as output:
                self.process = self.spawn("postgres", *self.arguments, output=output)

    return Cluster


Database = SQLite | PostgreSQL

SETUP = """
import io, django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0)
for tenant in ("default", "batches", "singles"):
    call_command("create_tenant", tenant, stdout=io.StringIO())
    call_command("create_api_key", tenant)
"""


def prepare(database: Database) -> list[str]:
    """Makes the tables and three tenants; answers the API keys of `default`, `batches` and `singles`."""
    output = subprocess.run(
        [sys.executable, "-c", SETUP],
        cwd=live.ROOT,
        env=live.environ(database.url, DJANGO_SETTINGS_MODULE="config.settings"),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return output.split()
