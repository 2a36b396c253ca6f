"""System checks: every module complete, production settings safe."""

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.urls import Resolver404, resolve

from .models import SyncedRecord
from .services import SyncService, services

TAG = "btec_sync"


def refuse_unsafe_start() -> None:
    """For wsgi.py and asgi.py: a server runs no system checks, and must not serve where these fail."""
    errors = [message for message in checks.run_checks(tags=[TAG]) if message.is_serious()]
    if errors:
        raise ImproperlyConfigured("\n".join(str(error) for error in errors))


@checks.register(TAG)
def modules_are_complete(app_configs, **kwargs) -> list[checks.CheckMessage]:
    """Every mirrored model has a service, an address, an admin page and a field for all it is sent."""
    found = services()
    served = {service.model for service in found.values()}
    messages = [
        checks.Error(
            f"{model.__name__} has no service in BTEC_SYNC_SERVICES.", id="btec_sync.E001", obj=model
        )
        for model in apps.get_models()
        if issubclass(model, SyncedRecord) and model not in served
    ]
    earlier: set[type[SyncService]] = set()
    for service in found.values():
        messages += _check_service(service, earlier)
        earlier.add(service)
    return messages


def _check_service(service: type[SyncService], earlier: set[type[SyncService]]) -> list[checks.CheckMessage]:
    messages = []
    stored = {field.name for field in service.model._meta.concrete_fields} - service.model.NOT_IN_FINGERPRINT
    parsed = set(service.serializer_class.data_fields().values())
    if stored != parsed:
        odd = ", ".join(sorted(stored ^ parsed))
        messages.append(
            checks.Error(f"Model and serializer of {service.module} differ in: {odd}.", id="btec_sync.E002")
        )
    late = [parent.module for parent in service.dependencies.values() if parent not in earlier]
    if late:
        messages.append(
            checks.Error(
                f"{service.module} stands before {', '.join(late)} in BTEC_SYNC_SERVICES.",
                id="btec_sync.E003",
            )
        )
    try:
        resolve(f"/v1/sync/{service.module}")
    except Resolver404:
        messages.append(
            checks.Error(f"{service.module} has no address in config/urls.py.", id="btec_sync.E004")
        )
    if not admin.site.is_registered(service.model):
        messages.append(checks.Error(f"{service.module} is not in the admin.", id="btec_sync.E005"))
    return messages


@checks.register(TAG)
def production_requires_keys(app_configs, **kwargs) -> list[checks.CheckMessage]:
    """Outside DEBUG nobody writes without a key, so the start itself is refused."""
    if settings.DEBUG or settings.BTEC_REQUIRE_API_KEY:
        return []
    return [
        checks.Critical(
            "BTEC_REQUIRE_API_KEY is off outside DEBUG: anybody could write into every tenant.",
            hint="Unset BTEC_REQUIRE_API_KEY and make a key with manage.py create_api_key.",
            id="btec_sync.E010",
        )
    ]
