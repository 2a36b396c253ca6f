from django.apps import AppConfig


class GradesConfig(AppConfig):
    """Grades."""

    name = "grades"
