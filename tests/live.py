"""A real server: gunicorn as production runs it, on a free port of the loopback, with its own database."""

import http.client
import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "DJANGO_DEBUG": "false",
    "DJANGO_SECRET_KEY": "only-for-tests-" * 4,
    "DJANGO_ALLOWED_HOSTS": "127.0.0.1",
    "DJANGO_HTTPS": "false",
    "BTEC_ENV_FILE": os.devnull,
}


@dataclass
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A gunicorn that is running; process is its master, in a process group with its workers."""

    port: int
    database_url: str
    process: subprocess.Popen
    log_path: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        return self.log_path.read_text()

    def request(
        self, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """The answer to a well-formed request."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, headers or {})
            return read(connection.getresponse())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def exchange(self, request: bytes, *, end: bool = False) -> Answer:
        """The answer to these bytes, whatever they are; with end, nothing more will be sent."""
        with self.connect() as connection:
            connection.sendall(request)
            if end:
                connection.shutdown(socket.SHUT_WR)
            with closing(http.client.HTTPResponse(connection)) as response:
                response.begin()
                return read(response)

    def query(self, statement: str) -> list[tuple]:
        """Rows of the server's database, as others see it."""
        return query(self.database_url, statement)

    def kill(self) -> None:
        """Ends master and workers at once, as a power cut does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def read(response: http.client.HTTPResponse) -> Answer:
    """All of an answer."""
    return Answer(response.status, response.headers, response.read())


@contextmanager
def server(
    database_url: str,
    *options: str,
    threads: int = 8,
    application: str = "config.wsgi",
    **environment: str,
) -> Iterator[Server]:
    """A server on this migrated database, with further options of gunicorn's, until the block ends."""
    # The socket is made here, so that the port is known and nobody can take it in between.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        log_file, log_path = tempfile.mkstemp(prefix="btec-live-", suffix=".log")
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", application, "--bind", f"fd://{listener.fileno()}"),
                *("--worker-class", "gthread", "--threads", str(threads), "--no-control-socket"),
                *options,
            ],
            cwd=ROOT,
            env=environ(database_url, **environment),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        os.close(log_file)
    running = Server(port, database_url, process, Path(log_path))
    try:
        _wait_until_alive(running)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                # A worker just forked does not hear it yet: gunicorn kills it after graceful_timeout, 30 s.
                process.wait(40)
            except subprocess.TimeoutExpired:
                running.kill()
        os.unlink(log_path)


def _wait_until_alive(running: Server) -> None:
    try:
        # The kernel keeps the connection until a worker takes it, or resets it when there is none to come.
        answer = running.request("GET", "/healthz")
    except OSError as error:
        raise AssertionError(f"gunicorn did not start:\n{running.log()}") from error
    assert answer.status == 200, running.log()


def children(pid: int) -> list[int]:
    """The processes that this one has started: a master's workers."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def database() -> Iterator[str]:
    """The URL of a new, migrated database, of the kind that the tests run on."""
    with empty_database() as url:
        manage(url, "migrate", "--verbosity", "0")
        yield url


@contextmanager
def empty_database(options: str = "") -> Iterator[str]:
    """The URL of a new database without tables, of the kind that the tests run on; made by PostgreSQL so."""
    tests_url = os.environ["DATABASE_URL"]
    if tests_url.startswith("sqlite"):
        with tempfile.TemporaryDirectory(prefix="btec-live-") as folder:
            yield f"sqlite:///{folder}/live.sqlite3"
        return
    name = f"btec_live_{secrets.token_hex(8)}"
    with psycopg.connect(tests_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {options}")
    try:
        yield urlunsplit(urlsplit(tests_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(tests_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def manage(database_url: str, *arguments: str, **environment: str) -> str:
    """What a manage.py command prints. Raises CalledProcessError where it fails."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environ(database_url, **environment),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def query(database_url: str, statement: str) -> list[tuple]:
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement).fetchall()


def environ(database_url: str, **changes: str) -> dict[str, str]:
    """The environment of a process that runs the service in production's way, changes apart."""
    foreign = ("BTEC_", "DJANGO_", "GUNICORN_", "WEB_CONCURRENCY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, **PRODUCTION, "DATABASE_URL": database_url, **changes}
