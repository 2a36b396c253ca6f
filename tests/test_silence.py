"""Who falls silent in the middle of a request, or vanishes, holds up nobody for long."""

import threading
import time
from contextlib import suppress

import pytest
from django.db import DatabaseError, connection, transaction

from btec_sync import turns, writing
from btec_sync.models import Delivery
from btec_sync.turns import take_turn
from tests import factories
from tests.api import Sender, receive
from tests.triggers import execute
from units.models import Unit

pytestmark = [pytest.mark.usefixtures("committed"), pytest.mark.postgresql]


@pytest.fixture
def tenant(committed):
    return factories.TenantFactory()


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
