"""manage.py prune: what is old goes, what is unfinished stays."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.utils import timezone

from btec_sync import deliveries, retention
from btec_sync.models import Delivery, IdempotencyKey, RecordResult
from tests import factories
from tests.api import Sender, receive
from tests.conftest import payload
from tests.pruning import age, prune, removed
from units.models import Unit


def test_an_old_body_and_its_answer_go_and_the_rest_stays(sender):
    sender.post("units", payload("unit"))
    age(91)
    sender.post("units", {**payload("unit"), "Level": "L9"})

    output = prune()

    old, new = Delivery.objects.order_by("pk")
    assert (bytes(old.body), bytes(old.answer)) == (b"", b"")
    assert old.body_removed_at is not None
    assert (old.state, old.new) == ("done", 1)
    assert RecordResult.objects.filter(delivery=old).count() == 1
    assert new.body_removed_at is None
    assert bytes(new.body)
    assert removed(output) == {
        "idempotency keys": 0,
        "bodies and answers": 1,
        "results": 0,
        "deliveries": 0,
        "expired sessions": 0,
        "login attempts": 0,
    }


def test_after_the_history_nothing_is_left_but_the_record(sender):
    sender.post("units", payload("unit"), key="k")
    age(731)

    output = prune()

    assert not Delivery.objects.exists()
    assert not RecordResult.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert Unit.objects.get().level == payload("unit")["Level"]
    assert removed(output) == {
        "idempotency keys": 1,
        "bodies and answers": 1,
        "results": 1,
        "deliveries": 1,
        "expired sessions": 0,
        "login attempts": 0,
    }


def test_a_dry_run_counts_the_same_and_changes_nothing(sender, parents):
    sender.post("units", payload("unit"), key="k")
    sender.post("payments", {"id": "broken"})
    age(731)
    before = list(Delivery.objects.values()), list(RecordResult.objects.values())

    told = prune("--dry-run")

    assert (list(Delivery.objects.values()), list(RecordResult.objects.values())) == before
    assert IdempotencyKey.objects.count() == 1
    assert removed(told) == removed(prune())


@pytest.fixture
def unfinished(sender, tenant):
    """A delivery that was only received, one that crashed and one with a parked record."""
    receive(tenant, "units", payload("unit"))
    crashed = receive(tenant, "units", factories.UnitRecord())
    Delivery.objects.filter(pk=crashed.pk).update(state="failed", traceback="boom")
    sender.post("payments", payload("payment"))


def test_what_is_unfinished_stays_however_old_it_is(unfinished):
    age(10_000)

    output = prune()

    assert Delivery.objects.count() == 3
    assert all(bytes(delivery.body) for delivery in Delivery.objects.all())
    assert RecordResult.objects.filter(current=True).exclude(waits_for_id="").count() == 1
    assert "Kept with their bodies, as they are unfinished: 3 old deliveries." in output


def test_what_was_unfinished_is_still_finished_after_a_prune(unfinished, sender, parents, replay):
    age(10_000)
    prune()

    replay("--state", "received", "--state", "failed")

    assert Unit.objects.filter(zoho_id=payload("unit")["id"]).exists()
    assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()
    assert {d.state for d in Delivery.objects.all()} == {"done"}


def test_a_delivery_with_an_error_stays(sender):
    sender.post("units", payload("unit"))
    Delivery.objects.update(state="incomplete", error=1)
    age(10_000)

    prune()

    assert bytes(Delivery.objects.get().body)


def test_what_is_only_invalid_or_rejected_is_finished(sender):
    sender.post("units", {"id": "broken"})
    sender.post_body("units", "not json")
    age(91)

    prune()

    assert [bytes(d.body) for d in Delivery.objects.all()] == [b"", b""]
    age(700)
    prune()
    assert not Delivery.objects.exists()


def test_the_first_of_the_same_bytes_goes_and_the_hint_at_it_with_it(sender):
    sender.post("units", payload("unit"))
    age(731)
    sender.post("units", payload("unit"))

    prune()

    assert Delivery.objects.get().duplicate_of is None


def test_a_repeat_keeps_what_it_repeats(sender, settings):
    settings.BTEC_IDEMPOTENCY_HOURS = 72
    sender.post("units", payload("unit"), key="k")
    age(2)
    sender.post("units", payload("unit"), key="k")
    age(729)

    prune()
    first, repeat = Delivery.objects.order_by("pk")
    assert repeat.repeats == first

    age(2)
    prune()
    assert not Delivery.objects.exists()


@pytest.fixture
def crashed_repeat(sender):
    """A, then A again under its key, B; B is replayed and crashes once the key stands for something else."""
    sender.post("units", payload("unit"), key="k")
    sender.post("units", payload("unit"), key="k")
    age(4)
    sender.post("units", factories.UnitRecord(), key="k")
    first, repeat, _ = Delivery.objects.order_by("pk")
    Delivery.objects.filter(pk=repeat.pk).update(state="failed", traceback="boom")
    return first, repeat


def test_a_crashed_repeat_keeps_what_it_repeats_and_its_answer(crashed_repeat, replay):
    first, repeat = crashed_repeat
    age(10_000)
    told = prune("--dry-run")

    output = prune()

    assert set(Delivery.objects.filter(pk__in=[first.pk, repeat.pk])) == {first, repeat}
    assert bytes(Delivery.objects.get(pk=first.pk).answer) == bytes(first.answer)
    assert removed(told) == removed(output)
    replay("--state", "failed")
    assert removed(prune())["deliveries"] == 3
    assert not Delivery.objects.exists()


def test_a_crashed_repeat_keeps_what_it_repeats_though_its_body_is_gone(crashed_repeat):
    first, repeat = crashed_repeat
    Delivery.objects.filter(pk=first.pk).update(body=b"", answer=b"", body_removed_at=timezone.now())
    age(10_000)
    told = prune("--dry-run")

    output = prune()

    assert set(Delivery.objects.filter(pk__in=[first.pk, repeat.pk])) == {first, repeat}
    assert removed(told) == removed(output)


def test_many_repeats_go_piece_by_piece_before_what_they_repeat(sender, tenant, monkeypatch):
    monkeypatch.setattr(retention, "PIECE", 2)
    for _ in range(6):
        sender.post("units", payload("unit"), key="k")
    age(800)
    told = prune("--dry-run")

    pieces = [piece for kind in retention.KINDS for piece in retention.prune(tenant, kind, timezone.now())]

    assert [rows for name, rows in pieces if name == "deliveries"] == [2, 2, 1, 1]
    assert not Delivery.objects.exists()
    assert removed(told)["deliveries"] == 6


def test_one_tenants_trouble_leaves_the_others_to_be_pruned(db, monkeypatch, log_lines):
    for slug in ("amman", "zarqa"):
        Sender(factories.TenantFactory(slug=slug).slug).post("units", payload("unit"))
    age(800)
    prune_one = retention.prune

    def refusing(tenant, kind, now):
        if tenant.slug == "amman":
            raise IntegrityError("a row of somebody's")
        return prune_one(tenant, kind, now)

    monkeypatch.setattr(retention, "prune", refusing)
    output = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("prune", stdout=output)

    assert end.value.code == 1
    assert [delivery.tenant.slug for delivery in Delivery.objects.all()] == ["amman"]
    assert "Refused by the database (IntegrityError): amman." in output.getvalue()
    assert removed(output.getvalue())["deliveries"] == 1
    (line,) = [line for line in log_lines() if line["event"] == "not pruned"]
    assert (line["tenant"], line["error"]) == ("amman", "IntegrityError")
    assert "somebody" not in str(line)


def test_a_key_lives_its_hours(sender):
    sender.post("units", payload("unit"), key="k")
    age(2.9)
    prune()
    assert IdempotencyKey.objects.count() == 1

    age(0.2)
    prune()

    assert not IdempotencyKey.objects.exists()


def test_a_key_that_a_waiting_delivery_will_ask_for_stays(sender, tenant, replay):
    """A, then A again under the same key left unprocessed, then B: pruned and replayed, B must stand."""
    sender.post("units", payload("unit"), key="k")
    sender.post("units", factories.UnitRecord(), key="that nobody waits for")
    repeat = receive(tenant, "units", payload("unit"))
    Delivery.objects.filter(pk=repeat.pk).update(headers={**repeat.headers, "Idempotency-Key": "k"})
    sender.post("units", {**payload("unit"), "Level": "L9"})
    age(30)

    prune()
    replay("--state", "received")

    assert IdempotencyKey.objects.get().key == "k"
    assert Delivery.objects.get(pk=repeat.pk).repeats is not None
    assert Unit.objects.get(zoho_id=payload("unit")["id"]).level == "L9"


def test_a_key_that_is_known_keeps_the_answer_that_it_is_to_get(sender, settings):
    settings.BTEC_IDEMPOTENCY_HOURS = 8_784
    first = sender.post("units", payload("unit"), key="k")
    age(100)

    prune()
    again = sender.post("units", payload("unit"), key="k")

    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"


def test_newer_data_stands_and_order_is_kept_after_the_delivery_is_gone(sender, tenant):
    late = receive(tenant, "units", {**payload("unit"), "Level": "late"})
    sender.post("units", payload("unit"))
    Delivery.objects.exclude(pk=late.pk).update(received_at=timezone.now() - timedelta(days=800))
    prune()

    deliveries.process(late)

    assert Delivery.objects.count() == 1
    assert Unit.objects.get().level == payload("unit")["Level"]


def test_other_tenants_keep_theirs_when_one_is_named(sender):
    other = Sender(factories.TenantFactory(slug="other").slug)
    sender.post("units", payload("unit"))
    other.post("units", payload("unit"))
    age(800)

    prune("--tenant", "other")

    assert [d.tenant.slug for d in Delivery.objects.all()] == ["default"]


def test_an_unknown_tenant_is_wrong_use(tenant):
    with pytest.raises(CommandError, match="nobody") as error:
        prune("--tenant", "nobody")

    assert error.value.returncode == 2


def test_more_than_a_piece_goes_piece_by_piece_past_what_stays(sender, tenant, monkeypatch):
    monkeypatch.setattr(retention, "PIECE", 2)
    for n in range(5):
        sender.post("units", *(factories.UnitRecord(id=f"u{n}_{m}") for m in range(3)))
        receive(tenant, "units", factories.UnitRecord())
    for _ in range(5):
        sender.post("units", payload("unit"))
    age(800)

    output = prune()

    assert set(Delivery.objects.values_list("state", flat=True)) == {"received"}
    assert removed(output) == {
        "idempotency keys": 0,
        "bodies and answers": 10,
        "results": 16,
        "deliveries": 10,
        "expired sessions": 0,
        "login attempts": 0,
    }


def test_interrupted_it_goes_on_from_there(sender, tenant, monkeypatch):
    monkeypatch.setattr(retention, "PIECE", 2)
    sender.post("units", *(factories.UnitRecord() for _ in range(5)))
    sender.post("units", *(factories.UnitRecord() for _ in range(5)))
    age(800)
    pieces = (piece for kind in retention.KINDS for piece in retention.prune(tenant, kind, timezone.now()))
    for _ in range(3):
        next(pieces)
    assert 0 < RecordResult.objects.count() < 10

    prune()

    assert not RecordResult.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.postgresql
def test_it_reads_by_index_what_is_old(tenant):
    now = timezone.now()
    indexes = ["idempotencykey_age", "delivery_with_body", *["delivery_without_body"] * 2]

    with connection.cursor() as cursor:
        # What the indexes can do, whatever the few rows of a test would make cheaper.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        plans = [
            kind.rows(tenant, now).order_by(kind.age, "pk").values("pk")[: retention.PIECE].explain()
            for kind in retention.KINDS
        ]

    for plan, index in zip(plans, indexes, strict=True):
        assert index in plan
        assert "Sort" not in plan.split(index)[0]
