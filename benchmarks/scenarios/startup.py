"""Goal 7: from the start of the server program to its first answer."""

from collections.abc import Callable
from contextlib import ExitStack

from benchmarks import records
from benchmarks.contenders import SERVERS, Contender
from benchmarks.measure import Cost, cost
from benchmarks.processes import cpu_seconds, tree
from benchmarks.report import Report
from benchmarks.servers import Client, Server
from benchmarks.stage import Stage


def run(stage: Stage, report: Report) -> None:
    for database in stage.databases():
        calls = {}
        for name in ["ours"] if stage.is_short else [name for name in SERVERS if name != "the limit"]:
            # Only for its database and its command: the servers that are timed are others.
            with SERVERS[name](database) as contender:
                calls[name] = _start(contender)
        samples = stage.in_turns(calls)
        aim = {"most": 1.5} if database.name == "PostgreSQL" else {}
        report.goal(7, f"{database.name}: seconds to the first stored payment", samples["ours"], **aim)
        for name in calls:
            report.seconds(f"{database.name}: {name}, from start to the first stored payment", samples[name])


def _start(contender: Contender) -> Callable[[int], Cost]:
    def start(number: int) -> Cost:
        body = records.body(records.payments(number, 1))
        with ExitStack() as stack:
            computed = 0.0

            def first_answer() -> None:
                nonlocal computed
                server = Server(contender.server.command, contender.server.environment)
                stack.enter_context(server)
                Client(server, contender.tenants[0]).post(contender.path, body)
                computed = cpu_seconds(tree(server.process.pid))

            return cost(first_answer)._replace(cpu=computed)

    return start
