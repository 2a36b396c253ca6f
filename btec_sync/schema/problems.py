"""What is answered to a refused request: every Problem as a response of the OpenAPI document."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from btec_sync import problems

from .records import JSON


class Case(NamedTuple):
    """One code, and when it is answered."""

    status: int
    code: str
    title: str
    when: str
    headers: frozenset[str]


def _of_kind(kind: type[problems.Problem]) -> Case:
    return Case(kind.status_code, kind.code, kind.title, kind.__doc__ or kind.title, frozenset(kind.headers))


def _of_refusal(status: int, *headers: str) -> Case:
    refused = problems.refusal(status)
    return Case(status, refused.code, refused.title, refused.text, frozenset(headers))


CASES = [
    _of_kind(problems.MalformedJSON),
    _of_kind(problems.MalformedEnvelope),
    _of_kind(problems.KeyMalformed),
    _of_refusal(400),
    _of_kind(problems.Unauthenticated),
    _of_kind(problems.TenantRefused),
    _of_refusal(404),
    _of_refusal(405, "Allow"),
    _of_kind(problems.KeyInFlight),
    _of_kind(problems.LengthRequired),
    _of_kind(problems.TooLarge),
    _of_kind(problems.UnsupportedMediaType),
    _of_kind(problems.KeyReused),
    _of_kind(problems.ProcessingFailed),
    _of_refusal(500),
    _of_kind(problems.Unavailable),
]
#: The code of a status that is none of these. The framework has such, and they are not expected.
OF_ANY_OTHER = problems.refusal(418).code

HEADERS = {
    "Allow": {"description": "The methods that there are.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "After how many seconds to send the request again.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
}


def problem() -> JSON:
    """What every refusal has: RFC 9457's problem details, with the service's own code."""
    return {
        "type": "object",
        "description": "Problem details (RFC 9457). Go by `code`.",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string", "const": "about:blank"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"type": "string", "enum": [*(case.code for case in CASES), OF_ANY_OTHER]},
            "detail": {"type": "string", "description": "What to mend, in words. May change."},
            "delivery_id": {
                "type": "string",
                "format": "uuid",
                "description": "Where the request is stored and not finished.",
            },
        },
    }


def responses() -> dict[int, JSON]:
    """The response of each status that refuses a request."""
    by_status: dict[int, list[Case]] = defaultdict(list)
    for case in CASES:
        by_status[case.status].append(case)
    return {status: _response(status, cases) for status, cases in by_status.items()}


def _response(status: int, cases: Sequence[Case]) -> JSON:
    # A header that only some of the codes have cannot be relied on.
    headers = frozenset.intersection(*(case.headers for case in cases))
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}],
        "properties": {"status": {"const": status}, "code": {"enum": [case.code for case in cases]}},
    }
    examples = {case.code: {"summary": case.title, "value": _example(case)} for case in cases}
    return {
        "description": "\n".join(f"- `{case.code}`: {case.when}" for case in cases),
        "headers": {name: {**HEADERS[name], "required": True} for name in sorted(headers)},
        "content": {"application/problem+json": {"schema": schema, "examples": examples}},
    }


def _example(case: Case) -> JSON:
    return {
        "type": "about:blank",
        "title": case.title,
        "status": case.status,
        "code": case.code,
        "detail": case.when,
    }
