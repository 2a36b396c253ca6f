"""Single records of stored bodies and answers: read, and taken out with every other byte left as it is."""

import json
import re
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from typing import Any

from .answers import summarised
from .models import State
from .serializers import ERASED, ERASED_RECORD
from .services import SyncService
from .wire import object_of

BLANKS = re.compile(r"[ \t\r\n]*")
PLACEHOLDER = json.dumps(ERASED_RECORD)


Changes = dict[str, list[Any]]


class NoRecords(ValueError):
    """The body is not JSON with an array of records under "data"."""


# Numbers stay text: they may have more digits than Python turns into one.
DECODER = json.JSONDecoder(parse_int=str, parse_float=str, object_pairs_hook=object_of)


def positions(body: bytes, concerns: Callable[[Any], bool]) -> list[int]:
    """Where in a body records stand that it concerns. Raises NoRecords."""
    return [n for n, (record, _, _) in enumerate(_records(_text(body))) if concerns(record)]


def record_at(body: bytes, position: int) -> str:
    """The record at this position as it was spelled; "" where it was erased. Raises NoRecords."""
    text = _text(body)
    for _, start, stop in islice(_records(text), position, None):
        return "" if text[start:stop] == PLACEHOLDER else text[start:stop]
    raise NoRecords


def erased_from(body: bytes) -> list[int]:
    """Where in a body placeholders stand."""
    if PLACEHOLDER.encode() not in body:
        return []
    return positions(body, lambda record: record == ERASED_RECORD)


def redact_body(body: bytes, erased: Collection[int]) -> bytes:
    """The body with a placeholder at these positions; every other record as it was spelled."""
    text = _text(body)
    parts, end = [], 0
    for n, (_, start, stop) in enumerate(_records(text)):
        if n in erased:
            parts += [text[end:start], PLACEHOLDER]
            end = stop
    return "".join([*parts, text[end:]]).encode()


def without_ids(changed: Changes, service: type[SyncService], erased: Collection[str]) -> Changes:
    """Changed fields that name none of the erased parents."""
    return {
        name: ["erased" if name in service.dependencies and value in erased else value for value in both]
        for name, both in changed.items()
    }


def redact_move(answer: bytes, service: type[SyncService], position: int, erased: Collection[str]) -> bytes:
    """The same in an answer, for the record at this position."""
    said = json.loads(answer or b"{}")
    if "results" not in said:
        return answer
    result = said["results"][position]
    result["changed_fields"] = without_ids(result.get("changed_fields", {}), service, erased)
    return summarised(said) if result["changed_fields"] else answer


def redact_answer(answer: bytes, service: type[SyncService], erased: Collection[int]) -> bytes:
    """The answer as it would be given to the redacted body; a problem holds nothing of a record."""
    said = json.loads(answer or b"{}")
    if "results" not in said:
        return answer
    nothing = {service.id_key(): None, "status": State.INVALID.value, "message": ERASED.message}
    for n in erased:
        said["results"][n] = {**nothing, "errors": [ERASED.as_dict()]}
    return summarised(said)


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise NoRecords from error


def _records(text: str) -> Iterator[tuple[Any, int, int]]:
    """Each record under "data" with where it begins and ends. Raises NoRecords."""
    try:
        place = _expect(text, 0, "{")
        key, place = DECODER.raw_decode(text, place)
        if key != "data":
            raise NoRecords
        place = _expect(text, _expect(text, place, ":"), "[")
        while True:
            record, end = DECODER.raw_decode(text, place)
            yield record, place, end
            end = BLANKS.match(text, end).end()
            if text[end : end + 1] == "]":
                break
            place = _expect(text, end, ",")
        _expect_end(text, end + 1)
    except (ValueError, RecursionError) as error:
        raise NoRecords from error


def _expect(text: str, place: int, mark: str) -> int:
    """Where the next token begins behind this mark. Raises NoRecords where it does not stand there."""
    found = BLANKS.match(text, place).end()
    if text[found : found + 1] != mark:
        raise NoRecords
    return BLANKS.match(text, found + 1).end()


def _expect_end(text: str, place: int) -> None:
    if _expect(text, place, "}") != len(text):
        raise NoRecords
