"""The fingerprint of a record: whether anything that is stored has changed."""

import datetime
import hashlib
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

# Raised when the canonical form changes; records with another version are compared value by value.
VERSION = 1


def canonical(value: Any) -> str | None:
    """One text for one value, on every database: 500.00, 2026-01-15, None for empty dates and numbers."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, datetime.date):
        return value.isoformat()
    raise TypeError(f"no canonical form for {type(value).__name__}")


def fingerprint(values: Mapping[str, Any]) -> str:
    """The version and the SHA-256 of the canonical values, as "1:<64 hex digits>".

    `values` are all stored fields by the model's names, lookups as Zoho ids.
    """
    # As json.dumps([VERSION, …], sort_keys=True, separators=(",", ":")) writes it, in half the time.
    members = ",".join([name + _quoted(values[key]) for key, name in _sorted_names(tuple(values))])
    return f"{VERSION}:{hashlib.sha256(f'[{VERSION},{{{members}}}]'.encode()).hexdigest()}"


@lru_cache
def _sorted_names(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The names, as a batch has them, with what stands before their values: ("amount", '"amount":')."""
    return [(name, f"{encode_basestring_ascii(name)}:") for name in sorted(names)]


def _quoted(value: Any) -> str:
    if type(value) is not str:
        value = canonical(value)
    return "null" if value is None else encode_basestring_ascii(value)
