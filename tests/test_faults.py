"""What a broken database looks like from outside: 503 or 500 as problem+json, and nothing is lost.

Each was found by `python -m tests.stress`, which breaks a running server by the hundred.
"""

import json
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from django.db import DatabaseError, connection, transaction

from btec_sync import parking, turns, writing
from btec_sync.models import Delivery, RecordResult
from btec_sync.services import SyncService
from btec_sync.turns import take_turn
from payments.models import Payment
from tests import factories, live
from tests.api import Sender, receive
from units.models import Unit

pytestmark = pytest.mark.usefixtures("committed")

REFUSE = "RAISE EXCEPTION 'Failing row contains (Ahmed)'"
END_SESSION = "PERFORM pg_terminate_backend(pg_backend_pid())"


@pytest.fixture
def tenant(committed):
    return factories.TenantFactory()


@contextmanager
def at_commit(table: str, event: str = "INSERT", action: str = REFUSE, rows: str = "1 = 1"):
    """A transaction that wrote such rows to the table comes to grief when it commits."""
    if factories.on_sqlite():
        broken = triggered(
            f"CREATE TRIGGER fault AFTER {event} ON {table} WHEN {rows}"
            " BEGIN INSERT INTO fault (other) VALUES (-1); END",
            before="CREATE TABLE fault (id INTEGER PRIMARY KEY, other INTEGER"
            " REFERENCES fault (id) DEFERRABLE INITIALLY DEFERRED)",
            after=["DROP TRIGGER fault", "DROP TABLE fault"],
        )
    else:
        broken = on_postgresql(
            f"CREATE CONSTRAINT TRIGGER fault AFTER {event} ON {table}"
            f" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({rows}) EXECUTE FUNCTION fault()",
            action,
        )
    with broken:
        yield


def at_once(table: str, event: str = "INSERT", action: str = REFUSE):
    """A statement that writes to the table comes to grief."""
    if factories.on_sqlite():
        raise_ = "SELECT RAISE(ABORT, 'Failing row contains (Ahmed)')"
        return triggered(
            f"CREATE TRIGGER fault BEFORE {event} ON {table} BEGIN {raise_}; END",
            after=["DROP TRIGGER fault"],
        )
    return on_postgresql(
        f"CREATE TRIGGER fault AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION fault()", action
    )


def on_postgresql(trigger: str, action: str):
    function = (
        f"CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; RETURN NULL; END $$"
    )
    return triggered(trigger, before=function, after=["DROP FUNCTION fault CASCADE"])


@contextmanager
def triggered(trigger: str, *, before: str = "", after: list[str]):
    execute(*filter(None, [before, trigger]))
    try:
        yield
    finally:
        connection.close()  # it may be dead
        execute(*after)


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


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


@pytest.fixture
def parked_payments(tenant):
    """Three deliveries of a payment each that wait for the same registration, whose parents are there."""
    Sender().post("students", factories.StudentRecord(id="stud_456"))
    Sender().post("programs", factories.ProgramRecord(id="prog_789"))
    return [
        Sender().post("payments", factories.PaymentRecord(id=f"p{n}")).json()["delivery_id"] for n in range(3)
    ]


def test_a_released_record_that_cannot_be_committed_fails_its_own_delivery_alone(parked_payments, replay):
    with at_commit("payments_payment", rows="NEW.zoho_id = 'p1'"):
        states = Sender().states("registrations", factories.RegistrationRecord(id="reg_456"))
    first, broken, last = [Delivery.objects.get(uid=uid) for uid in parked_payments]
    stored = set(Payment.objects.values_list("zoho_id", flat=True))
    status, _ = replay()

    assert states == ["NEW"]
    assert stored == {"p0", "p2"}
    assert [(d.state, d.new) for d in (first, broken, last)] == [("done", 1), ("failed", 0), ("done", 1)]
    assert "Traceback" in broken.traceback
    assert (status, Payment.objects.count()) == (0, 3)
    assert Delivery.objects.get(uid=broken.uid).state == "done"


def crash(*_: object) -> None:
    raise RuntimeError("a crash of our own")


def test_who_crashes_in_a_release_that_another_has_done_fails_nothing(parked_payments, monkeypatch):
    once = parking.with_retries

    def crash_behind(transact):
        once(transact)
        crash()

    monkeypatch.setattr(parking, "with_retries", crash_behind)
    Sender().post("registrations", factories.RegistrationRecord(id="reg_456"))

    assert {Delivery.objects.get(uid=uid).state for uid in parked_payments} == {"done"}
    assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()


@pytest.mark.postgresql
def test_who_crashes_in_a_release_waits_for_another_that_is_in_it(parked_payments, tenant, monkeypatch):
    """Else the other would leave as parked what it has stored, on a delivery that is done."""
    with monkeypatch.context() as ours:
        ours.setattr(parking, "release", lambda tenant, enough=None: True)
        Sender().post("registrations", factories.RegistrationRecord(id="reg_456"))
    sync, inside = SyncService.sync, threading.Event()

    def slow_sync(self, *arguments):
        outcomes = sync(self, *arguments)
        inside.set()
        time.sleep(1)
        return outcomes

    def release() -> None:
        parking.release(tenant)
        connection.close()

    other = threading.Thread(target=release)
    with monkeypatch.context() as slow:
        slow.setattr(SyncService, "sync", slow_sync)
        other.start()
        inside.wait(20)
    with monkeypatch.context() as ours:
        ours.setattr(parking, "_parse", crash)
        parking.release(tenant)
    other.join()

    assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()
    assert {Delivery.objects.get(uid=uid).state for uid in parked_payments} == {"done"}


@pytest.mark.postgresql
@pytest.mark.parametrize("when", [at_once, at_commit])
def test_a_session_that_ends_in_a_release_leaves_the_parent_its_answer(parked_payments, replay, when):
    registration = factories.RegistrationRecord(id="reg_456")
    with when("payments_payment", action=END_SESSION):
        states = Sender().states("registrations", registration)
    stored = Payment.objects.count()
    Sender().post("units", factories.UnitRecord())  # whoever comes next

    assert (states, stored) == (["NEW"], 0)
    assert Payment.objects.count() == 3
    assert replay()[0] == 0


@contextmanager
def numbered():
    """The sequence tries, whose numbers no rollback takes back."""
    execute("CREATE SEQUENCE tries")
    try:
        yield
    finally:
        execute("DROP SEQUENCE tries")


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


@pytest.mark.postgresql
def test_who_falls_silent_in_its_turn_loses_it(tenant, settings, monkeypatch):
    # As when the host of a worker vanishes: for PostgreSQL the connection is there for hours.
    settings.BTEC_LOCK_SECONDS = 1
    monkeypatch.setattr(turns, "SILENT_SECONDS", 1)
    has_turn, silence = threading.Event(), threading.Event()

    def fall_silent() -> None:
        with suppress(DatabaseError), transaction.atomic():
            take_turn(tenant)
            has_turn.set()
            silence.wait(20)
        connection.close()

    silent = threading.Thread(target=fall_silent)
    silent.start()
    has_turn.wait(20)
    began = time.monotonic()
    try:
        while Sender().post("units", factories.UnitRecord(id="u")).status_code != 200:
            assert time.monotonic() - began < 5
    finally:
        silence.set()
        silent.join()

    assert Unit.objects.count() == 1


@pytest.mark.postgresql
def test_who_falls_silent_once_a_request_is_stored_holds_up_no_migration(tenant, monkeypatch):
    create, stored, silence = writing.create, threading.Event(), threading.Event()

    def create_and_wait(instance):
        create(instance)
        stored.set()
        silence.wait(20)

    def fall_silent() -> None:
        receive(tenant, "units", factories.UnitRecord(id="u"))
        connection.close()

    monkeypatch.setattr(writing, "create", create_and_wait)
    silent = threading.Thread(target=fall_silent)
    silent.start()
    stored.wait(20)
    try:
        with transaction.atomic():
            execute("SET LOCAL lock_timeout = '1s'")
            execute("LOCK TABLE btec_sync_delivery IN ACCESS EXCLUSIVE MODE")
    finally:
        silence.set()
        silent.join()

    assert Delivery.objects.count() == 1


@pytest.mark.postgresql
def test_postgresql_looks_after_a_worker_that_has_the_turn(tenant):
    with transaction.atomic():
        take_turn(tenant)
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('tcp_keepalives_idle'), inet_server_addr()")
            [(in_turn, address)] = cursor.fetchall()
    with connection.cursor() as cursor:
        cursor.execute("SHOW tcp_keepalives_idle")
        [(later,)] = cursor.fetchall()

    if address is None:
        pytest.skip("only TCP has keepalives")
    assert in_turn == "5"
    assert later != "5"


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
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
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
