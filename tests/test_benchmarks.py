"""The benchmarks send what the service stores, fill its tables with what it knows, and judge rightly.

What they measure is checked by themselves, before they print a figure.
"""

import json
import os

import pytest

from benchmarks import fill, pages, records, scenarios
from benchmarks.__main__ import main
from benchmarks.measure import Cost, Sample, in_turns, quantile
from benchmarks.report import Report
from benchmarks.scenarios import SCENARIOS
from benchmarks.scenarios.batches import STATES, of_round
from btec_sync.models import Delivery, RecordResult
from payments.models import Payment
from tests import live
from tests.api import Sender

COLLEGE = records.tenant(0)


@pytest.fixture
def colleges(db, capsys):
    """Two tenants, filled as a benchmark's."""
    first = fill.fill_tenants(2)
    capsys.readouterr()  # their keys
    return first


def stored(slug: str) -> set[records.Row]:
    rows = Payment.objects.filter(tenant__slug=slug).values_list(
        *["zoho_id", "registration__zoho_id", "amount", "payment_date"],
        *["payment_method", "payment_status", "description"],
    )
    return {records.stored(*row) for row in rows}


def test_a_round_of_batches_is_new_then_updated_then_unchanged(colleges):
    sender = Sender(COLLEGE)

    states = {state: set(sender.states("payments", *of_round(2, state, 30))) for state in STATES}

    assert states == {state: {state} for state in STATES}
    assert stored(COLLEGE) == records.expected(of_round(2, "UPDATED", 30))


def test_batches_of_a_size_hold_each_payment_once():
    bodies = [json.loads(body)["data"] for body in records.bodies(5, 25, batch=10)]

    assert [len(batch) for batch in bodies] == [10, 10, 5]
    assert [record for batch in bodies for record in batch] == records.payments(5, 25)


def test_filled_payments_are_those_that_are_sent_later(colleges):
    fill.fill_payments(60, 2, colleges)

    states = [Sender(records.tenant(n)).states("payments", *records.payments(0, 31)) for n in range(2)]

    assert Payment.objects.count() == 62
    assert states == [["UPDATED"] * 30 + ["NEW"]] * 2


def test_filled_results_belong_to_deliveries_of_a_thousand(colleges):
    fill.fill_results(2_500, colleges)

    sizes = [
        RecordResult.objects.filter(delivery=delivery).count() for delivery in Delivery.objects.order_by("pk")
    ]
    assert sizes == [1_000, 1_000, 500]
    assert RecordResult.objects.filter(state="INVALID").count() == 250


def test_every_page_that_is_measured_opens(colleges, capsys):
    fill.fill_payments(210, 2, colleges)
    fill.fill_results(10, colleges)
    fill.fill_students(3, colleges)

    pages.main(1, 0, os.getpid())

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line[1] for line in lines] == pages.PAGES * 2
    assert all(queries > 0 and len(costs) == 1 for _, _, queries, costs in lines)


@pytest.mark.parametrize(("queries", "status"), [((7, 7), 0), ((7, 8), 1)])
def test_a_smoke_run_fails_where_a_page_takes_more_queries_for_more_rows(
    monkeypatch, capsys, queries, status
):
    def opened(stage, rows):
        return {("staff", "/admin/"): (queries[rows["results"] > 1_000], Sample((9.0,)))}

    monkeypatch.setattr(scenarios.pages, "opened", opened)

    assert main(["pages", "--short", "--database", "postgresql"]) == status

    told = capsys.readouterr()
    assert ("more queries: /admin/ of staff: 7, then 8" in told.out) == bool(status)
    assert ("missed, and no time: pages whose number of queries grows" in told.err) == bool(status)


def test_calls_take_turns_and_the_first_round_does_not_count():
    order = []

    def call(name):
        return lambda number: order.append(name) or Cost(10 * number + len(order), 1)

    samples = in_turns({"a": call("a"), "b": call("b")}, rounds=2)

    assert order == ["a", "b"] * 3
    assert samples["a"].values == (13, 25)
    assert samples["b"].cpu == (1, 1)


def test_a_ratio_is_taken_within_each_round():
    ours, theirs = Sample((1, 10, 4), (1, 1, 1)), Sample((2, 40, 4), (3, 3, 3))

    ratio = theirs / ours

    assert ratio.values == (2, 4, 1)
    assert (ratio.median, ratio.cpu_median) == (2, 3)


def test_no_cpu_time_is_no_figure():
    assert Sample.of([Cost(1, 0), Cost(2, 0)]).cpu_median is None


def test_a_table_says_which_goals_are_met():
    report = Report()
    report.goal(2, "slow", Sample((3, 5, 4)), most=3)
    report.goal(1, "fast", Sample((30, 20, 25)), least=10)
    report.goal(1, "beside", Sample((1,)))
    report.seconds("a batch", Sample((0.25, 0.5)))

    text = report.markdown(["a machine"])

    assert "| 2 | slow | 4 | 3 to 5 |  | ≤ 3 | missed |" in text
    assert "| 1 | fast | 25 | 20 to 30 |  | ≥ 10 | met |" in text
    assert "| 1 | beside | 1 | 1 to 1 |  |  |  |" in text
    assert text.index("| 1 | beside") < text.index("| 2 | slow")
    assert "| a batch | 375 ms | 250 to 500 |  | 2 |" in text


def test_the_readme_names_every_scenario():
    text = (live.ROOT / "benchmarks" / "README.md").read_text()

    assert all(f"| `{name}` |" in text for name in SCENARIOS)


def test_a_quantile_is_a_value_that_was_measured():
    latencies = list(range(100, 0, -1))

    assert [quantile(latencies, share) for share in (0.01, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert quantile([7], 0.99) == 7
