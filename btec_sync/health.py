"""Whether the service is alive (/healthz) and fit to take requests (/readyz)."""

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse


def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and every migration was run, else 503 with which of them is missing."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, InterfaceError):
        return _not_ready(database="unreachable")
    if waiting:
        return _not_ready(database="ok", migrations=f"{len(waiting)} not applied; run manage.py migrate")
    return JsonResponse({"status": "ok", "database": "ok", "migrations": "ok"})


def _not_ready(**why: str) -> JsonResponse:
    return JsonResponse({"status": "unavailable", **why}, status=503, headers={"Retry-After": "10"})
