"""Alive, and fit to take requests."""

import pytest
from django.db.migrations.recorder import MigrationRecorder


def test_alive(client):
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_with_a_migrated_database(client):
    response = client.get("/readyz")

    assert response.status_code == 200


@pytest.mark.django_db
def test_not_ready_with_a_migration_missing(client):
    MigrationRecorder.Migration.objects.filter(app="payments").delete()

    response = client.get("/readyz")

    assert response.status_code == 503
    assert "migrate" in response.json()["migrations"]
