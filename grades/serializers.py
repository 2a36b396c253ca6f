"""Grades as Zoho sends them."""

from btec_sync import fields
from btec_sync.serializers import RecordSerializer


class GradeSerializer(RecordSerializer):
    Student = fields.Lookup("student")
    Unit = fields.Lookup("unit")
    Grade_Value = fields.Text("grade_value")
    Score = fields.Number("score", maximum="100", required=False)
    Grade_Date = fields.Date("grade_date", required=False)
    Comments = fields.Text("comments", max_length=32_000, required=False)
