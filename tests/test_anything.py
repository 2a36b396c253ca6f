"""Whatever JSON can say, as a field, as a record and in a request: values or errors, and soon."""

import json
import time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from btec_sync import fields, wire
from btec_sync.serializers import ParsedRecord
from tests.factories import RECORDS
from tests.parsing import FIELDS, SERIALIZERS, UNHURRIED, read

pytestmark = pytest.mark.once

MONEY = fields.Money("x")

anything_in_strings = st.text(st.characters())  # lone surrogates too, which st.text() leaves out
strings = anything_in_strings | st.sampled_from(["2026-01-15", "2026-01-15T11:15:13Z", "x" * 256, "${x}"])
numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,12})?", fullmatch=True
) | st.integers(1, 6_000).map("9".__mul__)


def array(items: list[str]) -> str:
    return f"[{','.join(items)}]"


def obj(members: dict[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items()) + "}"


json_texts = st.recursive(
    st.sampled_from(["null", "true", "false"]) | numbers | strings.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(array)
        | st.dictionaries(strings, inner, max_size=3).map(obj)
        | st.fixed_dictionaries({"id": inner}, optional={"name": inner}).map(obj)
    ),
    max_leaves=8,
)


def assert_answerable(parsed: ParsedRecord) -> None:
    """Values or errors, and errors that any database stores and any answer holds."""
    assert bool(parsed.errors) != bool(parsed.values)
    for error in parsed.errors:
        for text in (error.field, error.code, error.message):
            assert text.encode().find(b"\0") == -1
        assert len(error.field) <= 200
        assert len(error.message) <= 400
    assert parsed.zoho_id is None or fields.Id.PATTERN.fullmatch(parsed.zoho_id)


def read_anything(text: str):
    try:
        return read(text)
    except wire.NotJSON:  # two spellings of one key
        assume(False)


@settings(UNHURRIED, max_examples=400)
@given(field=st.sampled_from(FIELDS), text=json_texts)
def test_anything_as_any_field_gives_values_or_errors(field, text):
    module, name, _ = field
    record = {**RECORDS[module](), name: read_anything(text)}

    parsed = SERIALIZERS[module]().parse(record, ignore_unknown=False)

    assert_answerable(parsed)


@settings(UNHURRIED, max_examples=200)
@given(module=st.sampled_from(list(SERIALIZERS)), text=json_texts, lax=st.booleans())
def test_anything_as_a_record_gives_values_or_errors(module, text, lax):
    parsed = SERIALIZERS[module]().parse(read_anything(text), ignore_unknown=lax)

    assert_answerable(parsed)


@settings(UNHURRIED, max_examples=200)
@given(module=st.sampled_from(list(SERIALIZERS)), more=st.dictionaries(strings, json_texts, max_size=30))
def test_anything_beside_good_fields_gives_values_or_errors(module, more):
    record = {**read_anything(obj(more)), **RECORDS[module]()}

    parsed = SERIALIZERS[module]().parse(record, ignore_unknown=False)

    assert_answerable(parsed)


@pytest.mark.django_db
@settings(UNHURRIED, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    module=st.sampled_from(list(SERIALIZERS)),
    texts=st.lists(json_texts, min_size=1, max_size=3),
    field=st.sampled_from(FIELDS),
    text=json_texts,
)
def test_anything_that_json_can_say_is_answered_soon(sender, module, texts, field, text):
    good = {name: json.dumps(value) for name, value in RECORDS[field[0]]().items()}
    batches = [(module, texts), (field[0], [obj({**good, field[1]: text})])]
    began = time.monotonic()

    for to, records in batches:
        response = sender.post_body(to, f'{{"data":{array(records)}}}')

        assert response.status_code in (200, 400)
        if response.status_code == 200:
            assert len(response.json()["results"]) == len(records)
            assert "ERROR" not in {result["status"] for result in response.json()["results"]}
    assert time.monotonic() - began < 10


@settings(UNHURRIED, max_examples=400)
@given(
    amount=st.decimals(0, Decimal("9999999999.99"), places=2),
    shift=st.integers(-40, 40),
    zeros=st.integers(0, 40),
    letter=st.sampled_from("eE"),
    plus=st.sampled_from(["", "+", "0", "+0"]),
)
def test_every_spelling_of_an_amount_is_the_same_amount(amount, shift, zeros, letter, plus):
    mantissa = f"{amount.scaleb(-shift):f}"
    if zeros:
        mantissa += "0" * zeros if "." in mantissa else "." + "0" * zeros
    exponent = f"{letter}{plus if shift >= 0 else ''}{shift}" if shift else ""

    value = MONEY.run_validation(read(mantissa + exponent))

    assert value == amount
    assert str(value) == str(amount)
