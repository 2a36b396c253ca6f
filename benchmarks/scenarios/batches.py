"""Goals 1 and 2: batches of 1,000 payments, each NEW, then UPDATED, then UNCHANGED."""

from benchmarks import records
from benchmarks.contenders import Contender, entered
from benchmarks.measure import Cost, Sample, cost
from benchmarks.report import Report
from benchmarks.stage import Stage

STATES = ["NEW", "UPDATED", "UNCHANGED"]
#: On PostgreSQL. Nobody asked how we stand beside the seed's architecture with UNCHANGED ones.
AIMS = {
    "the limit": {"NEW": {"most": 3}, "UPDATED": {"most": 3}, "UNCHANGED": {"most": 2.5}},
    "naive Django": {"NEW": {"least": 10}, "UPDATED": {"least": 10}, "UNCHANGED": {"least": 20}},
    "the seed's architecture": {"NEW": {"least": 10}, "UPDATED": {"least": 10}, "UNCHANGED": {}},
}


def run(stage: Stage, report: Report) -> None:
    batch = stage.size(short=100, default=1_000)
    for database in stage.databases():
        with entered(database) as contenders:
            samples = measure(stage, contenders, batch)
        for (name, state), sample in samples.items():
            report.seconds(f"{database.name}: {name}, {batch:,} {state}", sample)
            if name == "ours":
                continue
            ours = samples["ours", state]
            if name == "the limit":
                ratio, words = ours / sample, f"ours ÷ {name}"
            else:
                ratio, words = sample / ours, f"{name} ÷ ours"
            aim = AIMS[name][state] if database.name == "PostgreSQL" else {}
            goal = 2 if state == "UNCHANGED" else 1
            report.goal(goal, f"{database.name}: {batch:,} {state}, {words}", ratio, **aim)


def measure(stage: Stage, contenders: dict[str, Contender], batch: int) -> dict[tuple[str, str], Sample]:
    clients = {name: contender.client() for name, contender in contenders.items()}

    def call(name: str, state: str):
        path = contenders[name].unchanged if state == "UNCHANGED" else contenders[name].path

        def send(number: int) -> Cost:
            body = records.body(of_round(number, state, batch))
            return cost(lambda: clients[name].post(path, body), contenders[name].processes)

        return send

    calls = {(name, state): call(name, state) for state in STATES for name in contenders}
    samples = stage.in_turns(calls)
    for contender in contenders.values():
        contender.check([row for n in range(stage.turns) for row in of_round(n, "UNCHANGED", batch)])
    return samples


def of_round(number: int, state: str, batch: int) -> list[dict]:
    """A round's payments: first seen, then each with another amount, then the same in another order."""
    sent = records.payments(number * batch, batch, amount=500 if state == "NEW" else 700)
    return sent[::-1] if state == "UNCHANGED" else sent
