"""Batches in the database: every value arrives as it was sent, in a number of statements that is fixed."""

import pytest
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from btec_sync import writing
from btec_sync.models import Delivery, RecordResult
from btec_sync.statements import execute
from tests import factories
from units.models import Unit

AWKWARD = [
    *('"', "\\", '\\"', "{}", "{", "}", "a,b", "NULL", "null", "'", "''", "%s", "%", "$1", "x\ty", "x\ny"),
    *("a\\nb", "\u200b x", "أحمد", "😀", '{"a": [1]}', "\\u0041", "\ufeffx", "a\r\nb"),
]


def test_texts_are_stored_as_they_were_sent(sender):
    records = [factories.UnitRecord(Unit_Name=text, Description=text) for text in AWKWARD]

    states = sender.states("units", *records)

    assert set(states) == {"NEW"}
    assert list(Unit.objects.order_by("pk").values_list("unit_name", "description")) == [
        (text, text) for text in AWKWARD
    ]


def test_what_all_rows_of_a_batch_share_is_stored_in_each(sender):
    shared = {"Unit_Name": 'A "unit"', "Description": None, "Credit_Hours": None, "Level": "\\"}
    records = [factories.UnitRecord(**shared) for _ in range(3)]

    sender.post("units", *records)

    columns = ("unit_name", "description", "credit_hours", "level")
    assert list(Unit.objects.values_list(*columns)) == [('A "unit"', "", None, "\\")] * 3
    kept = RecordResult.objects.values_list("state", "message", "errors", "changed_fields")
    assert list(kept) == [("NEW", "Unit created", [], {})] * 3


def test_texts_that_changed_are_kept_as_they_were_and_are(sender):
    records = [factories.UnitRecord(Description=text) for text in AWKWARD]
    sender.post("units", *records)

    sender.post("units", *[{**record, "Description": record["Description"] * 2} for record in records])

    kept = RecordResult.objects.filter(state="UPDATED").order_by("position")
    assert list(kept.values_list("changed_fields", flat=True)) == [
        {"description": [text, text * 2]} for text in AWKWARD
    ]


def test_a_text_that_is_too_long_for_its_column_is_refused_and_not_cut(tenant):
    columns = {"zoho_id": ["x" * 65], "fingerprint": [""], "place": [1], "seen": [1], "description": [""]}
    columns |= {"unit_code": [""], "unit_name": [""], "status": [""], "level": [""], "credit_hours": [None]}
    now = tenant.created_at

    if factories.on_sqlite():
        pytest.skip("SQLite has no lengths; the serializer's are the same")
    with pytest.raises(DataError):
        execute(writing.insert(Unit, columns, {"tenant": tenant.pk, "created_at": now, "updated_at": now}))


@pytest.mark.postgresql
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.none()))
def test_the_text_of_an_array_is_read_back_by_postgresql(db, values):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text[]", [writing.array(values)])

        assert cursor.fetchone() == (values,)


def statements(sender, records) -> int:
    with CaptureQueriesContext(connection) as queries:
        sender.post("payments", *records)
    return len(queries)


def test_a_large_batch_takes_as_many_statements_as_a_small_one(sender, parents):
    few, many = ([factories.PaymentRecord() for _ in range(size)] for size in (2, 300))
    most = 20 if factories.on_sqlite() else 12

    for change in ({}, {}, {"Amount": 1}, {"Registration": {"id": "nowhere"}}):
        few, many = ([{**record, **change} for record in records] for records in (few, many))
        of_few, of_many = statements(sender, few), statements(sender, many)
        # An answer of some size goes by itself.
        assert of_few <= of_many <= min(of_few + 1, most)


def test_an_unchanged_record_is_touched_and_nothing_else_of_it_is_written(sender):
    record = factories.UnitRecord()
    sender.post("units", record)
    before = Unit.objects.values().get()

    sender.post("units", record)

    after = Unit.objects.values().get()
    assert {name for name in before if before[name] != after[name]} == {"place", "seen"}
    assert after["seen"] >> 20 == Delivery.objects.latest("pk").pk


@pytest.mark.parametrize(
    ("change", "state", "changed"), [({}, "UNCHANGED", None), ({"Level": "L9"}, "UPDATED", ["", "L9"])]
)
def test_records_with_an_older_kind_of_fingerprint_are_compared_value_by_value(
    sender, change, state, changed
):
    record = factories.UnitRecord()
    sender.post("units", record)
    now = Unit.objects.get().fingerprint
    Unit.objects.update(fingerprint=f"0:{'0' * 64}")

    [result] = sender.results("units", {**record, **change})

    assert result["status"] == state
    assert result.get("changed_fields", {}).get("level") == changed
    assert (Unit.objects.get().fingerprint == now) is (not change)
    assert Unit.objects.get().fingerprint.startswith("1:")


@pytest.mark.postgresql
def test_a_plan_from_when_a_table_was_small_does_not_read_all_of_it_later(sender):
    def rows_read_one_by_one() -> int:
        cursor.execute(
            "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'btec_sync_delivery'"
        )
        return cursor.fetchone()[0]

    with connection.cursor() as cursor:
        sender.post("units", factories.UnitRecord())
        cursor.execute("ANALYZE btec_sync_delivery")
        # Here the connection makes the plan of the results' foreign key, and keeps it.
        sender.post("units", *[factories.UnitRecord() for _ in range(20)])
        body = {"module": "units", "body": b"", "digest": "", "tenant": Delivery.objects.first().tenant}
        Delivery.objects.bulk_create([Delivery(**body) for _ in range(2_000)])
        before = rows_read_one_by_one()

        sender.post("units", *[factories.UnitRecord() for _ in range(20)])

        assert rows_read_one_by_one() == before


@pytest.mark.postgresql
def test_a_reconciliation_writes_no_index(sender):
    records = [factories.UnitRecord() for _ in range(200)]
    sender.post("units", *records)

    sender.post("units", *records)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'units_unit'"
        )
        assert cursor.fetchone() == (200, 200)
