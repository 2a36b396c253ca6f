"""Students and programs as Zoho sends them."""

from btec_sync import fields
from btec_sync.serializers import RecordSerializer


class StudentSerializer(RecordSerializer):
    Name = fields.Text("name")
    Academic_Email = fields.Text("academic_email", required=False)
    Phone = fields.Text("phone", required=False)
    Status = fields.Text("status", required=False)


class ProgramSerializer(RecordSerializer):
    Product_Name = fields.Text("product_name")
    Program_Price = fields.Money("program_price", required=False)
    MoodleID = fields.Text("moodle_id", required=False)
    Status = fields.Text("status", required=False)
