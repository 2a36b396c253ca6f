"""Registrations as they are stored."""

from django.db import models

from btec_sync.constraints import SameTenant
from btec_sync.models import ParentRecord
from btec_sync.reference.models import Program, Student


class Registration(ParentRecord):
    """A student's place on a program."""

    student = models.ForeignKey(Student, on_delete=models.PROTECT, db_constraint=False)
    program = models.ForeignKey(Program, on_delete=models.PROTECT, db_constraint=False)
    enrollment_status = models.CharField(max_length=255)
    registration_date = models.DateField(null=True)
    completion_date = models.DateField(null=True)

    class Meta(ParentRecord.Meta):
        constraints = [
            *ParentRecord.Meta.constraints,
            SameTenant(field="student", table="reference_student", name="registration_student_same_tenant"),
            SameTenant(field="program", table="reference_program", name="registration_program_same_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.zoho_id} ({self.enrollment_status})"
