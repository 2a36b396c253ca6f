"""JSON off the wire: what is refused, what is bounded, and that no float is ever made."""

import json
import time
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from btec_sync import wire

pytestmark = pytest.mark.once

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    """Arrays in each other, so many of them."""
    return (opening * levels + closing * levels).encode()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            '{"data": [1, 2.50, "x", true, false, null]}',
            {"data": [1, Decimal("2.50"), "x", True, False, None]},
        ),
        (" \t\r\n[] \n", []),
        ('"أحمد"', "أحمد"),
        (r'"\ud83d\ude00"', "😀"),
        (r'"\ud800"', "\ud800"),
        (r'"\u0000"', "\0"),
        ("-0", 0),
        ("1e2", Decimal("1e2")),
        ('{"a": {"b": 1}, "b": {"a": 1}}', {"a": {"b": 1}, "b": {"a": 1}}),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('{"": 1}', {"": 1}),
    ],
)
def test_json_is_read(text, value):
    assert wire.loads(text.encode()) == value


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "The body is empty."),
        (b" \n\t", "The body is empty."),
        (b"\xef\xbb\xbf{}", "The body begins with a byte order mark; send it without."),
        (b"\0", "The body is not JSON at character 0."),
        (b"{", "The body is not JSON at character 1."),
        (b'{"data": [{"id": "x"', "The body is not JSON at character 20."),
        (b'"abc', "The body is not JSON at character 0."),
        (b"[1,]", "The body is not JSON at character 3."),
        (b"[] []", "The body is not JSON at character 3."),
        (b"{}x", "The body is not JSON at character 2."),
        (b"{'data': []}", "The body is not JSON at character 1."),
        (b"data=1", "The body is not JSON at character 0."),
        (b"// {}", "The body is not JSON at character 0."),
        (b"01", "The body is not JSON at character 1."),
        (b"+1", "The body is not JSON at character 0."),
        (b".5", "The body is not JSON at character 0."),
        (b"1.", "The body is not JSON at character 1."),
        (b"1e", "The body is not JSON at character 1."),
        (b"0x10", "The body is not JSON at character 1."),
        ("١".encode(), "The body is not JSON at character 0."),
        (b'"a\nb"', "The body is not JSON at character 2."),
        (rb'"\x41"', "The body is not JSON at character 1."),
        (rb'"\ud83"', "The body is not JSON at character 2."),
        (b"True", "The body is not JSON at character 0."),
        ('{"data": []}'.encode("utf-16"), "The body is not UTF-8 (byte 0)."),
        ('{"data": []}'.encode("utf-16-le"), "The body is not JSON at character 1."),
        ('{"data": []}'.encode("utf-32-be"), "The body is not JSON at character 0."),
        (b'{"a": "\xff"}', "The body is not UTF-8 (byte 7)."),
        ('"é"'.encode("latin-1"), "The body is not UTF-8 (byte 1)."),
        (b'"\xed\xa0\x80"', "The body is not UTF-8 (byte 1)."),
        (b'"\xc0\x80"', "The body is not UTF-8 (byte 1)."),
        (b'"\xc3', "The body is not UTF-8 (byte 1)."),
        (b"NaN", "NaN is not a JSON number."),
        (b'{"data": [{"Amount": NaN}]}', "NaN is not a JSON number."),
        (b"[Infinity]", "Infinity is not a JSON number."),
        (b"-Infinity", "-Infinity is not a JSON number."),
        (b'{"a": 1, "a": 1}', "An object holds the same key twice."),
        (rb'{"a": 1, "\u0061": 2}', "An object holds the same key twice."),
        (b'{"data": [{"x": [{"a": 1, "b": 2, "a": 3}]}]}', "An object holds the same key twice."),
        (b'{"": 1, "": 2}', "An object holds the same key twice."),
    ],
)
def test_what_is_not_json_is_refused_and_told_why(body, why):
    with pytest.raises(wire.NotJSON) as refusal:
        wire.loads(body)

    assert str(refusal.value) == why


@pytest.mark.parametrize(
    "body",
    [
        nested(32),  # an empty array is a level too
        b"[" * 31 + b"{}" + b"]" * 31,
        b"[" * 32 + b"1" + b"]" * 32,
        nested(16, '{"a":[', "]}"),
        nested(16, '[1,{"b":2,"a":', "}]").replace(b":}", b":null}"),
        b"[" + b",".join([nested(31)] * 100) + b"]",  # breadth is not depth
    ],
)
def test_thirty_two_levels_are_read_and_one_more_is_refused(body):
    wire.loads(body)

    for one_more in (b"[%s]" % body, b'{"a":%s}' % body, b'[1,{},"x",%s]' % body):
        with pytest.raises(wire.NotJSON, match="deeper than 32 levels"):
            wire.loads(one_more)


@pytest.mark.parametrize("levels", [34, 900, 1_100, 100_000])
def test_any_depth_is_refused_alike(levels):
    with pytest.raises(wire.NotJSON, match="deeper than 32 levels"):
        wire.loads(nested(levels))


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"[{" * 50_000])
def test_depth_that_never_ends_is_refused(body):
    with pytest.raises(wire.NotJSON):
        wire.loads(body)


@pytest.mark.parametrize("text", ["9" * 100, "-" + "9" * 99, "1e100", "1e-100", "1E+100", "9" * 98 + ".5"])
def test_a_number_within_the_bounds_is_exact(text):
    assert wire.loads(text.encode()) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    [
        "9" * 101,
        "-" + "9" * 100,
        "9" * 5_000,
        "9" * 4_000_000,
        "0." + "1" * 5_000,
        "0." + "0" * 4_000_000,
        "1e101",
        "1e-101",
        "1e400",
        "1E+999999",
        "1e999999999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0e999999999",
        "1e" + "9" * 4_000_000,
    ],
    ids=lambda text: f"{text[:12]} of {len(text)}",
)
def test_a_number_beyond_the_bounds_is_kept_unexpanded(text):
    began = time.process_time()

    value = wire.loads(text.encode())

    assert isinstance(value, wire.HugeNumber)
    assert repr(value) == "HugeNumber()"
    assert time.process_time() - began < 2


def test_a_body_full_of_huge_numbers_costs_little():
    body = b"[" + b",".join([b"1e999999999"] * 400_000) + b"]"
    began = time.process_time()

    values = wire.loads(body)

    assert {type(value) for value in values} == {wire.HugeNumber}
    assert time.process_time() - began < 5


json_texts = st.recursive(
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,9})?", fullmatch=True)
    | st.text().map(json.dumps)
    | st.sampled_from(["null", "true", "false"]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(st.text().map(json.dumps), inner, max_size=4).map(
            lambda members: "{" + ",".join(f"{name}:{text}" for name, text in members.items()) + "}"
        )
    ),
)


def every_value(value):
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from every_value(child)


@settings(UNHURRIED, max_examples=200)
@given(json_texts)
def test_no_float_is_ever_made(text):
    types = {type(value) for value in every_value(wire.loads(text.encode()))}

    assert types <= {dict, list, str, bool, type(None), int, Decimal, wire.HugeNumber}


@settings(UNHURRIED, max_examples=300)
@given(st.binary(max_size=200) | st.text(alphabet='[]{}",:0123456789eE+-.truefalsn\\ \n').map(str.encode))
def test_any_bytes_are_read_or_refused(body):
    try:
        wire.loads(body)
    except wire.NotJSON as refusal:
        assert str(refusal)  # noqa: PT017 (that nothing else is raised is the point)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("reg_123", "reg_123"),
        ("أحمد 😀", "أحمد 😀"),
        (r"a\b", r"a\b"),
        ("abc\n", r"abc\n"),
        ("\0", r"\x00"),
        ("\ud800", r"\ud800"),
        ("a\xa0b", r"a\xa0b"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 99 + "…"),
        ("\0" * 1_000_000, r"\x00" * 24 + r"\x0…"),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_what_a_sender_wrote_is_shown_printably(text, shown):
    assert wire.printable(text) == shown
