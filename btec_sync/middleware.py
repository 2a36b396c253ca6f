"""Who a request is for, and that no refusal on /v1/ leaves as HTML."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from . import keys, logs, problems
from .body import discard_body
from .models import Tenant

API = "/v1/"
SYNC = "/v1/sync/"


class ProblemMiddleware:
    """Outside all that answers: what Django answers to an API request by itself, it answers as problem+json.

    A host that is not ours, an address that is not there, a crash with DEBUG on: each has an HTML page
    of Django's, the last with a traceback.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not f"{request.path_info}/".startswith(API) or response.status_code < 400:
            return response
        discard_body(request)
        if response.headers.get("Content-Type") == "application/problem+json":
            return response
        kept = {name: response.headers[name] for name in ("Allow", "Retry-After") if name in response.headers}
        return problems.refusal(response.status_code, kept).response()


class TenantMiddleware:
    """Sets request.tenant for /v1/sync/, or refuses: 401 without a good key, 403 for another's tenant."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(SYNC):
            try:
                request.tenant = find_tenant(request)
                logs.note(tenant=request.tenant.slug)
            except Exception as error:
                problem = problems.from_exception(error)
                if problem is None:
                    raise
                return problem.response()
        return self.get_response(request)


def find_tenant(request: HttpRequest) -> Tenant:
    """The tenant that the request may write to. Raises Unauthenticated or TenantRefused.

    A key opens its own tenant; X-Tenant-ID may confirm it, not choose another. Where no key is
    required (a first try, never production), X-Tenant-ID alone names the tenant.
    """
    named = request.headers.get("X-Tenant-ID")
    authorization = request.headers.get("Authorization")
    if authorization is None and not settings.BTEC_REQUIRE_API_KEY:
        if named is None:
            raise problems.TenantRefused("Send X-Tenant-ID, or a key: Authorization: Bearer <key>.")
        tenant = Tenant.objects.filter(slug=named).first() if _is_plain(named) else None
    else:
        tenant = _tenant_of_key(authorization or "")
        if named is not None and named != tenant.slug:
            raise problems.TenantRefused
    if tenant is None or not tenant.active:
        raise problems.TenantRefused
    return tenant


def _tenant_of_key(authorization: str) -> Tenant:
    scheme, _, text = authorization.partition(" ")
    key = keys.find(text.strip()) if scheme.lower() == "bearer" and _is_plain(text) else None
    if key is None:
        raise problems.Unauthenticated("Send a valid API key: Authorization: Bearer <key>.")
    return key.tenant


def _is_plain(text: str) -> bool:
    """True of all slugs and keys; a database refuses to look for some other texts."""
    return text.isascii() and text.isprintable()
