"""manage.py replay: runs what was stored again, and loses nothing."""

import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.db.models import F
from django.utils import timezone

from btec_sync import arrivals, deliveries, parking
from btec_sync.models import Delivery, IdempotencyKey, RecordResult, SyncedRecord, Tenant
from btec_sync.replay import replay as replay_all
from btec_sync.services import SyncService, services
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.api import Sender, receive
from tests.conftest import payload
from units.models import Unit


def snapshot() -> dict[str, list[dict]]:
    """Every mirrored record with what orders it; the primary keys and our own clock's times left out."""
    tables = {}
    for module, service in services().items():
        model = service.model
        lookups = {f"{name}_zoho": F(f"{name}__zoho_id") for name in service.dependencies}
        left_out = {"id", "created_at", "updated_at", *service.dependencies}
        names = [f.name for f in model._meta.concrete_fields if f.name not in left_out]
        rows = model.objects.annotate(**lookups).order_by("tenant", "zoho_id")
        tables[module] = list(rows.values(*names, *lookups))
    return tables


@pytest.fixture
def history(sender):
    """Records that changed, came late, twice, stale, parked, invalid and not at all."""
    sender.post("payments", payload("payment"))
    sender.post("registrations", {**payload("registration"), "id": "reg_456"})
    sender.post("grades", payload("grade"), key="g")
    sender.post("students", payload("student"))
    sender.post("students", {**payload("student"), "Phone": "1"}, key="s")
    sender.post("programs", payload("program"))
    sender.post(
        "programs", {**payload("program"), "Program_Price": 1, "Modified_Time": "2026-02-01T00:00:00Z"}
    )
    sender.post(
        "programs", {**payload("program"), "Program_Price": 2, "Modified_Time": "2026-01-01T00:00:00Z"}
    )
    sender.post("units", {**payload("unit"), "Version": 2}, {**payload("unit"), "Version": 1, "Level": "L9"})
    sender.post("units", payload("unit"), {**payload("unit"), "Level": "L4"}, payload("unit"))
    sender.post("units", {"id": "broken"}, factories.UnitRecord(id="fine"))
    sender.post_body("units", "not json")
    sender.post("students", payload("student"))
    sender.post("students", {**payload("student"), "Phone": "1"}, key="s")
    sender.post("payments", {**payload("payment"), "Amount": 750.5})
    sender.post("payments", factories.PaymentRecord(id="orphan", Registration={"id": "nowhere"}))


def test_replaying_everything_changes_nothing(history, replay):
    before = snapshot()
    written = {s: list(s.model.objects.values_list("updated_at", flat=True)) for s in services().values()}
    changes = RecordResult.objects.filter(state__in=["NEW", "UPDATED"]).count()

    status, output = replay("--all")

    assert snapshot() == before
    assert RecordResult.objects.filter(state__in=["NEW", "UPDATED"]).count() == changes
    for service, times in written.items():
        assert list(service.model.objects.values_list("updated_at", flat=True)) == times
    assert status == 1  # what is broken, parked or no JSON still is
    assert "are not done" in output


def test_an_empty_copy_with_only_the_deliveries_is_rebuilt_to_the_same_tables(history, replay):
    before = snapshot()
    for service in reversed(services().values()):
        service.model.objects.all().delete()
    RecordResult.objects.all().delete()
    IdempotencyKey.objects.all().delete()

    replay("--all")

    assert snapshot() == before
    assert len(before["payments"]) == 1
    assert before["payments"][0]["amount"] == 750.5


def test_without_arguments_it_takes_what_is_not_done(history, replay):
    attempts = dict(Delivery.objects.values_list("pk", "attempts"))
    states = dict(Delivery.objects.values_list("pk", "state"))

    replay()

    for pk, state in states.items():
        expected = attempts[pk] + (state in ("incomplete", "failed", "received"))
        assert Delivery.objects.get(pk=pk).attempts == expected


def test_what_was_stored_but_never_processed_is_finished(sender, parents, replay):
    tenant = factories.TenantFactory()
    delivery = receive(tenant, "units", factories.UnitRecord(id="late", Unit_Name="Late"))

    status, output = replay()

    delivery.refresh_from_db()
    assert (status, delivery.state, delivery.new) == (0, "done", 1)
    assert Unit.objects.get(zoho_id="late").unit_name == "Late"
    assert "The delivery is done." in output


def test_an_old_delivery_never_rolls_newer_data_back(sender, replay):
    old = sender.post("units", factories.UnitRecord(id="u", Unit_Name="old")).json()["delivery_id"]
    sender.post("units", factories.UnitRecord(id="u", Unit_Name="new"))

    status, _ = replay(old)

    assert status == 0
    assert Unit.objects.get(zoho_id="u").unit_name == "new"


def test_an_unchanged_delivery_counts_as_the_newest_that_spoke(sender, tenant, replay):
    unit = factories.UnitRecord(id="u", Unit_Name="A")
    sender.post("units", unit)
    receive(tenant, "units", {**unit, "Unit_Name": "B"})  # stored, and left there by a crash
    assert sender.states("units", unit) == ["UNCHANGED"]

    status, _ = replay()

    assert status == 0
    assert Unit.objects.get(zoho_id="u").unit_name == "A"


def test_a_clock_set_back_makes_nothing_older(sender, tenant):
    unit = factories.UnitRecord(id="u", Unit_Name="earlier")
    sender.post("units", unit)
    later = receive(tenant, "units", {**unit, "Unit_Name": "later"})
    later.received_at -= timedelta(hours=6)
    later.save()

    deliveries.process(later)

    assert Unit.objects.get().unit_name == "later"


@pytest.mark.parametrize("marks", [{"Modified_Time": "2026-01-01T00:00:00Z"}, {"Version": 1}], ids=str)
def test_of_equal_marks_the_later_arrival_wins_whenever_it_is_processed(sender, tenant, replay, marks):
    unit = factories.UnitRecord(id="u", **marks)
    receive(tenant, "units", {**unit, "Unit_Name": "earlier"})
    sender.post("units", {**unit, "Unit_Name": "later"})

    status, _ = replay()

    assert status == 0
    assert Unit.objects.get(zoho_id="u").unit_name == "later"
    assert sender.states("units", {**unit, "Unit_Name": "latest"}) == ["UPDATED"]


def test_a_dry_run_shows_the_table_and_changes_nothing(sender, replay):
    sender.post("payments", payload("payment"))
    tenant = factories.TenantFactory()
    for module, name in (("students", "student"), ("programs", "program")):
        receive(tenant, module, payload(name))
    before = list(Delivery.objects.order_by("pk").values())

    status, output = replay("--dry-run")

    assert list(Delivery.objects.order_by("pk").values()) == before
    assert snapshot()["students"] == []
    assert "nothing was changed" in output
    assert status == 1
    rows = {line.split()[0]: line.split()[1:] for line in output.splitlines() if len(line.split()) == 3}
    assert rows["NEW"] == ["0", "2"]
    assert rows["received"] == ["2", "0"]


def test_children_in_the_same_run_find_their_parents(sender, replay):
    tenant = factories.TenantFactory()
    for module, record in (
        ("payments", payload("payment")),
        ("registrations", {**payload("registration"), "id": "reg_456"}),
        ("programs", payload("program")),
        ("students", payload("student")),
    ):
        receive(tenant, module, record)

    status, _ = replay()

    assert status == 0
    assert (Payment.objects.count(), Registration.objects.count()) == (1, 1)
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}


def test_it_can_be_narrowed_down(sender, replay):
    other = factories.TenantFactory(slug="other")
    sender.post("units", factories.UnitRecord())
    sender.post("students", factories.StudentRecord())
    Sender(other.slug).post("units", factories.UnitRecord())
    Delivery.objects.filter(module="students").update(received_at=timezone.now() - timedelta(days=2))

    def replayed(*arguments):
        Delivery.objects.update(attempts=1)
        replay("--all", *arguments)
        again = Delivery.objects.filter(attempts=2).order_by("pk")
        return [(d.tenant.slug, d.module) for d in again]

    yesterday = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert replayed("--tenant", "other") == [("other", "units")]
    assert replayed("--module", "students") == [("default", "students")]
    assert replayed("--since", yesterday) == [("default", "units"), ("other", "units")]
    assert replayed("--until", yesterday) == [("default", "students")]
    assert replayed("--limit", "2") == [("default", "units"), ("default", "students")]
    assert replayed("--state", "failed") == []


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["nonsense"], "nonsense"),
        ([str(uuid.UUID(int=1))], "no such delivery"),
        (["--tenant", "nobody"], "nobody"),
        (["--since", "yesterday"], "--since"),
        (["--until", "2026-13-45"], "--until"),
        (["--since", "2026-01-16", "--until", "2026-01-15"], "--since is not before --until"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_wrong_use_is_named_and_ends_with_2(replay, arguments, names):
    status, message = replay(*arguments)

    assert status == 2
    assert names in message


def test_every_mirrored_model_is_in_the_snapshot():
    mirrored = {model for model in apps.get_models() if issubclass(model, SyncedRecord)}

    assert {service.model for service in services().values()} == mirrored


@pytest.mark.parametrize(
    ("arguments", "stored"),
    [
        ([], True),
        (["--state", "received", "--state", "failed"], True),
        (["--tenant", "default", "--state", "failed"], True),
        (["--tenant", "north", "--state", "failed"], False),
    ],
)
def test_what_a_crash_left_ready_goes_on_with_the_nightly_replay(
    sender, replay, monkeypatch, arguments, stored
):
    factories.TenantFactory(slug="north")
    sender.post("programs", payload("program"))
    sender.post("registrations", payload("registration"))
    with monkeypatch.context() as crash:
        crash.setattr(parking, "release", lambda tenant, enough=None: True)
        sender.post("students", payload("student"))
    assert not Registration.objects.exists()

    replay(*arguments)

    assert Registration.objects.exists() == stored


def test_a_delivery_that_is_pruned_meanwhile_stops_no_replay(sender, tenant, monkeypatch):
    first, second = (receive(tenant, "units", factories.UnitRecord(id=one)) for one in "uv")
    take_turn = deliveries.take_turn

    def prune(*arguments):
        Delivery.objects.filter(pk=first.pk).delete()
        return take_turn(*arguments)

    monkeypatch.setattr(deliveries, "take_turn", prune)
    replayed = list(replay_all([first.pk, second.pk, first.pk]))

    assert [delivery.uid for delivery in replayed] == [first.uid, second.uid]
    assert Unit.objects.get().zoho_id == "v"


def test_a_sender_that_contradicts_itself_is_not_decided_anew(sender, replay):
    """By Version the second is older than the first, by Modified_Time newer than the third."""
    unit = factories.UnitRecord(id="u")
    sender.post("units", {**unit, "Unit_Name": "A", "Version": 2})
    sender.post("units", {**unit, "Unit_Name": "B", "Version": 1, "Modified_Time": "2026-01-02T00:00:00Z"})
    sender.post("units", {**unit, "Unit_Name": "C", "Modified_Time": "2026-01-01T00:00:00Z"})

    status, _ = replay("--all")

    assert status == 0
    assert Unit.objects.get().unit_name == "C"
    assert not RecordResult.objects.filter(attempt=2).exists()


UNIT = {"Unit_Code": "U", "Status": "Active", "id": "u"}
FIRST, SECOND = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("stored", "late", "stale"),
    [
        ({"Modified_Time": SECOND}, {}, {"Modified_Time": FIRST}),
        (
            {"Modified_Time": FIRST, "Version": 5},
            {"Modified_Time": SECOND},
            {"Version": 4},
        ),
    ],
    ids=["late without marks", "late with other marks"],
)
def test_what_was_stale_once_stays_so_whatever_comes_late(sender, tenant, replay, stored, late, stale):
    """The sender marks its records now so, now so; the late one was stored, and left there by a crash."""
    sender.post("units", {**UNIT, "Unit_Name": "A", **stored})
    receive(tenant, "units", {**UNIT, "Unit_Name": "late", **late})
    assert sender.states("units", {**UNIT, "Unit_Name": "stale", **stale}) == ["UNCHANGED"]
    replay()
    before = Unit.objects.values().get()

    replay("--all")

    assert Unit.objects.values().get() == before
    assert before["unit_name"] != "stale"


def test_a_parked_record_released_late_does_not_overtake_one_without_marks(sender, parents):
    payment = factories.PaymentRecord(id="p")
    sender.post("payments", {**payment, "Amount": 1, "Modified_Time": "2026-01-01T00:00:00Z"})
    late = {**payment, "Registration": {"id": "late"}, "Amount": 2, "Modified_Time": "2026-01-02T00:00:00Z"}
    sender.post("payments", late)
    sender.post("payments", {**payment, "Amount": 3})

    sender.post("registrations", factories.RegistrationRecord(id="late"))

    assert Payment.objects.get().amount == 3


def test_what_was_accepted_once_is_not_refused_when_the_limit_is_lowered(sender, settings, replay):
    registrations = [factories.RegistrationRecord(id=f"r{n}") for n in range(3)]
    sender.post("programs", payload("program"))
    sender.post("registrations", *registrations)
    settings.BTEC_MAX_BATCH = 2

    sender.post("students", payload("student"))
    status, _ = replay("--all")

    assert Registration.objects.count() == 3
    assert status == 0
    assert sender.post("registrations", *registrations).status_code == 413


def test_a_crash_is_kept_whatever_its_message_holds(sender, monkeypatch, replay):
    def crash(*args):
        raise RuntimeError("a\0b\ud800c")

    with monkeypatch.context() as patch:
        patch.setattr(SyncService, "compare", crash)
        response = sender.post("units", factories.UnitRecord())

    assert response.json()["code"] == "processing_failed"
    assert "a\\0b\\ud800c" in Delivery.objects.get().traceback
    assert replay()[0] == 0


def test_a_replay_of_one_tenant_leaves_the_others_alone(sender, replay):
    other = Sender(factories.TenantFactory(slug="other").slug)
    other.post("programs", payload("program"))
    other.post("registrations", payload("registration"))
    other.post("students", payload("student"))
    Registration.objects.all().delete()
    parked = RecordResult.objects.filter(tenant__slug="other", zoho_id="reg_123", attempt=1)
    parked.update(current=True)
    arrivals.add(Tenant.objects.get(slug="other"), "students", parked.values_list("waits_for_id", flat=True))

    replay("--tenant", "default")
    untouched = Registration.objects.count()
    replay("--tenant", "other", "--all")

    assert untouched == 0
    assert Registration.objects.count() == 1
