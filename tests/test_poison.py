"""Records that the database refuses: ERROR for them alone, their neighbours are stored."""

import pytest
from django.db import connection

from btec_sync.models import Delivery
from tests import factories
from tests.triggers import refusing
from units.models import Unit


def batch(size: int, poisoned: set[int]) -> list[dict]:
    return [
        factories.UnitRecord(id=f"u{n}", Unit_Name="poison" if n in poisoned else "good") for n in range(size)
    ]


def test_a_refused_record_is_an_error_and_its_neighbours_are_stored(sender):
    with refusing("NEW.unit_name = 'poison'"):
        response = sender.post("units", *batch(5, {1, 3}))

    answer = response.json()
    assert [r["status"] for r in answer["results"]] == ["NEW", "ERROR", "NEW", "ERROR", "NEW"]
    assert [r["zoho_unit_id"] for r in answer["results"]] == ["u0", "u1", "u2", "u3", "u4"]
    assert answer["status"] == "partial"
    assert b"Ahmed" not in response.content
    assert "u1: " in Delivery.objects.get().traceback
    assert "Ahmed" in Delivery.objects.get().traceback
    assert set(Unit.objects.values_list("zoho_id", flat=True)) == {"u0", "u2", "u4"}


def test_once_it_is_mended_a_replay_ends_in_new(sender, replay):
    with refusing("NEW.unit_name = 'poison'"):
        sender.post("units", *batch(5, {1, 3}))

    status, _ = replay()

    delivery = Delivery.objects.get()
    assert status == 0
    assert (delivery.new, delivery.unchanged, delivery.error) == (2, 3, 0)
    assert Unit.objects.count() == 5


def test_the_same_key_runs_a_delivery_with_an_error_again(sender):
    records = batch(2, {1})
    with refusing("NEW.unit_name = 'poison'"):
        sender.post("units", *records, key="k")

    assert sender.states("units", *records, key="k") == ["UNCHANGED", "NEW"]
    assert sender.post("units", *records, key="k").headers["Idempotent-Replayed"] == "true"


def test_of_the_same_id_twice_the_good_one_stays(sender):
    good, bad = factories.UnitRecord(id="u"), factories.UnitRecord(id="u", Unit_Name="poison")
    with refusing("NEW.unit_name = 'poison'"):
        states = sender.states("units", good, bad, {**good, "Level": "L5"}, bad)

    assert states == ["NEW", "ERROR", "UPDATED", "ERROR"]
    assert Unit.objects.get().level == "L5"


def test_what_says_the_same_as_a_new_record_beside_a_poisoned_one_is_remembered(sender):
    unit = factories.UnitRecord(id="u", Version=5)
    said = [unit, {**unit, "Version": 7}, {**unit, "Version": 8, "Unit_Name": "poison"}]
    with refusing("NEW.unit_name = 'poison'"):
        states = sender.states("units", *said)

    assert states == ["NEW", "UNCHANGED", "ERROR"]
    assert Unit.objects.get().version == 7
    assert sender.states("units", {**unit, "Version": 6, "Unit_Name": "old"}) == ["UNCHANGED"]


def test_what_a_later_record_of_the_batch_replaces_never_meets_the_database(sender):
    bad = factories.UnitRecord(id="u", Unit_Name="poison")
    with refusing("NEW.unit_name = 'poison'"):
        states = sender.states("units", bad, {**bad, "Unit_Name": "good"})

    assert states == ["NEW", "UPDATED"]
    assert Unit.objects.get().unit_name == "good"


def test_a_refused_update_leaves_what_was_stored(sender):
    sender.post("units", factories.UnitRecord(id="u", Unit_Name="good"))
    with refusing("NEW.unit_name = 'poison'"):
        states = sender.states("units", factories.UnitRecord(id="u", Unit_Name="poison"))

    assert states == ["ERROR"]
    assert Unit.objects.get().unit_name == "good"


@pytest.mark.parametrize(("poisoned", "most"), [(1, 120), (10, 600), (500, 8_000)])
def test_poison_is_found_in_a_bounded_number_of_statements(
    sender, poisoned, most, django_assert_max_num_queries
):
    bad = set(range(0, 1_000, 1_000 // poisoned))

    with refusing("NEW.unit_name = 'poison'"), django_assert_max_num_queries(most):
        states = sender.states("units", *batch(1_000, bad))

    assert [n for n, state in enumerate(states) if state == "ERROR"] == sorted(bad)
    assert Unit.objects.count() == 1_000 - poisoned


@pytest.mark.postgresql
def test_a_cancelled_statement_is_an_error_of_its_record_alone(sender):
    with refusing("NEW.unit_name = 'poison' AND pg_cancel_backend(pg_backend_pid())"):
        states = sender.states("units", *batch(3, {1}))

    assert states == ["NEW", "ERROR", "NEW"]


@pytest.mark.postgresql
def test_a_limit_that_one_row_exceeds_is_an_error_of_that_row(sender, replay):
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX too_small ON units_unit (description)")
    long_text = "".join(chr(0x4E00 + n % 20_000) for n in range(0, 32_000 * 7, 7))

    states = sender.states(
        "units", factories.UnitRecord(), factories.UnitRecord(Description=long_text), factories.UnitRecord()
    )

    assert states == ["NEW", "ERROR", "NEW"]


@pytest.mark.postgresql
def test_a_table_that_is_broken_is_no_records_fault(sender):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE units_unit RENAME COLUMN level TO gone")

    response = sender.post("units", factories.UnitRecord())

    assert (response.status_code, response.json()["code"]) == (500, "processing_failed")
    assert Delivery.objects.get().state == "failed"
