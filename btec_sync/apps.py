from django.apps import AppConfig


class BtecSyncConfig(AppConfig):
    """The machinery that every module stands on."""

    name = "btec_sync"
    verbose_name = "Sync"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers the system checks)
