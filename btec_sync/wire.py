"""JSON as it comes off the wire, read strictly and cheaply.

RFC 8259 leaves duplicate keys, depth and the size of numbers to the parser, and Python's reads NaN and
Infinity besides. Here each of these is either refused or bounded before it can cost anything.
"""

import json
from decimal import Decimal
from typing import Any

BYTE_ORDER_MARK = "\ufeff"
MAX_DEPTH = 32
MAX_NUMBER_LENGTH = 100
MAX_EXPONENT = 100


class NotJSON(ValueError):
    """The text is not JSON as we accept it; the message says why and is fit for the sender."""


class HugeNumber:
    """A JSON number with more digits or a larger exponent than any field takes; kept unexpanded."""

    def __repr__(self) -> str:
        return "HugeNumber()"


def loads(body: bytes) -> Any:
    """The value of a JSON text: dict, list, str, bool, None, int, Decimal or HugeNumber, never a float.

    Raises NotJSON.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJSON(f"The body is not UTF-8 (byte {error.start}).") from None
    if not text.strip(" \t\r\n"):
        raise NotJSON("The body is empty.")
    if text[0] == BYTE_ORDER_MARK:
        raise NotJSON("The body begins with a byte order mark; send it without.")
    try:
        value = json.loads(
            text,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=object_of,
        )
    except NotJSON:
        raise
    except RecursionError:
        raise NotJSON(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError as error:
        position = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise NotJSON(f"The body is not JSON{position}.") from None
    _check_depth(value, MAX_DEPTH)
    return value


def _integer(literal: str) -> int | HugeNumber:
    return int(literal) if len(literal) <= MAX_NUMBER_LENGTH else HugeNumber()


def _decimal(literal: str) -> Decimal | HugeNumber:
    mantissa, _, exponent = literal.lower().partition("e")
    # The exponent's own length is looked at first: int() of a long text is slow by itself.
    if len(mantissa) > MAX_NUMBER_LENGTH or len(exponent) > 5 or abs(int(exponent or 0)) > MAX_EXPONENT:
        return HugeNumber()
    return Decimal(literal)


def _refuse_constant(name: str) -> None:
    raise NotJSON(f"{name} is not a JSON number.")


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object with all that it says. Raises NotJSON where a key comes twice: a dict keeps only the last."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise NotJSON("An object holds the same key twice.")
    return value


def _check_depth(value: Any, levels: int) -> None:
    """Raises NotJSON where arrays and objects stand in each other more than `levels` deep."""
    inner = [value] if type(value) in (dict, list) else []
    for _ in range(levels):
        inner = [
            child
            for outer in inner
            for child in (outer.values() if type(outer) is dict else outer)
            if type(child) is dict or type(child) is list
        ]
        if not inner:
            return
    raise NotJSON(f"The body is nested deeper than {MAX_DEPTH} levels.")


def printable(text: str, limit: int = 100) -> str:
    """What a sender wrote, fit to be repeated in an answer and to be stored by any database."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
