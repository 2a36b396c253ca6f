"""Units as Zoho sends them."""

from btec_sync import fields
from btec_sync.serializers import RecordSerializer


class UnitSerializer(RecordSerializer):
    Unit_Code = fields.Text("unit_code")
    Unit_Name = fields.Text("unit_name")
    Description = fields.Text("description", max_length=32_000, required=False)
    Credit_Hours = fields.Number("credit_hours", maximum="9999", required=False)
    Level = fields.Text("level", required=False)
    Status = fields.Text("status")
