"""import_records and erase_student under a real kill: run again, the end is the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection, transaction

from btec_sync.models import Tenant
from tests import factories, live

SMALL = {"BTEC_MAX_BATCH": "5"}


@pytest.fixture
def database():
    with live.database() as url:
        live.manage(url, "create_tenant", "default")
        yield url


@pytest.fixture
def export(tmp_path):
    return write(tmp_path / "students.csv", 200)


def write(file: Path, students: int) -> str:
    header = "id,Name,Academic_Email,Phone,Status\n"
    file.write_text(header + "".join(f"s{n},Name {n},,,\n" for n in range(students)))
    return str(file)


@contextmanager
def started(database: str, *arguments: str):
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=live.ROOT,
        env=live.environ(database, **SMALL),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # A shell has what it runs in the background ignore Ctrl-C, and we may be run so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(happened: Callable[[], bool]) -> None:
    for _ in range(600):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("It did not happen within 30 seconds.")


def number(database: str, of: str) -> int:
    return live.query(database, f"SELECT count(*) FROM {of}")[0][0]


@pytest.mark.parametrize(("end", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_an_import_that_was_ended_goes_on_to_the_same_end(database, tmp_path, end, status):
    # So many that it is still under way when it is looked at, however fast.
    export = write(tmp_path / "students.csv", 3_000)
    command = ("import_records", "students", export, "--tenant", "default")

    with started(database, *command) as first:
        wait_until(lambda: number(database, "reference_student") >= 10)
        os.kill(first.pid, end)
        first.communicate(timeout=30)
        stored = number(database, "reference_student")
    live.manage(database, *command)

    assert first.returncode == status
    assert stored < 3_000
    assert stored % 5 == 0
    live.manage(database, *command, "--check")  # which ends with 0


@pytest.mark.postgresql
def test_an_interrupt_amid_a_commit_stays_one(committed, monkeypatch):
    def interrupted() -> None:
        connection.connection.pgconn.send_query(b"COMMIT")
        raise KeyboardInterrupt

    connection.ensure_connection()
    monkeypatch.setattr(connection.connection, "commit", interrupted)

    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        factories.TenantFactory(slug="north")

    assert not connection.in_atomic_block
    Tenant.objects.exists()  # committed or not, the database can be asked
    assert transaction.get_autocommit()


def test_an_erasure_that_was_killed_is_finished_by_the_next(database, export):
    live.manage(database, "import_records", "students", export, "--tenant", "default", **SMALL)
    live.manage(database, "import_records", "students", export, "--tenant", "default", **SMALL)
    spoke = "btec_sync_delivery WHERE " + (
        "instr(body, '\"s197\"') > 0"
        if database.startswith("sqlite")
        else "position('\"s197\"'::bytea in body) > 0"
    )
    assert number(database, spoke) == 2
    command = ("erase_student", "default", "s197", "--yes")

    with started(database, *command) as first:
        wait_until(lambda: number(database, "btec_sync_tombstone") > 0)
        os.kill(first.pid, signal.SIGKILL)
        first.communicate(timeout=30)
    live.manage(database, *command)

    assert first.returncode == -9
    assert number(database, "reference_student") == 199
    assert number(database, spoke) == 0
    assert number(database, "btec_sync_recordresult WHERE zoho_id = 's197'") == 0
