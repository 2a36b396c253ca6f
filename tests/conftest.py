"""What every test can ask for."""

import json
import logging
import os
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor
from xdist.scheduler import LoadScopeScheduling

from btec_sync import logs
from tests import factories
from tests.api import Sender
from tests.metrics import TOKEN, read

PAYLOADS = Path(__file__).parent / "payloads"


def payload(name: str) -> dict:
    """One of the mission's payload examples, anew at each call."""
    return json.loads((PAYLOADS / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings, tmp_path_factory):
    """SQLite in a file, as it runs in real life: threads see one database, in WAL mode."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        file = tmp_path_factory.mktemp("database") / "test.sqlite3"
        database.setdefault("TEST", {})["NAME"] = str(file)
        connection.settings_dict.setdefault("TEST", {})["NAME"] = database["TEST"]["NAME"]


@pytest.fixture(autouse=True)
def nothing_cached():
    cache.clear()


@pytest.fixture
def tenant(db):
    return factories.TenantFactory()


@pytest.fixture
def sender(tenant):
    """A sender for the tenant `default`, without a key, as on a first run."""
    return Sender()


@pytest.fixture
def parents(sender):
    """The records that the mission's examples point at."""
    sender.post("students", payload("student"))
    sender.post("programs", payload("program"))
    sender.post("units", {**payload("unit"), "id": "unit_789"})
    sender.post("registrations", {**payload("registration"), "id": "reg_456"})


@pytest.fixture
def committed(transactional_db):
    """A database in which commits are real, for tests with threads."""
    yield
    if connection.vendor == "sqlite":
        empty_children_first()


@pytest.fixture
def scrape(client, db, settings):
    """Asks /metrics, as Prometheus does."""
    settings.BTEC_METRICS_TOKEN = TOKEN

    def get():
        response = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return read(response.content)

    return get


@pytest.fixture
def migrated(committed):
    """Takes btec_sync to the state after the migration of that name; in the end, to the newest."""
    yield lambda name: MigrationExecutor(connection).migrate([("btec_sync", name)])
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def empty_children_first() -> None:
    """Django empties tables in any order, which keys that are checked at once refuse on SQLite."""
    tables = [model for model in apps.get_models() if model._meta.app_label in OWN_APPS]
    while tables:
        for model in list(tables):
            if not any(points_at(other, model) for other in tables if other is not model):
                if any(f.related_model is model for f in model._meta.concrete_fields):
                    model.objects.update(
                        **{f.name: None for f in model._meta.concrete_fields if f.related_model is model}
                    )
                model.objects.all()._raw_delete("default")
                tables.remove(model)


OWN_APPS = {"btec_sync", "reference", "units", "registrations", "payments", "grades"}


def points_at(model: type[models.Model], other: type[models.Model]) -> bool:
    return any(field.related_model is other for field in model._meta.concrete_fields)


@pytest.fixture
def replay(db):
    """Runs manage.py replay and returns its exit status and what it printed."""

    def run(*arguments: str) -> tuple[int, str]:
        output = StringIO()
        try:
            call_command("replay", *arguments, stdout=output)
        except SystemExit as end:
            return end.code, output.getvalue()
        except CommandError as error:
            return error.returncode, str(error)
        return 0, output.getvalue()

    return run


def pytest_collection_modifyitems(config, items):
    """Leaves out what this database cannot do, and what the other will show; the summary says how many."""
    if connection.vendor == "postgresql":
        return
    markers = ["postgresql", "once"] if "BTEC_TEST_POSTGRESQL_FOLLOWS" in os.environ else ["postgresql"]
    left_out = [item for item in items if any(map(item.get_closest_marker, markers))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


# Files whose tests share what is dear to set up: a browser, nginx, services.
ON_ONE_WORKER = (
    "tests/browser/test_pages.py",
    "tests/test_deploy.py",
    "tests/test_http.py",
    "tests/test_http_bodies.py",
)


class Scheduler(LoadScopeScheduling):
    """Gives each worker the next test, or the next of those files whole.

    Not all files whole: pytest-django puts tests that commit behind those that do not, whatever their file.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in ON_ONE_WORKER else nodeid


def pytest_xdist_make_scheduler(config, log):
    return Scheduler(config, log)


@pytest.fixture
def log_lines():
    """Gives all lines that were logged since the test began, as production would write them."""
    configuration = logs.console(as_json=True)
    formatter = configuration["formatters"]["lines"]
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter.pop("()")(**formatter))
    loggers = [logging.getLogger(name) for name in (None, *settings.LOGGING["loggers"])]
    for logger in loggers:
        logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for logger in loggers:
        logger.removeHandler(handler)
