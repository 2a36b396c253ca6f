"""Goals 1 and 2: batches of 1,000 payments, each NEW, then UPDATED, then UNCHANGED."""

from benchmarks import records
from benchmarks.contenders import Contender, entered
from benchmarks.measure import Cost, Sample, cost
from benchmarks.report import Report
from benchmarks.stage import Stage

NAMES = ["the limit", "ours", "naive Django", "the seed's architecture"]
STATES = ["NEW", "UPDATED", "UNCHANGED"]


def run(stage: Stage, report: Report) -> None:
    for database in stage.databases():
        batch = stage.size(short=100, default=1_000)
        with entered(database, NAMES) as contenders:
            samples = measure(stage, contenders, batch)
        for (name, state), sample in samples.items():
            report.seconds(f"{database.name}: {name}, {batch:,} {state}", sample)
        is_goal = database.name == "PostgreSQL"
        for state in STATES:
            ours, limit = samples["ours", state], samples["the limit", state]
            what = f"{database.name}: {batch:,} {state}, "
            goal = 2 if state == "UNCHANGED" else 1
            aim = {} if not is_goal else {"most": 2.5 if goal == 2 else 3}
            report.goal(goal, f"{what}ours ÷ the limit", ours / limit, **aim)
            for name in NAMES[2:]:
                if (name, state) in samples:
                    at_least = 20 if goal == 2 else 10
                    # The issue sets no aim for UNCHANGED beside the seed's architecture.
                    has_aim = is_goal and (goal == 1 or name == "naive Django")
                    aim = {"least": at_least} if has_aim else {}
                    report.goal(goal, f"{what}{name} ÷ ours", samples[name, state] / ours, **aim)


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
