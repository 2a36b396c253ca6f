"""The whole service, as it runs: a real server with a real database, and a real kill."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests import live
from tests.conftest import payload

CHAIN = [
    ("payments", payload("payment"), "INVALID"),
    ("registrations", {**payload("registration"), "id": "reg_456"}, "INVALID"),
    ("students", payload("student"), "NEW"),
    ("programs", payload("program"), "NEW"),
]


@pytest.fixture
def database():
    with live.database() as url:
        live.manage(url, "create_tenant", "default")
        yield url


def post(server, module, *records, **headers):
    body = json.dumps({"data": records})
    headers = {"Content-Type": "application/json", "X-Tenant-ID": "default", **headers}
    return server.request("POST", f"/v1/sync/{module}", body, headers)


def states(server, module, *records):
    return [result["status"] for result in post(server, module, *records).json()["results"]]


def test_the_missions_chain_from_its_end_to_its_beginning(database):
    with live.server(database, BTEC_REQUIRE_API_KEY="false", DJANGO_DEBUG="true") as server:
        first = [states(server, module, record) for module, record, _ in CHAIN]
        again = [states(server, module, record) for module, record, _ in CHAIN]
        payments = server.query("SELECT zoho_id, place FROM payments_payment")

    assert first == [[state] for _, _, state in CHAIN]
    assert again == [["UNCHANGED"]] * len(CHAIN)
    assert [zoho_id for zoho_id, _ in payments] == ["pay_123"]


def test_a_server_killed_between_the_stored_delivery_and_the_answer_loses_nothing(database):
    with live.server(
        database, application="tests.wsgi_that_waits", BTEC_REQUIRE_API_KEY="false", DJANGO_DEBUG="true"
    ) as server:
        sender = threading.Thread(target=_post_until_killed, args=(server, payload("student")))
        sender.start()
        wait_for(lambda: server.query("SELECT state FROM btec_sync_delivery") == [("received",)])
        server.kill()
        sender.join(30)

    replayed = manage(database, "replay")

    assert replayed.returncode == 0, replayed.stderr
    assert live.query(database, "SELECT zoho_id FROM reference_student") == [("stud_456",)]
    assert live.query(database, "SELECT state, attempts FROM btec_sync_delivery") == [("done", 1)]


def test_a_replay_killed_halfway_is_finished_by_the_next(database):
    with live.server(
        database, application="tests.wsgi_that_waits", BTEC_REQUIRE_API_KEY="false", DJANGO_DEBUG="true"
    ) as server:
        for n in range(30):
            body = [{"id": f"s{n}-{i}", "Name": "A"} for i in range(100)]
            threading.Thread(target=_post_until_killed, args=(server, *body)).start()
        wait_for(lambda: server.query("SELECT count(*) FROM btec_sync_delivery")[0][0] >= 8)
        server.kill()
    stored = live.query(database, "SELECT count(*) FROM btec_sync_delivery")[0][0]

    killed = subprocess.Popen(
        [sys.executable, "manage.py", "replay"],
        cwd=live.ROOT,
        env=live.environ(database),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: live.query(database, "SELECT 1 FROM btec_sync_delivery WHERE state = 'done'"))
    killed.kill()
    killed.wait()
    finished = manage(database, "replay")

    assert finished.returncode == 0, finished.stderr
    assert live.query(database, "SELECT count(*) FROM reference_student") == [(stored * 100,)]
    assert live.query(database, "SELECT DISTINCT state FROM btec_sync_delivery") == [("done",)]
    news = live.query(database, "SELECT count(*) FROM btec_sync_recordresult WHERE state = 'NEW'")
    assert news == [(stored * 100,)]


def _post_until_killed(server, *records):
    with suppress(OSError):
        post(server, "students", *records)


def manage(database: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=live.ROOT,
        env=live.environ(database),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


def test_who_takes_a_dead_workers_place_does_not_load_the_service_anew():
    with live.database() as url, live.server(url, "--config", "deploy/gunicorn.conf.py") as server:
        for worker in live.children(server.process.pid):
            os.kill(worker, signal.SIGKILL)
        assert server.request("GET", "/readyz").status == 200
        seconds = [processor_seconds(worker) for worker in live.children(server.process.pid)]

    # Loading it takes a second of the processor's time, whoever else wants the processor meanwhile.
    assert max(seconds) < 0.4


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
