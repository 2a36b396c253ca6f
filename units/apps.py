from django.apps import AppConfig


class UnitsConfig(AppConfig):
    """Units."""

    name = "units"
