"""The fast way of reading records says exactly what DRF's way says, whatever comes."""

import copy
import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rest_framework import serializers

from btec_sync import fields, wire
from btec_sync.serializers import RecordSerializer
from btec_sync.services import services
from tests.conftest import payload
from tests.factories import RECORDS

pytestmark = pytest.mark.once

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=100)
SERIALIZERS = {name: service.serializer_class for name, service in services().items()}

# What stands near a border of some rule.
texts = st.sampled_from(
    [
        *(
            "",
            " ",
            "x",
            " x",
            "x ",
            "\u00a0",
            "x\u00a0",
            "a\tb\n",
            "\x85",
            "a\x00",
            "\x7f",
            "\ud800",
            "a\u2028b",
        ),
        *("null", "NULL", "undefined", "${Deals.Id}", "reg_1", "a b", "أحمد", "x" * 64, "x" * 65, "x" * 255),
        *("x" * 256, "y" * 32_000, "y" * 32_001, "2026-01-20", "2026-02-30", "0001-01-01", "2026-1-1"),
        *("20260120", "٢٠٢٦-٠١-٢٠", "2026-01-15T11:15:13+04:00", "2026-01-15T11:15:13Z"),
        *("2026-01-15T24:00:00Z", "2026-01-15T11:15:13", "0001-01-01T00:00:00+04:00"),
        *("0001-01-02T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-15T11:15:13.1234567Z"),
        *("2026-01-15T11:15:13+24:00", "2026-01-15 11:15:13Z"),
    ]
) | st.text(max_size=5)
numbers = (
    st.sampled_from([0, -0, 1, -1, 100, 101, 9999, 2**63 - 1, 2**63, 10**10])
    | st.sampled_from(["0.0", "-0.0", "-0.00", "5e2", "1E-2", "1e-3", "500.00", "500.010", "500.001"]).map(
        Decimal
    )
    | st.sampled_from(["9999999999.99", "9999999999.991", "1e100", "1e-100", "100.00", "100.01"]).map(Decimal)
    | st.just(wire.HugeNumber())
    | st.decimals(0, 200, places=3)
    | st.integers()
)
scalars = texts | numbers | st.none() | st.booleans()
objects = st.fixed_dictionaries({}, optional={"id": scalars, "name": scalars, "module": scalars})
values = scalars | objects | st.lists(scalars, max_size=2)


@st.composite
def records(draw, module: str):
    """A good record with some keys replaced, left out or added."""
    record = copy.deepcopy(dict(RECORDS[module]()))
    for name in draw(st.lists(st.sampled_from(list(SERIALIZERS[module]._declared_fields)), max_size=4)):
        record[name] = draw(values)
    for name in draw(st.lists(st.sampled_from(["id", *record]), max_size=1)):
        record.pop(name, None)
    more = st.sampled_from(["Owner", "$approved", "Locked__s", "Name", "amount", "", "__s", "$"]) | texts
    return record | {name: draw(values) for name in draw(st.lists(more, max_size=2))}


def told(parsed) -> str:
    """All of it, with the types: 0 is not -0.00 here, and True is not 1."""
    return repr(parsed)


@pytest.mark.parametrize("ignore_unknown", [False, True])
@pytest.mark.parametrize("module", SERIALIZERS)
def test_both_ways_agree_on_every_record(module, ignore_unknown):
    serializer = SERIALIZERS[module]()

    @UNHURRIED
    @given(records(module))
    def agree(record):
        expected = serializer._slow(record, ignore_unknown)

        assert told(serializer.parse(record, ignore_unknown=ignore_unknown)) == told(expected)

    agree()


KINDS = [
    *(fields.Id("x"), fields.Lookup("x"), fields.Lookup("x", required=False)),
    *(
        fields.Text("x"),
        fields.Text("x", required=False),
        fields.Text("x", max_length=32_000, required=False),
    ),
    *(fields.Money("x"), fields.Number("x", maximum="100", required=False)),
    *(fields.Integer("x", required=False), fields.Date("x"), fields.Timestamp("x", required=False)),
]


@UNHURRIED
@given(st.sampled_from(KINDS), values.filter(lambda value: value is not None))
@example(fields.Number("x", maximum="100"), Decimal("-0.0"))
@example(fields.Text("x", required=False), "")
@example(fields.Lookup("x"), {"id": "a", "name": True})
def test_both_ways_agree_on_every_value(field, value):
    try:
        expected = field.run_validation(value)
    except serializers.ValidationError:
        expected = fields.MISS

    assert repr(field.fast(value)) == repr(expected)


@pytest.mark.parametrize("module", SERIALIZERS)
def test_good_records_take_the_fast_way(module):
    example = {"students": "student", "programs": "program", "units": "unit", "grades": "grade"}
    example |= {"registrations": "registration", "payments": "payment"}
    record = wire.loads(json.dumps(payload(example[module])).encode())
    dragged_along = {"Owner": {"id": "1"}, "$approved": True, "Locked__s": False, "Version": 3}

    assert SERIALIZERS[module]()._fast({**record, **dragged_along}, False) is not None


class Even(fields.Integer):
    """An integer with a rule that its parent's fast way does not know."""

    def parse(self, value):
        return super().parse(value) if value % 2 == 0 else self.fail("out_of_range")


def test_a_field_with_rules_of_its_own_keeps_them():
    class Counted(RecordSerializer):
        Count = Even("count")

    good = Counted().parse({"id": "a", "Count": 2}, ignore_unknown=False)
    bad = Counted().parse({"id": "a", "Count": 3}, ignore_unknown=False)

    assert good.values["count"] == 2
    assert [(error.field, error.code) for error in bad.errors] == [("Count", "out_of_range")]


def test_a_serializer_with_rules_of_its_own_keeps_them():
    class Guarded(RecordSerializer):
        Note = fields.Text("note")

        def validate_Note(self, value):
            raise serializers.ValidationError("never", code="never")

    parsed = Guarded().parse({"id": "a", "Note": "x"}, ignore_unknown=False)

    assert [(error.field, error.code) for error in parsed.errors] == [("Note", "never")]
