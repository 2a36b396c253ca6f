"""Dashboard, alerts and documentation speak of what /metrics tells, and Prometheus understands them."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests import factories
from tests.metrics import TOKEN

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
SERIES = re.compile(r"\bbtec_\w+")
DASHBOARD = ROOT / "docs/grafana.json"
ALERTS = ROOT / "docs/alerts.yml"


@pytest.fixture
def told(sender, client, settings):
    """The names of all series that there can be."""
    settings.BTEC_METRICS_TOKEN = TOKEN
    sender.post("payments", factories.PaymentRecord(Registration={"id": "late"}))
    text = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
    found = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    return {*found, *(f"btec_request_duration_seconds_{kind}" for kind in ("bucket", "sum", "count"))}


def expressions() -> list[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    variables = [variable["query"] for variable in dashboard["templating"]["list"]]
    return queries + [query["query"] for query in variables if isinstance(query, dict)]


def rules() -> list[dict]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def test_every_metric_of_the_dashboard_is_there_and_every_metric_is_on_it(told):
    named = {name for expression in expressions() for name in SERIES.findall(expression)}

    assert named <= told
    assert {name.removesuffix("_bucket") for name in named} >= {
        re.sub("_(bucket|sum|count)$", "", name) for name in told
    }


def test_every_metric_of_the_alerts_is_there(told):
    named = {name for rule in rules() for name in SERIES.findall(rule["expr"])}

    assert named
    assert named <= told


def test_every_alert_says_what_to_do():
    for rule in rules():
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"].endswith(".")


def test_every_metric_is_documented_and_no_others(told):
    page = (ROOT / "docs/operations.md").read_text()
    table = set(re.findall(r"^\| `(btec_\w+)`", page, re.MULTILINE))

    assert table == {re.sub("_(bucket|sum|count)$", "", name) for name in told}


@pytest.fixture
def promtool():
    """Runs Prometheus' own tool, which knows its own language best."""
    if not shutil.which("promtool"):
        if os.environ.get("BTEC_REQUIRE_PROMTOOL"):
            pytest.fail("promtool is not on this machine, and BTEC_REQUIRE_PROMTOOL is set.")
        pytest.skip("promtool is not on this machine (Debian, Ubuntu: apt-get install prometheus).")

    def run(*arguments: str | Path) -> None:
        done = subprocess.run(
            ["promtool", *arguments], cwd=ROOT / "tests", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_the_alerts_fire_when_they_should_and_not_before(promtool):
    promtool("check", "rules", "--lint-fatal", ALERTS)
    promtool("test", "rules", "alerts_test.yml")


def test_prometheus_understands_the_dashboard(promtool, tmp_path):
    plain = [expression.replace("$__rate_interval", "5m") for expression in expressions()]
    rules = [
        {"record": f"panel:{n}", "expr": text} for n, text in enumerate(plain) if "label_values" not in text
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    promtool("check", "rules", file)
