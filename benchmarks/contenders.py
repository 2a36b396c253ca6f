"""Who is measured: the service, and the references that it is measured against."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks import records
from benchmarks.databases import Database, query
from benchmarks.servers import Client, Server
from tests import live

OTHERS_PYTHON = live.ROOT / ".venv-bench" / "bin" / "python"
KEEP_ALIVE = "600"
PAYMENTS = "/v1/sync/payments"

OUR_ROWS = """
SELECT p.zoho_id, r.zoho_id, p.amount, p.payment_date, p.payment_method, p.payment_status, p.description
FROM payments_payment p JOIN registrations_registration r ON r.id = p.registration_id
"""
NAIVE_ROWS = OUR_ROWS.replace("payments_payment", "naive_payment").replace(
    "registrations_registration", "naive_registration"
)
SEED_ROWS = OUR_ROWS.replace("payments_payment", "payments").replace(
    "registrations_registration", "registrations"
)


@dataclass
class Contender:
    """A server under measurement, with its database."""

    name: str
    server: Server
    url: str
    rows: str
    #: The headers that each tenant's sender brings.
    tenants: list[dict[str, str]] = field(repr=False)
    #: Where records are sent that are known to be unchanged.
    unchanged: str = PAYMENTS

    def client(self, tenant: int = 0) -> Client:
        return Client(self.server, self.tenants[tenant])

    def check(self, sent: list[dict[str, Any]]) -> None:
        """Raises unless the rows stored are what was sent, no fewer and no more."""
        found = [records.stored(*row) for row in query(self.url, self.rows)]
        if len(found) != len(sent) or set(found) != records.expected(sent):
            raise SystemExit(f"{self.name} has other rows than it was sent: its times would mean nothing.")


def gunicorn(application: str, workers: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", application, "--bind", "fd://{fd}"),
        *("--worker-class", "gthread", "--workers", str(workers), "--threads", "8"),
        *("--keep-alive", KEEP_ALIVE, "--no-control-socket"),
    ]


def run(command: list[str], environment: dict[str, str], input: bytes | None = None) -> str:
    """A program's output. Raises RuntimeError with what it said where it failed."""
    done = subprocess.run(command, cwd=live.ROOT, env=environment, input=input, capture_output=True)
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")[-3_000:]
        raise RuntimeError(f"{' '.join(map(str, command[:4]))} ended with {done.returncode}:\n{said}")
    return done.stdout.decode()


def fill(url: str, **numbers: int) -> list[dict[str, str]]:
    """Tenants with keys, and rows, in a database of the service's; the headers of each tenant's sender."""
    options = [f"--{name}={number}" for name, number in numbers.items()]
    printed = run([sys.executable, "-m", "benchmarks.fill", *options], django(url))
    return [
        {"Authorization": f"Bearer {key}", "X-Tenant-ID": slug}
        for slug, key in (line.split() for line in printed.splitlines())
    ]


def django(url: str) -> dict[str, str]:
    """The environment of a program of ours that uses the service's models."""
    return live.environ(url, DJANGO_SETTINGS_MODULE="config.settings")


def prepared(database: Database) -> tuple[str, list[dict[str, str]]]:
    """A migrated database with tenants and registrations, to be copied, and its senders' headers."""
    url = database.create()
    live.manage(url, "migrate", "--verbosity", "0")
    return url, fill(url)


@contextmanager
def service(url: str, tenants: list[dict[str, str]], *, workers: int = 1) -> Iterator[Contender]:
    """The service on a prepared database."""
    server = Server(gunicorn("config.wsgi", workers), live.environ(url, BTEC_LOG_LEVEL="INFO"))
    with server:
        yield Contender("ours", server, url, OUR_ROWS, tenants)


@contextmanager
def ours(database: Database, *, workers: int = 1) -> Iterator[Contender]:
    url, tenants = _template(database)
    with service(database.create(url), tenants, workers=workers) as contender:
        yield contender


@contextmanager
def limit(database: Database, *, workers: int = 1) -> Iterator[Contender]:
    template, _ = _template(database)
    url = database.create(template)
    command = gunicorn("benchmarks.references.limit:application", workers)
    with Server(command, live.environ(url)) as server:
        yield Contender("the limit", server, url, OUR_ROWS, _named(), "/unchanged")


@contextmanager
def naive(database: Database, *, workers: int = 1) -> Iterator[Contender]:
    url = database.create()
    run([sys.executable, "-m", "benchmarks.references.naive.wsgi"], live.environ(url))
    command = gunicorn("benchmarks.references.naive.wsgi", workers)
    with Server(command, live.environ(url)) as server:
        yield Contender("naive Django", server, url, NAIVE_ROWS, _named())


@contextmanager
def seed(database: Database, *, workers: int = 1) -> Iterator[Contender]:
    url = database.create()
    run([str(OTHERS_PYTHON), "-m", "benchmarks.references.seed"], live.environ(url))
    command = [
        *(str(OTHERS_PYTHON), "-m", "uvicorn", "benchmarks.references.seed:app", "--fd", "{fd}"),
        *("--workers", str(workers), "--timeout-keep-alive", KEEP_ALIVE, "--no-access-log"),
    ]
    with Server(command, live.environ(url)) as server:
        yield Contender("the seed's architecture", server, url, SEED_ROWS, _named())


def _named() -> list[dict[str, str]]:
    return [{"X-Tenant-ID": records.tenant(number)} for number in range(records.TENANTS)]


def _template(database: Database) -> tuple[str, list[dict[str, str]]]:
    """Made once for a database: migrating takes seconds."""
    if not hasattr(database, "template"):
        database.template = prepared(database)
    return database.template


Entrance = Callable[..., Any]
SERVERS: dict[str, Entrance] = {
    "ours": ours,
    "the limit": limit,
    "naive Django": naive,
    "the seed's architecture": seed,
}


@contextmanager
def entered(database: Database, names: list[str], *, workers: int = 1) -> Iterator[dict[str, Contender]]:
    """These contenders, all running at once, by name; those that are not installed are left out."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(SERVERS[name](database, workers=workers))
            for name in names
            if name != "the seed's architecture" or OTHERS_PYTHON.exists()
        }


def versions_of_others() -> str:
    if not OTHERS_PYTHON.exists():
        return "not installed"
    names = ["fastapi", "pydantic", "sqlalchemy", "uvicorn", "dlt", "meltanolabs-target-postgres"]
    code = (
        f"from importlib.metadata import version as v; print(', '.join(f'{{n}} {{v(n)}}' for n in {names}))"
    )
    return run([str(OTHERS_PYTHON), "-c", code], dict(os.environ)).strip()
