"""The databases of a run: a PostgreSQL of its own, durable as production's is, or SQLite files on a disk."""

import secrets
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from benchmarks.processes import tree
from tests import live
from tests.stress.databases import with_postgres


class Database:
    """Where databases are made."""

    def __init__(self) -> None:
        #: What has been prepared once, to be copied: preparing takes seconds.
        self.templates: dict[str, Any] = {}

    def once(self, name: str, prepare: Callable[[], Any]) -> Any:
        if name not in self.templates:
            self.templates[name] = prepare()
        return self.templates[name]


class PostgreSQL(Database):
    """A cluster on the loopback with fsync, synchronous_commit and full_page_writes on."""

    name = "PostgreSQL"

    def __enter__(self) -> "PostgreSQL":
        module = with_postgres()  # already with durable settings
        programs = module.find_programs() or sys.exit(module.MISSING)
        self.version = module.version(programs)
        self.cluster = module.Cluster(programs)
        self.url = self.cluster.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.cluster.__exit__(*error)

    def create(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of another, to which nobody may be connected."""
        name = f"bench_{secrets.token_hex(6)}"
        copied = f" TEMPLATE {urlsplit(template).path[1:]}" if template else ""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}{copied}")
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop(self, url: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")

    def processes(self) -> list[int]:
        return tree(self.cluster.process.pid)

    def settings(self) -> str:
        names = ["fsync", "synchronous_commit", "full_page_writes", "jit", "shared_buffers"]
        with psycopg.connect(self.url) as connection:
            return ", ".join(f"{name} {connection.execute(f'SHOW {name}').fetchone()[0]}" for name in names)


class SQLite(Database):
    """Files in a folder of their own; WAL and synchronous FULL are the contenders' settings."""

    name = "SQLite"

    def __enter__(self) -> "SQLite":
        self.folder = Path(tempfile.mkdtemp(prefix="btec-bench-"))
        self.version = f"SQLite {sqlite3.sqlite_version}"
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def create(self, template: str | None = None) -> str:
        path = self.folder / f"{secrets.token_hex(6)}.sqlite3"
        if template:
            # Through SQLite, so that what still stands in the WAL comes along.
            with closing(sqlite3.connect(template.removeprefix("sqlite:///"))) as source:
                source.execute("VACUUM INTO ?", [str(path)])
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        for path in self.folder.glob(f"{Path(url).name}*"):
            path.unlink()

    def processes(self) -> list[int]:
        """None: SQLite computes in the worker."""
        return []

    def settings(self) -> str:
        return "journal_mode WAL, synchronous FULL"


DATABASES = {"postgresql": PostgreSQL, "sqlite": SQLite}
query = live.query
