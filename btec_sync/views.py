"""SyncViewSet: HTTP's side of a delivery, from the raw bytes to the answer."""

from django.conf import settings
from django.http import HttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from . import deliveries, problems
from .services import SyncService


class AlwaysJSON(BaseContentNegotiation):
    """There is one representation, so Accept has nothing to choose."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


class SyncViewSet(ViewSet):
    """POST of a batch of one module's records."""

    # Subclass declares

    service: type[SyncService]

    # HTTP

    http_method_names = ["post"]
    content_negotiation_class = AlwaysJSON

    def create(self, request: Request) -> HttpResponse:
        body = read_body(request)
        delivery = deliveries.receive(request.tenant, self.service.module, body, request.headers)
        return deliveries.process(delivery).response()


def read_body(request: Request) -> bytes:
    """The body as it was sent. Raises TooLarge, having read no more than the limit, or LengthRequired."""
    limit = settings.BTEC_MAX_BODY_BYTES
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    try:
        body = _stream(request).read(limit + 1)
    except OSError as error:
        raise problems.MalformedJSON("The body ended before its Content-Length.") from error
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _stream(request: Request):
    """Where to read from. A chunked body has no length, and Django would take it for an empty one."""
    if "wsgi.input" not in request.META or "HTTP_TRANSFER_ENCODING" not in request.META:
        return request._request
    if not request.META.get("wsgi.input_terminated"):
        raise problems.LengthRequired("Send the body with a Content-Length.")
    return request.META["wsgi.input"]


def _too_large(limit: int) -> problems.Problem:
    return problems.TooLarge(f"The body is larger than {limit:,} bytes. Send several smaller batches.")
