"""What the admin's lists ask the database for."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from btec_sync.models import Delivery, IdempotencyKey, RecordResult
from btec_sync.reference.models import Student
from tests import factories
from tests.admin import MODELS, fill, superuser, url


@pytest.fixture
def client(db):
    return superuser()


@pytest.fixture
def filled(db):
    return fill("default", "word")


@pytest.mark.parametrize("model", [Delivery, RecordResult, IdempotencyKey])
def test_no_list_reads_a_body(client, filled, model):
    with CaptureQueriesContext(connection) as queries:
        client.get(url(model))

    assert not [query["sql"] for query in queries if re.search(r'\."?(body|answer|traceback)"', query["sql"])]


@pytest.mark.parametrize("asked", [{}, {"p": 2}, {"all": ""}])
@pytest.mark.parametrize("number", [1, 60])
def test_a_search_reads_all_rows_once(client, sender, number, asked):
    sender.post("students", *(factories.StudentRecord(Name="Common") for _ in range(number)))

    with CaptureQueriesContext(connection) as queries:
        client.get(url(Student), {"q": "common", **asked})

    searches = [query["sql"] for query in queries if "LIKE" in query["sql"]]
    assert sum('"id" IN (' not in sql for sql in searches) == 1  # the others look at the rows of a page


def queries_of(client, model) -> int:
    client.get(url(model))  # what is asked once and remembered
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url(model))
    assert response.status_code == 200
    return len(queries)


def test_a_list_of_fifty_costs_as_many_queries_as_one_of_five(client):
    fill("default", "few", 5)
    few = {model: queries_of(client, model) for model in MODELS}

    fill("default", "many", 45)
    for n in range(45):
        factories.TenantFactory(slug=f"tenant-{n}")
    many = {model: queries_of(client, model) for model in MODELS}

    assert all(model.objects.count() >= 45 for model in MODELS)
    assert many == few
    assert max(many.values()) <= 12
