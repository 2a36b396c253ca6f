"""One line in the log for each request, its id, and how long it took."""

import re
import time
import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware
from structlog.contextvars import bind_contextvars, clear_contextvars

from .logs import note
from .metrics import durations
from .services import services

HEADER = "X-Request-ID"
# As nginx, uuid and trace ids are written, and nothing that could be more than an id.
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=+/-]{0,127}")
# Asked for every few seconds. They are logged where the answer is not a good one.
PROBES = ("/healthz", "/readyz", "/metrics")
UNKNOWN = "(no such address)"


class RequestLog(RequestMiddleware):
    """The outermost: every request has its line, its X-Request-ID and its duration.

    The sender's X-Request-ID is taken where it can be one, and returned. django-structlog would also note
    who was logged in, from which address, with which program and the whole URL, in which staff search for
    people by name: that is personal, and stays out.
    """

    def prepare(self, request: HttpRequest) -> None:
        clear_contextvars()  # what came after the last request of this thread is not part of this one
        request.began = time.perf_counter()
        request.request_id = request_id(request)
        bind_contextvars(request_id=request.request_id)

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        response.headers[HEADER] = request.request_id
        seconds = time.perf_counter() - request.began
        durations.observe(route_of(request), response.status_code, seconds)
        if response.status_code < 400 and _is_frequent(request):
            clear_contextvars()
            return
        note(duration_ms=round(seconds * 1000, 1))
        super().handle_response(request, response)

    def _process_exception(self, request: HttpRequest, exception: Exception) -> None:
        # The line of a crash is written here, and none by handle_response().
        note(duration_ms=round((time.perf_counter() - request.began) * 1000, 1))
        super()._process_exception(request, exception)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {route_of(request)}"


def request_id(request: HttpRequest) -> str:
    """The sender's id for the request, or a new one."""
    sent = request.headers.get(HEADER, "")
    return sent if REQUEST_ID.fullmatch(sent) else str(uuid.uuid4())


def route_of(request: HttpRequest) -> str:
    """Which of our addresses it is: "/v1/sync/units", "/admin/units/unit/<path:object_id>/change/".

    Never the path as it was sent, which may hold anything.
    """
    folder, _, name = request.path_info.rstrip("/").rpartition("/")
    if folder == "/v1/sync" and name in services():  # known also where the sender was refused before
        return f"{folder}/{name}"
    match = request.resolver_match
    if match is None:
        return settings.STATIC_URL if request.path_info.startswith(settings.STATIC_URL) else UNKNOWN
    return "/" + match.route.replace("^", "").replace("/?$", "")


def _is_frequent(request: HttpRequest) -> bool:
    return request.path_info in PROBES or request.path_info.startswith(settings.STATIC_URL)
