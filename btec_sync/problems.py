"""What is answered when a whole request is refused: RFC 9457 problem details with a stable code."""

import json

import structlog
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from rest_framework import exceptions

from . import logs

log = structlog.get_logger(__name__)


class Problem(exceptions.APIException):
    """A request refused as a whole.

    status_code is the HTTP status, code is stable and documented (docs/answers.md), detail says what to
    mend, extra holds further members of the problem (delivery_id), headers further HTTP headers. A
    subclass's docstring says when it is answered; the OpenAPI document shows it to senders.
    """

    status_code: int
    code: str
    title: str
    headers: dict[str, str] = {}
    #: A stored delivery that is answered with this is `rejected`: sent again as it is, it fails again.
    rejects = False

    def __init__(self, detail: str, **extra: str) -> None:
        super().__init__(detail)
        self.text = detail
        self.extra = extra

    def body(self) -> bytes:
        members = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status_code,
            "code": self.code,
            "detail": self.text,
            **self.extra,
        }
        return json.dumps(members, ensure_ascii=False).encode()

    def response(self) -> HttpResponse:
        logs.note(problem=self.code)
        return HttpResponse(
            self.body(),
            status=self.status_code,
            content_type="application/problem+json",
            headers=self.headers,
        )


class MalformedJSON(Problem):
    """The body is not JSON, not UTF-8, holds a key twice, NaN or Infinity, or nests deeper than 32 levels."""

    status_code, code, title = 400, "malformed_json", "Malformed JSON"
    rejects = True


class MalformedEnvelope(Problem):
    """The body is not an object with the single key "data", an array of at least one record."""

    status_code, code, title = 400, "malformed_envelope", "Malformed envelope"
    rejects = True


class KeyMalformed(Problem):
    """The Idempotency-Key is not 1 to 255 visible ASCII characters."""

    status_code, code, title = 400, "key_malformed", "Malformed Idempotency-Key"
    rejects = True


class Unauthenticated(Problem):
    """There is no API key, or it is unknown, revoked or expired."""

    status_code, code, title = 401, "unauthenticated", "Not authenticated"
    headers = {"WWW-Authenticate": 'Bearer realm="btec-sync"'}


class TenantRefused(Problem):
    """The key is for another tenant, or the tenant is unknown or inactive."""

    status_code, code, title = 403, "tenant_refused", "Tenant refused"

    # The same words for unknown, inactive and foreign: nobody learns which tenants there are.
    def __init__(self, detail: str = "X-Tenant-ID does not name a tenant that you may write to.") -> None:
        super().__init__(detail)


class KeyInFlight(Problem):
    """Another request with this Idempotency-Key was still being processed after a wait."""

    status_code, code, title = 409, "key_in_flight", "Idempotency-Key in flight"
    headers = {"Retry-After": "10"}


class LengthRequired(Problem):
    """The body came in chunks, which this server cannot read, and without a Content-Length."""

    status_code, code, title = 411, "length_required", "Length required"


class TooLarge(Problem):
    """There are too many bytes in the body, or too many records."""

    status_code, code, title = 413, "too_large", "Too large"
    rejects = True


class UnsupportedMediaType(Problem):
    """The body is not application/json in UTF-8, or has a Content-Encoding."""

    status_code, code, title = 415, "unsupported_media_type", "Unsupported media type"
    rejects = True


class KeyReused(Problem):
    """This Idempotency-Key came with another body before."""

    status_code, code, title = 422, "key_reused", "Idempotency-Key reused"
    rejects = True


class ProcessingFailed(Problem):
    """Processing crashed. The delivery is stored, and staff can replay it."""

    status_code, code, title = 500, "processing_failed", "Processing failed"


class Unavailable(Problem):
    """The database is away."""

    status_code, code, title = 503, "unavailable", "Unavailable"
    headers = {"Retry-After": "30"}


class Busy(Unavailable):
    """The database is there, and the tenant's turn did not come in time."""


class Refused(Problem):
    """What Django or DRF refused before the service had a say: no such address, wrong method."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status_code, self.code, self.title = status, code, code.replace("_", " ").capitalize()
        self.headers = headers or {}


REFUSALS = {
    400: ("bad_request", "The request cannot be understood."),
    404: (
        "not_found",
        "There is nothing at this address. Records go to /v1/sync/<module>, as /v1/sync/payments.",
    ),
    405: ("method_not_allowed", "Records are sent with POST to /v1/sync/<module>."),
}


def refusal(status: int, headers: dict[str, str] | None = None) -> Refused:
    """The problem for a status that is not one of the service's own."""
    code, detail = REFUSALS.get(status, ("refused", "The request was refused."))
    if status >= 500:
        code, detail = "internal_error", "The service failed. Send the request again later."
    return Refused(status, code, detail, headers)


def from_exception(error: Exception) -> Problem | None:
    """The problem that an exception stands for; None for one that nobody expected."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, exceptions.APIException):
        return refusal(error.status_code)
    # Whatever the database refused here, the delivery was not stored, and only the sender has it.
    if isinstance(error, DatabaseError | InterfaceError):
        log.error("database unavailable", error=type(error).__name__)
        return Unavailable(
            "The database cannot be reached; nothing was stored. Send the request again later."
        )
    return None


def exception_handler(error: Exception, context: dict) -> HttpResponse | None:
    """DRF's hook: every exception of a view as problem+json."""
    problem = from_exception(error)
    return problem.response() if problem else None
