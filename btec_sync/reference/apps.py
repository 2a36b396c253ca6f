from django.apps import AppConfig


class ReferenceConfig(AppConfig):
    """Students and programs: the records that the others point at."""

    name = "btec_sync.reference"
    verbose_name = "Students and programs"
