"""Goal 3: one record per request, alone, from many at once, and beside another tenant's batches."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from benchmarks import records
from benchmarks.contenders import PAYMENTS, Contender, bare, ours
from benchmarks.databases import Database
from benchmarks.measure import Cost, Sample, cost, quantile
from benchmarks.report import Report
from benchmarks.servers import Client
from benchmarks.stage import Stage

SENDERS = 16


def run(stage: Stage, report: Report) -> None:
    for database in stage.databases():
        one_by_one(stage, report, database)
    if "postgresql" in stage.names:
        many_at_once(stage, report)
        beside_batches(stage, report)


class Numbers:
    """Payments that nobody has sent yet."""

    def __init__(self) -> None:
        self.next = 0
        self.lock = threading.Lock()

    def take(self, count: int = 1) -> bytes:
        with self.lock:
            self.next += count
            return records.body(records.payments(self.next - count, count))


def one_by_one(stage: Stage, report: Report, database: Database) -> None:
    """One sender, one connection: the median request of each round."""
    requests = stage.size(short=5, default=100)
    with ours(database) as service, bare(database) as reference:
        calls = {"ours": _requests(service, requests), "bare": _requests(reference, requests)}
        samples = stage.in_turns(calls)
        for contender in (service, reference):
            contender.check(records.payments(0, requests * stage.turns))
    aim = {"most": 2} if database.name == "PostgreSQL" else {}
    report.goal(
        3, f"{database.name}: one record, p50, ours ÷ a bare view", samples["ours"] / samples["bare"], **aim
    )
    report.seconds(f"{database.name}: ours, one NEW record, p50 of {requests}", samples["ours"])
    report.seconds(f"{database.name}: a bare DRF view, one record, p50 of {requests}", samples["bare"])


def _requests(contender: Contender, requests: int) -> Callable[[int], Cost]:
    client, numbers = contender.client(), Numbers()

    def send(_: int) -> Cost:
        walls: list[float] = []
        bodies = [numbers.take() for _ in range(requests)]
        whole = cost(lambda: walls.extend(_times(client, contender.path, bodies)), contender.processes)
        return Cost(quantile(walls, 0.5), whole.cpu / requests)

    return send


def _times(client: Client, path: str, bodies: Iterable[bytes]) -> Iterator[float]:
    for body in bodies:
        yield cost(partial(client.post, path, body)).wall


def many_at_once(stage: Stage, report: Report) -> None:
    """16 senders over 8 tenants: latencies with two workers, and what a second worker adds."""
    requests = stage.size(short=3, default=40, full=200)
    crowded = {"ours": ours} if stage.is_short else {"ours": ours, "a bare view": bare}
    with ExitStack() as stack:
        calls: dict[tuple[str, int], Callable[[int], Cost]] = {}
        crowds: dict[tuple[str, int], Crowd] = {}
        for name, entrance in crowded.items():
            for workers in (1, 2):
                contender = stack.enter_context(entrance(stage.database(), workers=workers))
                crowd = Crowd(contender, requests)
                crowds[name, workers], calls[name, workers] = crowd, crowd.send
        samples = stage.in_turns(calls)
        for crowd in crowds.values():
            crowd.contender.check(records.payments(0, crowd.numbers.next))
    crowd = crowds["ours", 2]
    p50, p99 = (
        Sample(tuple(quantile(walls, q) for walls in crowd.walls[stage.warm_up :])) for q in (0.5, 0.99)
    )
    what = f"{SENDERS} senders over {records.TENANTS} tenants, 2 workers"
    report.goal(3, f"{what}: p99 ÷ p50", p99 / p50, most=5)
    report.seconds(f"{what}: p50", p50)
    report.seconds(f"{what}: p99", p99)
    for name in crowded:
        report.goal(3, f"throughput of 2 workers ÷ of 1, {name}", samples[name, 1] / samples[name, 2])
        for workers in (1, 2):
            rate = Sample(tuple(1 / wall for wall in samples[name, workers].values))
            report.median(f"{SENDERS} senders, {workers} workers, {name}", rate, "requests/s")


class Crowd:
    """Senders with a connection each, that send in turns as fast as they are answered."""

    def __init__(self, contender: Contender, requests: int) -> None:
        self.contender, self.requests = contender, requests
        self.clients = [contender.client(number % records.TENANTS) for number in range(SENDERS)]
        self.numbers = Numbers()
        self.walls: list[list[float]] = []

    def send(self, _: int) -> Cost:
        """The time of one request of the throughput's."""
        walls: list[float] = []
        bodies = [[self.numbers.take() for _ in range(self.requests)] for _ in self.clients]

        def sender(client: Client, mine: list[bytes]) -> None:
            # Which worker takes a connection is chance; so each round draws anew.
            client.close()
            walls.extend(_times(client, self.contender.path, mine))

        def everybody() -> None:
            with ThreadPoolExecutor(SENDERS) as pool:
                list(pool.map(sender, self.clients, bodies))

        whole = cost(everybody, self.contender.processes)
        self.walls.append(walls)
        return Cost(whole.wall / len(walls), whole.cpu / len(walls))


def beside_batches(stage: Stage, report: Report) -> None:
    """One tenant's webhooks while another tenant's batches are processed without a pause."""
    requests = stage.size(short=5, default=60)
    batch = stage.size(short=100, default=1_000)
    for workers in (2,) if stage.is_short else (1, 2):
        with ours(stage.database(), workers=workers) as service:
            webhooks = Webhooks(service, requests)
            batches = Batches(service, batch)
            calls = {"alone": webhooks.alone, "beside": partial(webhooks.beside, batches)}
            samples = stage.in_turns(calls)
            took = Sample(tuple(batches.walls))
        worst = Sample(tuple(quantile(walls, 0.99) for walls in webhooks.walls_beside[stage.warm_up :]))
        what = f"webhook beside another tenant's batches of {batch:,}, {workers} workers"
        report.goal(3, f"{what}: p50 ÷ p50 alone", samples["beside"] / samples["alone"])
        share = worst * (1 / took.median)
        report.goal(3, f"{what}: p99 ÷ a batch's time (waits for none)", share, most=1)
        report.seconds(f"webhook alone, {workers} workers, p50", samples["alone"])
        report.seconds(f"{what}, p50", samples["beside"])
        report.seconds(f"{what}, p99", worst)
        report.seconds(f"one of those batches of {batch:,}, {workers} workers", took)


class Batches:
    """The first tenant's."""

    def __init__(self, service: Contender, size: int) -> None:
        self.client, self.size, self.numbers = service.client(0), size, Numbers()
        self.walls: list[float] = []

    def send_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            body = self.numbers.take(self.size)
            self.walls.append(cost(partial(self.client.post, PAYMENTS, body)).wall)


class Webhooks:
    """The second tenant's, one after the other."""

    def __init__(self, service: Contender, requests: int) -> None:
        self.client, self.requests, self.numbers = service.client(1), requests, Numbers()
        self.walls_beside: list[list[float]] = []

    def alone(self, _: int) -> Cost:
        return Cost(quantile(self._send(), 0.5))

    def beside(self, batches: Batches, _: int) -> Cost:
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(batches.send_until, stop)
            time.sleep(0.05)
            try:
                walls = self._send()
            finally:
                stop.set()
            sending.result()
        self.walls_beside.append(walls)
        return Cost(quantile(walls, 0.5))

    def _send(self) -> list[float]:
        """Each on a connection of its own: a kept one would wait for the worker that has the batches."""
        walls = []
        for _ in range(self.requests):
            body = self.numbers.take()
            walls.append(cost(partial(self.client.post, PAYMENTS, body)).wall)
            self.client.close()
        return walls
