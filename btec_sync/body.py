"""Reading a request's body: as it was sent, within bounds, whatever way it comes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from . import problems

MOST_DISCARDED = 96 * 1024 * 1024
# A body that does not come, and one that comes a byte at a time, must not hold a thread.
SILENT_SECONDS = 2
DISCARD_SECONDS = 10


def read_body(request: Request) -> bytes:
    """The body as it was sent.

    Raises TooLarge, having kept no more than the limit, LengthRequired, and MalformedJSON where a part
    of the body did not come.
    """
    limit = settings.BTEC_MAX_BODY_BYTES
    announced = _announced_length(request)
    if announced > limit:
        raise _too_large(limit)
    body = _read(request, limit + 1)
    if len(body) > limit:
        raise _too_large(limit)
    if len(body) < announced:
        raise problems.MalformedJSON("The body ended before its Content-Length.")
    return body


def discard_body(request: HttpRequest) -> None:
    """Reads what is left of the body of a refused request, within bounds.

    Else the connection is closed on a sender that is still writing, and it does not see why.
    """
    discarded = 0
    with suppress(problems.Problem), _not_for_long(request.META.get("gunicorn.socket")):
        while discarded < MOST_DISCARDED and (part := _read(request, 64 * 1024)):
            discarded += len(part)


@contextmanager
def _not_for_long(connection: socket.socket | None) -> Iterator[None]:
    """Whatever is still to come of a body ends with the time for it; the answer can be sent all the same."""
    if connection is None:
        yield
        return
    connection.settimeout(SILENT_SECONDS)
    timer = threading.Timer(DISCARD_SECONDS, _end_reading, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end_reading(connection: socket.socket) -> None:
    with suppress(OSError):  # closed at this moment
        # Not its own method: that of a TLS connection would end the encryption as well.
        socket.socket.shutdown(connection, socket.SHUT_RD)


def _announced_length(request: Request) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # as Django reads it


def _read(request: HttpRequest | Request, size: int) -> bytes:
    """The next bytes of the body, fewer only where it ends. Raises LengthRequired or MalformedJSON."""
    stream = _stream(request)
    try:
        return stream.read(size)
    except Exception as error:
        # Every server has its own exceptions for a body that breaks off and for bad chunks.
        raise problems.MalformedJSON("The body broke off, or its chunks are malformed.") from error


def _stream(request: HttpRequest | Request):
    """Where to read from. A chunked body has no length, and Django would take it for an empty one."""
    if "wsgi.input" not in request.META or "HTTP_TRANSFER_ENCODING" not in request.META:
        return request
    if not request.META.get("wsgi.input_terminated"):
        raise problems.LengthRequired("Send the body with a Content-Length.")
    return request.META["wsgi.input"]


def _too_large(limit: int) -> problems.Problem:
    return problems.TooLarge(f"The body is larger than {limit:,} bytes. Send several smaller batches.")
