"""Registrations as Zoho sends them."""

from btec_sync import fields
from btec_sync.serializers import RecordSerializer


class RegistrationSerializer(RecordSerializer):
    Student = fields.Lookup("student")
    Program = fields.Lookup("program")
    Enrollment_Status = fields.Text("enrollment_status", max_length=255)
    Registration_Date = fields.Date("registration_date", required=False)
    Completion_Date = fields.Date("completion_date", required=False)
