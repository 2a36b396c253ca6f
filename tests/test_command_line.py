"""manage.py ends with a sentence where a person has to mend something."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import DatabaseError, NotSupportedError, connection, transaction

from config.command_line import sentence
from tests.live import PRODUCTION, ROOT, empty_database, environ

pytestmark = pytest.mark.once


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**environ("sqlite:///:memory:", BTEC_ENV_FILE=os.devnull), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_sentence(done: subprocess.CompletedProcess, *words: str) -> None:
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    # Above it are lines of the log, where a pool could not connect.
    *log, said = done.stderr.splitlines()
    assert all(line.startswith("{") for line in log), done.stderr
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    ("name", "value"), [("DJANGO_DEBUG", "maybe"), ("BTEC_MAX_BATCH", "abc"), ("DATABASE_URL", "garbage")]
)
def test_a_setting_that_cannot_be_understood(name, value):
    assert_sentence(manage("check", **{name: value}), f"{name}: ")


def test_a_file_of_settings_that_is_not_there():
    assert_sentence(manage("check", BTEC_ENV_FILE="/nope/btec.env"), "BTEC_ENV_FILE", "/nope/btec.env")


def test_the_traceback_can_be_had():
    done = manage("check", "--traceback", DJANGO_DEBUG="maybe")

    assert done.returncode == 1
    assert "Traceback" in done.stderr


IMPORT = ["import_records", "students", "x.csv", "--tenant", "north"]


@pytest.mark.parametrize(
    "command",
    [["replay"], ["create_tenant", "north"], ["prune"], IMPORT, ["erase_student", "north", "s", "--yes"]],
    ids=lambda command: command[0],
)
def test_a_database_that_was_not_migrated(command):
    with empty_database() as url:
        done = manage(*command, DATABASE_URL=url)

    assert_sentence(done, "run manage.py migrate")


@pytest.mark.parametrize(
    "url", ["postgres://nobody:secret@127.0.0.1:1/btec", "sqlite:////proc/nowhere/btec.sqlite3"]
)
@pytest.mark.parametrize("command", [["migrate"], IMPORT], ids=lambda command: command[0])
def test_a_database_that_cannot_be_reached(url, command):
    done = manage(*command, DATABASE_URL=url)

    assert_sentence(done, "The database that DATABASE_URL names cannot be used: ")
    assert "secret" not in done.stderr


def test_an_interruption_before_a_command_has_begun(tmp_path):
    # A module that Django loads, and that waits.
    (tmp_path / "slow_settings.py").write_text(
        "import pathlib, time\npathlib.Path('loading').touch()\ntime.sleep(30)\n"
    )
    process = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", "replay", "--settings", "slow_settings"],
        cwd=tmp_path,
        env={**os.environ, **PRODUCTION, "PYTHONPATH": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        # What a background shell starts does not hear Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    _wait_for(tmp_path / "loading")

    process.send_signal(signal.SIGINT)

    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "")


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nothing()"])
def test_a_mistake_of_ours_keeps_its_traceback(db, sql):
    with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert sentence(error.value) == ""
    assert sentence(NotSupportedError("contains lookup is not supported on this database backend.")) == ""
