from django.apps import AppConfig


class RegistrationsConfig(AppConfig):
    """Registrations."""

    name = "registrations"
