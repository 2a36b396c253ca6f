"""Units as they are stored."""

from django.db import models

from btec_sync.models import ParentRecord


class Unit(ParentRecord):
    """A unit of a BTEC qualification that students are graded in."""

    unit_code = models.CharField(max_length=255)
    unit_name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    credit_hours = models.DecimalField(max_digits=6, decimal_places=2, null=True)
    level = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.unit_code} {self.unit_name} ({self.zoho_id})"
