"""Whether the service is alive (/healthz) and fit to take requests (/readyz); the page that says so (/)."""

from functools import cache

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

OK = "ok"


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": OK})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database takes writes and every migration was run, else 503 with what is missing."""
    found = condition()
    if _is_well(found):
        return JsonResponse({"status": OK, **found})
    return JsonResponse({"status": "unavailable", **found}, status=503, headers={"Retry-After": "10"})


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What this is and whether it is well, for everybody: so nothing about tenants or their traffic."""
    found = condition()
    return render(request, "btec_sync/home.html", {"condition": found, "is_well": _is_well(found)})


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """What browsers ask for wherever a page names no icon, as the admin's and a bare JSON do not."""
    return redirect(static("btec_sync/icon.svg"))


def condition() -> dict[str, str]:
    """What the service needs, and "ok" or what is the matter; nothing that a stranger may not read."""
    try:
        if _is_read_only():
            return {"database": "read-only"}
        waiting = _known_migrations() - MigrationRecorder(connection).applied_migrations().keys()
    except (DatabaseError, InterfaceError):
        return {"database": "unreachable"}
    migrations = f"{len(waiting)} not applied; run manage.py migrate" if waiting else OK
    return {"database": OK, "migrations": migrations}


def _is_well(found: dict[str, str]) -> bool:
    return set(found.values()) == {OK}


def _is_read_only() -> bool:
    """True of a standby after a failover, which answers and takes no delivery."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return cursor.fetchone() == ("on",)


@cache
def _known_migrations() -> set[tuple[str, str]]:
    """The migrations of this code, by app and name. They are files, read once."""
    return set(MigrationLoader(None).disk_migrations)
