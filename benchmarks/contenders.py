"""Who is measured: the service, and the references that it is measured against."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import records
from benchmarks.databases import Database, query
from benchmarks.measure import Cost, cost
from benchmarks.processes import python, tree
from benchmarks.servers import Client, Server
from tests import live

OTHERS = str(live.ROOT / ".venv-bench" / "bin" / "python")
KEEP_ALIVE = "600"
PAYMENTS = "/v1/sync/payments"

OUR_ROWS = """
SELECT p.zoho_id, r.zoho_id, p.amount, p.payment_date, p.payment_method, p.payment_status, p.description
FROM payments_payment p JOIN registrations_registration r ON r.id = p.registration_id
"""
NAIVE_ROWS = OUR_ROWS.replace("payments_payment", "naive_payment").replace(
    "registrations_registration", "naive_registration"
)
BARE_ROWS = """
SELECT zoho_id, registration, amount, payment_date, payment_method, payment_status, description
FROM naive_barepayment
"""
SEED_ROWS = OUR_ROWS.replace("payments_payment", "payments").replace(
    "registrations_registration", "registrations"
)


@dataclass
class Contender:
    """A server under measurement, with its database."""

    name: str
    database: Database
    server: Server
    url: str
    rows: str
    #: The headers that each tenant's sender brings.
    tenants: list[dict[str, str]] = field(repr=False)
    path: str = PAYMENTS
    #: Where records are sent that are known to be unchanged.
    unchanged: str = PAYMENTS

    def client(self, tenant: int = 0) -> Client:
        return Client(self.server, self.tenants[tenant])

    def processes(self) -> list[int]:
        """All that computes for it: its server's processes and its database's."""
        return tree(self.server.process.pid) + self.database.processes()

    def takes(self, count: int) -> Callable[[int], Cost]:
        """A call for each round: so many new payments in batches of 1,000, one after the other."""
        client = self.client()

        def send(number: int) -> Cost:
            bodies = list(records.bodies(number * count, count))
            return cost(lambda: [client.post(self.path, body) for body in bodies], self.processes)

        return send

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


def fill(url: str, **numbers: int) -> list[dict[str, str]]:
    """Tenants with keys, and rows, in a database of the service's; the headers of each tenant's sender."""
    options = [f"--{name}={number}" for name, number in numbers.items()]
    printed = python("benchmarks.fill", *options, environment=django(url)).output
    return [
        {"Authorization": f"Bearer {key}", "X-Tenant-ID": slug}
        for slug, key in (line.split() for line in printed.splitlines())
    ]


def django(url: str) -> dict[str, str]:
    """The environment of a program of ours that uses the service's models."""
    return live.environ(url, DJANGO_SETTINGS_MODULE="config.settings")


def unfilled(database: Database) -> str:
    """The migrated database that others are copied from."""

    def prepare(url: str) -> None:
        live.manage(url, "migrate", "--verbosity", "0")

    return _prepared(database, "unfilled", prepare)


def filled(database: Database) -> tuple[str, list[dict[str, str]]]:
    """Another to copy, with tenants and registrations, and the headers of each tenant's sender."""

    def prepare() -> tuple[str, list[dict[str, str]]]:
        url = database.create(unfilled(database))
        return url, fill(url)

    return database.once("filled", prepare)


def _prepared(database: Database, name: str, prepare: Callable[[str], object]) -> str:
    def create() -> str:
        url = database.create()
        prepare(url)
        return url

    return database.once(name, create)


@contextmanager
def service(
    database: Database, url: str, tenants: list[dict[str, str]], *, workers: int = 1
) -> Iterator[Contender]:
    """The service on a prepared database."""
    server = Server(gunicorn("config.wsgi", workers), live.environ(url, BTEC_LOG_LEVEL="INFO"))
    with server:
        yield Contender("ours", database, server, url, OUR_ROWS, tenants)


@contextmanager
def ours(database: Database, *, workers: int = 1) -> Iterator[Contender]:
    url, tenants = filled(database)
    with service(database, database.create(url), tenants, workers=workers) as contender:
        yield contender


@contextmanager
def limit(database: Database, *, workers: int = 1) -> Iterator[Contender]:
    template, _ = filled(database)
    url = database.create(template)
    command = gunicorn("benchmarks.references.limit:application", workers)
    with Server(command, live.environ(url)) as server:
        yield Contender("the limit", database, server, url, OUR_ROWS, _named(), unchanged="/unchanged")


@contextmanager
def naive(database: Database, *, workers: int = 1) -> Iterator[Contender]:
    def prepare(url: str) -> None:
        python("benchmarks.references.naive.wsgi", environment=live.environ(url))

    url = database.create(_prepared(database, "naive", prepare))
    command = gunicorn("benchmarks.references.naive.wsgi", workers)
    with Server(command, live.environ(url)) as server:
        yield Contender("naive Django", database, server, url, NAIVE_ROWS, _named())


@contextmanager
def bare(database: Database, *, workers: int = 1) -> Iterator[Contender]:
    """The bare view of the same Django project."""
    with naive(database, workers=workers) as contender:
        yield replace(contender, name="a bare view", rows=BARE_ROWS, path="/bare")


@contextmanager
def seed(database: Database, *, workers: int = 1) -> Iterator[Contender]:
    def prepare(url: str) -> None:
        python("benchmarks.references.seed", environment=live.environ(url), interpreter=OTHERS)

    url = database.create(_prepared(database, "seed", prepare))
    command = [
        *(OTHERS, "-m", "uvicorn", "benchmarks.references.seed:app", "--fd", "{fd}"),
        *("--workers", str(workers), "--timeout-keep-alive", KEEP_ALIVE, "--no-access-log"),
    ]
    with Server(command, live.environ(url)) as server:
        yield Contender("the seed's architecture", database, server, url, SEED_ROWS, _named())


def _named() -> list[dict[str, str]]:
    return [{"X-Tenant-ID": records.tenant(number)} for number in range(records.TENANTS)]


#: Without .venv-bench, those that live in it are left out.
SERVERS: dict[str, Callable[..., Any]] = {"ours": ours, "the limit": limit, "naive Django": naive}
if os.path.exists(OTHERS):
    SERVERS["the seed's architecture"] = seed


@contextmanager
def entered(database: Database) -> Iterator[dict[str, Contender]]:
    """All contenders for batches, running at once, by name."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(enter(database)) for name, enter in SERVERS.items()}
