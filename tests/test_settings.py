"""The start: what cannot be understood stops it, with a sentence that names it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import empty_database

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
PRODUCTION = {
    "DJANGO_DEBUG": "false",
    "DJANGO_SECRET_KEY": "a-long-random-text-that-nobody-guesses-0123456789-abcdefghij",
    "DJANGO_ALLOWED_HOSTS": "btec.example",
    "DATABASE_URL": "sqlite:///:memory:",
}
START = {**PRODUCTION, "DJANGO_SETTINGS_MODULE": "config.settings"}


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "BTEC_"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**kept, "BTEC_ENV_FILE": os.devnull, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DJANGO_DEBUG", "ture"),
        ("DJANGO_HTTPS", "maybe"),
        ("BTEC_REQUIRE_API_KEY", "2"),
        ("BTEC_MAX_BATCH", "many"),
        ("BTEC_MAX_BATCH", "0"),
        ("BTEC_MAX_BATCH", "٣"),
        ("BTEC_MAX_BATCH", "2000000"),
        ("BTEC_MAX_BODY_BYTES", "5MiB"),
        ("BTEC_LOCK_SECONDS", "-1"),
        ("BTEC_IDEMPOTENCY_HOURS", "1.5"),
        ("BTEC_DB_POOL_SIZE", "0"),
        ("BTEC_LOG_LEVEL", "LOUD"),
        ("BTEC_METRICS_TOKEN", "tooshort"),
        ("BTEC_METRICS_TOKEN", "a secret with blanks in it"),
        ("BTEC_METRICS_TOKEN", "sécret-secret-secret"),
        ("DJANGO_TIME_ZONE", "Mars/Olympus"),
        ("BTEC_BODY_DAYS", "0"),
        ("BTEC_BODY_DAYS", "731"),
        ("BTEC_HISTORY_DAYS", "89"),
        ("DJANGO_SECRET_KEY", ""),
        ("DATABASE_URL", "mysql://a/b"),
        ("DATABASE_URL", "postgres://u:secret@host:port/name"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "postgres://u@host/"),
        ("DATABASE_URL", "postgres://u@host/name?conn_max_age=600"),
        ("DATABASE_URL", "postgres://u@host/name?atomic_requests=true"),
    ],
)
def test_a_value_that_cannot_be_understood_stops_the_start(name, value):
    done = python(
        "import django; django.setup()",
        **{**START, name: value},
    )

    assert done.returncode != 0
    assert name in done.stderr.splitlines()[-1]
    assert "secret" not in done.stderr.splitlines()[-1]


def test_an_empty_value_is_one_that_is_not_set():
    done = python(
        "from django.conf import settings as s; print(s.BTEC_MAX_BATCH)", **START, BTEC_MAX_BATCH=""
    )

    assert done.stdout == "1000\n"


def test_a_secret_that_begins_with_a_dollar_is_taken_as_it_stands():
    secret = "$" + PRODUCTION["DJANGO_SECRET_KEY"]

    done = python(
        "from django.conf import settings as s; print(s.SECRET_KEY)", **{**START, "DJANGO_SECRET_KEY": secret}
    )

    assert done.stdout.strip() == secret


def test_production_is_closed_by_default():
    done = python(
        "from django.conf import settings as s;"
        "print(s.BTEC_REQUIRE_API_KEY, s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE, s.DEBUG)",
        **START,
    )

    assert done.stdout.split() == ["True", "True", "True", "False"]


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
def test_production_does_not_start_with_keys_switched_off(server):
    safe = python(f"import config.{server}", **PRODUCTION)
    unsafe = python(f"import config.{server}", **PRODUCTION, BTEC_REQUIRE_API_KEY="false")

    assert safe.returncode == 0, safe.stderr
    assert unsafe.returncode != 0
    assert "BTEC_REQUIRE_API_KEY" in unsafe.stderr.splitlines()[-1] + unsafe.stderr


def test_the_deployment_check_finds_nothing():
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings';"
        "from django.core.management import execute_from_command_line as run;"
        "run(['manage.py', 'check', '--deploy', '--fail-level', 'WARNING'])"
    )

    done = python(code, **PRODUCTION)

    assert done.returncode == 0, done.stderr


@pytest.mark.postgresql
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_name_is_refused(encoding):
    with empty_database(f"ENCODING {encoding} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'") as url:
        migrated = python(
            "from django.core.management import execute_from_command_line as run; run(['', 'migrate'])",
            **{**START, "DATABASE_URL": url},
        )
        twice = python(
            "import django; django.setup()\n"
            "from django.db import NotSupportedError, connection\n"
            "for _ in range(2):\n"
            "    try: connection.cursor()\n"
            "    except NotSupportedError: print('refused')",
            **{**START, "DATABASE_URL": url},
        )

    assert migrated.returncode == 1
    assert twice.stdout.split() == ["refused"] * 2
    assert f"The database is in {encoding}, which cannot hold every name." in migrated.stderr
