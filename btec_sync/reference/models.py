"""The records that the others point at."""

from django.db import models

from btec_sync.models import ParentRecord


class Student(ParentRecord):
    """A person who is or was enrolled."""

    name = models.CharField(max_length=255)
    academic_email = models.CharField(max_length=255, blank=True)
    phone = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.zoho_id})"


class Program(ParentRecord):
    """A course of study that students register for and pay."""

    product_name = models.CharField(max_length=255)
    program_price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    moodle_id = models.CharField("Moodle id", max_length=255, blank=True)
    status = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return f"{self.product_name} ({self.zoho_id})"
