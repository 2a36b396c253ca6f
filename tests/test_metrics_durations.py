"""/metrics' durations: of all processes of a machine, and no fault of theirs costs an answer."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from btec_sync.metrics.durations import observe
from tests import live
from tests.metrics import TOKEN, read


def test_durations_of_all_processes_are_added_up_and_outlive_them():
    with (
        live.database() as url,
        live.server(
            url, "--config", "deploy/gunicorn.conf.py", "--workers", "3", threads=1, BTEC_METRICS_TOKEN=TOKEN
        ) as server,
    ):
        headers = {"Authorization": f"Bearer {TOKEN}"}

        def count():
            found = read(server.request("GET", "/metrics", headers=headers).body)
            return found["btec_request_duration_seconds_count"]

        for _ in range(40):
            server.request("POST", "/v1/sync/units", "{}", {"Content-Type": "application/json"})
        counts = [count()["/v1/sync/units", "4xx"] for _ in range(10)]
        folder = folder_of(server)
        files = list(folder.glob("histogram_*.db"))
        for worker in live.children(server.process.pid):
            os.kill(worker, signal.SIGKILL)
        after = count()

    assert counts == [40] * 10
    assert len(files) > 1  # else one worker had answered it all
    assert after["/v1/sync/units", "4xx"] == 40
    assert after["other", "2xx"] >= 10
    assert not folder.exists()


@pytest.mark.parametrize("given", [False, True])
def test_a_start_that_fails_leaves_no_folder_of_its_own_behind(tmp_path, given):
    tell = "import os\nraise RuntimeError('folder: ' + os.environ['PROMETHEUS_MULTIPROC_DIR'])\n"
    (tmp_path / "broken.py").write_text(tell)
    environment = {**os.environ, "BTEC_BIND": "127.0.0.1:0", "PYTHONPATH": str(tmp_path)}
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    if given:
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path / "given")

    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "broken", "--config", "deploy/gunicorn.conf.py"],
        cwd=live.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode != 0
    folder = Path(re.search(r"folder: (\S+)", done.stderr)[1])
    assert folder.exists() == given


def folder_of(server) -> Path:
    (worker, *_) = live.children(server.process.pid)
    environment = Path(f"/proc/{worker}/maps").read_text()
    return Path(re.search(r"(/\S+/btec-metrics-\w+)/", environment)[1])


def test_without_a_folder_that_all_share_no_duration_is_told(client, scrape):
    client.get("/")

    assert not [name for name in scrape() if "duration" in name]


def test_a_folder_that_cannot_be_written_costs_no_answer(client, scrape, tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "gone"))

    observe("/v1/sync/units", 200, 0.1)

    assert scrape()["btec_database_up"][()] == 1


def test_half_a_file_of_another_process_costs_no_scrape(scrape, tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    (tmp_path / "histogram_1.db").touch()

    assert scrape()["btec_database_up"][()] == 1
