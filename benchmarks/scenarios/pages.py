"""Goal 6: the admin's pages with few and with many rows. The addresses stand in benchmarks/pages.py."""

import json

from benchmarks.contenders import django, fill, unfilled
from benchmarks.measure import Cost, Sample
from benchmarks.processes import python
from benchmarks.report import Report
from benchmarks.stage import Stage

MOST_MS = 50
#: So few that a query for each row is noticed, and two pages of results and of each college's payments.
FEW = {"payments": 640, "results": 110, "students": 20}


def run(stage: Stage, report: Report) -> None:
    if "postgresql" not in stage.names:
        return
    results = stage.size(short=10_000, default=1_000_000)
    many = {"results": results, "payments": results // 10, "students": results // 10}
    after = opened(stage, many)
    stage.noise.sample()
    before = opened(stage, FEW)
    grown = [key for key in after if after[key][0] != before[key][0]]
    words = f"{many['results']:,} results and {many['payments'] + many['students']:,} records"
    what = f"pages whose number of queries grows from {FEW['results']} results to {words}"
    report.goal(6, what, Sample((len(grown),)), most=0, must=True)
    most = MOST_MS * stage.noise.factor
    samples = [sample for _, sample in after.values()]
    slow = sum(sample.median * 1_000 > most for sample in samples)
    dear = sum((sample.cpu_median or 0) * 1_000 > most for sample in samples)
    found = Sample((slow,), (dear,))
    noise = f"{stage.noise.factor:.2f} (the machine's noise)"
    report.goal(6, f"pages of {len(after)} above {MOST_MS} ms times {noise}, with {words}", found, most=0)
    for who, address in grown:
        report.note(
            f"more queries: {address} of {who}: {before[who, address][0]}, then {after[who, address][0]}"
        )
    for (who, address), (queries, sample) in after.items():
        report.seconds(f"`{address}`, {who}, {queries} queries, {words}", sample)


def opened(stage: Stage, rows: dict[str, int]) -> dict[tuple[str, str], tuple[int, Sample]]:
    """(queries, seconds) of each (person, address) with so many rows."""
    database = stage.database()
    url = database.create(unfilled(database))
    fill(url, **rows)
    numbers = map(str, (stage.rounds, stage.warm_up, database.processes()[0]))
    printed = python("benchmarks.pages", *numbers, environment=django(url)).output
    database.drop(url)
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("[")]
    return {
        (who, address): (queries, Sample.of([Cost(*pair) for pair in taken]))
        for who, address, queries, taken in lines
    }
