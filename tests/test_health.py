"""Alive, fit to take requests, and the page that says so."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tests import factories
from tests.admin import text
from tests.api import Sender

PROBES = ["/healthz", "/readyz"]


def test_alive(client):
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_with_a_migrated_database(client):
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "migrations": "ok"}


@pytest.mark.django_db
def test_not_ready_with_a_migration_missing(client):
    MigrationRecorder.Migration.objects.filter(app="payments", name="0001_initial").delete()

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "migrate" in response.json()["migrations"]


@pytest.mark.django_db
def test_ready_with_a_migration_of_a_newer_version(client):
    """As after a new version was rolled back: what it migrated is there, and more than is needed."""
    MigrationRecorder.Migration.objects.create(app="payments", name="9999_of_tomorrow")

    assert client.get("/readyz").status_code == 200


@pytest.mark.postgresql
@pytest.mark.django_db
def test_not_ready_where_the_database_takes_no_writes(client):
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["database"] == "read-only"


@pytest.mark.django_db
@pytest.mark.parametrize("path", PROBES)
def test_no_cache_answers_for_the_service(client, path):
    assert "no-store" in client.get(path).headers["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*PROBES, "/"])
def test_a_monitor_may_ask_with_head(client, path):
    assert client.head(path).status_code == 200


@pytest.mark.django_db
def test_only_probes_are_answered_over_plain_http(client, settings):
    settings.DEBUG = True
    settings.SECURE_SSL_REDIRECT = True

    statuses = {path: client.get(path).status_code for path in [*PROBES, "/metrics", "/", "/v1/docs"]}

    assert statuses == {"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 301, "/v1/docs": 301}


# --- The page ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_says_what_this_is_whether_it_is_well_and_where_to_go(client):
    response = client.get("/")

    assert response.status_code == 200
    assert "Zoho CRM" in text(response)
    assert "The service is well. Database ok Migrations ok" in text(response)
    for link in ("/admin/", "/v1/docs", "/v1/schema", "/readyz", "/healthz"):
        assert f'href="{link}"' in response.content.decode()


@pytest.mark.django_db
def test_the_page_says_what_is_the_matter(client):
    MigrationRecorder.Migration.objects.filter(app="payments", name="0001_initial").delete()

    response = client.get("/")

    assert response.status_code == 200
    assert "The service cannot take records now. Database ok Migrations 1 not applied" in text(response)


def test_a_browser_gets_an_icon_wherever_it_asks_for_one(client):
    response = client.get("/favicon.ico")

    assert response.status_code == 302
    assert response.url.endswith("btec_sync/icon.svg")


@pytest.mark.django_db
def test_a_stranger_learns_nothing_of_tenants_and_their_traffic(client):
    before = client.get("/").content

    factories.TenantFactory(slug="north")
    Sender("north").post("units", factories.UnitRecord())

    assert client.get("/").content == before


def test_the_documentation_page_reads_our_own_document(client):
    page = client.get("/v1/docs").content.decode()

    assert 'data-schema="/v1/schema"' in page
    assert client.get("/v1/docs/").status_code == 200
