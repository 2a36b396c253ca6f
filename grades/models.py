"""Grades as they are stored."""

from django.db import models

from btec_sync.constraints import SameTenant
from btec_sync.models import SyncedRecord
from btec_sync.reference.models import Student
from units.models import Unit


class Grade(SyncedRecord):
    """A student's result in a unit."""

    student = models.ForeignKey(Student, on_delete=models.PROTECT, db_constraint=False)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, db_constraint=False)
    grade_value = models.CharField(max_length=255)
    score = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    grade_date = models.DateField(null=True)
    comments = models.TextField(blank=True)

    class Meta(SyncedRecord.Meta):
        constraints = [
            *SyncedRecord.Meta.constraints,
            SameTenant(field="student", table="reference_student", name="grade_student_same_tenant"),
            SameTenant(field="unit", table="units_unit", name="grade_unit_same_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.grade_value} ({self.zoho_id})"
