"""What a broken database looks like from outside: 503 or 500 as problem+json, and nothing is lost.

Each was found by `python -m tests.stress`, which breaks a running server by the hundred.
"""

import json
import threading
import time

import pytest
from django.db import connection

from btec_sync.models import Delivery
from tests import factories, live
from tests.api import Sender, receive
from tests.triggers import END_SESSION, at_commit, at_once, execute, numbered
from units.models import Unit

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def tenant(committed):
    return factories.TenantFactory()


def assert_unavailable(response) -> None:
    """A refusal that says when to come back, and shows nothing of the database."""
    assert (response.status_code, response.headers["Content-Type"]) == (503, "application/problem+json")
    assert response.json()["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) > 0
    assert b"Ahmed" not in response.content


def test_a_delivery_that_cannot_be_committed_is_refused_as_unavailable(tenant):
    with at_commit("btec_sync_delivery"):
        response = Sender().post("units", factories.UnitRecord(id="u"))

    assert_unavailable(response)
    assert "delivery_id" not in response.json()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("table", ["units_unit", "btec_sync_recordresult"])
def test_a_commit_that_fails_leaves_a_failed_delivery_and_replay_finishes_it(tenant, replay, table):
    record = factories.UnitRecord(id="u")
    with at_commit(table):
        response = Sender().post("units", record, key="k")
    failed = Delivery.objects.get()
    status, _ = replay()

    assert (response.status_code, response.json()["code"]) == (500, "processing_failed")
    assert response.json()["delivery_id"] == str(failed.uid)
    assert b"Ahmed" not in response.content
    assert (failed.state, failed.attempts, failed.new) == ("failed", 0, 0)
    assert failed.traceback
    assert (status, Delivery.objects.get().state, Unit.objects.count()) == (0, "done", 1)
    assert Sender().post("units", record, key="k").headers["Idempotent-Replayed"] == "true"


def test_where_even_the_failure_cannot_be_kept_the_stored_delivery_is_named(tenant, replay):
    # A crash whose traceback cannot be stored either: both write to the delivery.
    with at_once("btec_sync_delivery", "UPDATE"):
        response = Sender().post("units", factories.UnitRecord(id="u"))
    stored = Delivery.objects.get()

    assert_unavailable(response)
    assert response.json()["delivery_id"] == str(stored.uid)
    assert stored.state == "received"
    assert replay()[0] == 0


def test_a_rejection_that_cannot_be_kept_names_the_stored_delivery(tenant):
    with at_once("btec_sync_delivery", "UPDATE"):
        response = Sender().post_body("units", "no JSON")

    assert_unavailable(response)
    assert response.json()["delivery_id"] == str(Delivery.objects.get().uid)


@pytest.mark.postgresql
@pytest.mark.parametrize("when", [at_once, at_commit])
@pytest.mark.parametrize(
    ("table", "stored"),
    [
        ("btec_sync_delivery", False),
        ("btec_sync_idempotencykey", True),
        ("units_unit", True),
        ("btec_sync_recordresult", True),
    ],
)
def test_a_session_that_ends_under_the_request_is_unavailable_and_the_next_works(
    tenant, replay, table, stored, when
):
    record = factories.UnitRecord(id="u")
    with when(table, action=END_SESSION):
        response = Sender().post("units", record, key="k")

    assert_unavailable(response)
    assert ("delivery_id" in response.json()) == stored
    assert list(Delivery.objects.values_list("state", flat=True)) == ["received"] * stored
    assert Sender().states("units", record, key="k") == ["NEW"]
    assert replay()[0] == 0
    assert Unit.objects.count() == 1


@pytest.mark.postgresql
@pytest.mark.parametrize("when", [at_once, at_commit])
@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_what_the_database_asks_to_be_tried_again_is_tried_again(tenant, code, when):
    again = f"RAISE EXCEPTION 'once more' USING ERRCODE = '{code}'"
    with numbered(), when("units_unit", action=f"IF nextval('tries') < 3 THEN {again}; END IF"):
        states = Sender().states("units", factories.UnitRecord(), key="k")

    assert states == ["NEW"]
    assert (Delivery.objects.get().attempts, Unit.objects.count()) == (1, 1)


@pytest.mark.postgresql
def test_what_is_to_be_tried_again_for_ever_is_unavailable(tenant, replay):
    with at_once("units_unit", action="RAISE EXCEPTION 'once more' USING ERRCODE = '40001'"):
        response = Sender().post("units", factories.UnitRecord())

    assert_unavailable(response)
    assert Delivery.objects.get().state == "received"
    assert replay()[0] == 0


@pytest.mark.postgresql
def test_a_database_that_may_only_be_read_is_unavailable(tenant, replay):
    # As after a failover, when the connection leads to a standby.
    delivery = receive(tenant, "units", factories.UnitRecord(id="u"))
    execute("SET default_transaction_read_only = on")
    try:
        response = Sender().post("units", factories.UnitRecord(id="v"))
        status, _ = replay()
    finally:
        execute("SET default_transaction_read_only = off")

    assert_unavailable(response)
    assert status == 2
    delivery.refresh_from_db()
    assert delivery.state == "received"
    assert replay()[0] == 0


def test_a_full_disk_is_unavailable_and_what_was_stored_is_finished(tenant, replay):
    if not factories.on_sqlite():
        pytest.skip("python -m tests.stress fills PostgreSQL's disk")
    stored = receive(tenant, "units", *[factories.UnitRecord(id=f"u{n}") for n in range(500)])
    execute("VACUUM")  # what earlier tests have freed would be room enough
    [(pages,)] = connection.cursor().execute("PRAGMA page_count").fetchall()
    execute(f"PRAGMA max_page_count = {pages}")
    try:
        response = Sender().post("units", factories.UnitRecord(id="v", Description="long" * 8_000))
        status, _ = replay()
    finally:
        execute("PRAGMA max_page_count = 1073741823")

    assert_unavailable(response)
    assert status == 2
    assert replay()[0] == 0
    stored.refresh_from_db()
    assert (stored.state, stored.new) == ("done", 500)


@pytest.fixture
def server():
    with live.database() as url:
        live.manage(url, "create_tenant", "default")
        with live.server(url, BTEC_REQUIRE_API_KEY="false", DJANGO_DEBUG="true") as running:
            yield running


@pytest.mark.postgresql
def test_after_a_restart_of_the_database_the_first_request_works(server):
    senders = [threading.Thread(target=post_some, args=(server, n)) for n in range(8)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    # Nobody is under way: the pool is full of connections of which nobody knows that they are dead.
    sessions = server.query(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"  # which waits for the end, in ms
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    began = time.monotonic()
    statuses = [post(server, n).status for n in range(8)]

    assert len(sessions) > 2
    assert statuses == [200] * 8
    assert time.monotonic() - began < 5


def post(server, number: int) -> live.Answer:
    body = json.dumps({"data": [factories.UnitRecord(id=f"u{number}")]})
    headers = {"Content-Type": "application/json", "X-Tenant-ID": "default"}
    return server.request("POST", "/v1/sync/units", body, headers)


def post_some(server, number: int) -> None:
    for _ in range(5):
        post(server, number)
