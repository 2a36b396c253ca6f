"""GET /metrics, for Prometheus."""

import hmac
import ipaddress

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .durations import Durations


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """401 without BTEC_METRICS_TOKEN; where none is set, 404 but for a developer at the machine itself."""
    if not settings.BTEC_METRICS_TOKEN:
        if not (settings.DEBUG and _is_local(request)):
            raise Http404
    elif not _has_token(request):
        return HttpResponse(
            "Send Authorization: Bearer <BTEC_METRICS_TOKEN>.\n",
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse(exposition(), content_type="text/plain; version=0.0.4; charset=utf-8")


def exposition() -> bytes:
    """What Prometheus reads, in the format that all its versions understand."""
    # Not at the top: a service that nobody scrapes starts without them.
    from prometheus_client import CollectorRegistry, generate_latest

    from .totals import Totals

    registry = CollectorRegistry()
    registry.register(Totals())
    registry.register(Durations())
    return generate_latest(registry)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(
        token.strip().encode("utf-8", "surrogateescape"), settings.BTEC_METRICS_TOKEN.encode()
    )
    return same and scheme.lower() == "bearer"


def _is_local(request: HttpRequest) -> bool:
    """From this machine, and not by a proxy on it."""
    if "X-Forwarded-For" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
