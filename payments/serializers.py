"""Payments as Zoho sends them."""

from btec_sync import fields
from btec_sync.serializers import RecordSerializer


class PaymentSerializer(RecordSerializer):
    Registration = fields.Lookup("registration")
    Amount = fields.Money("amount")
    Payment_Date = fields.Date("payment_date", required=False)
    Payment_Method = fields.Text("payment_method", required=False)
    Payment_Status = fields.Text("payment_status")
    Description = fields.Text("description", max_length=32_000, required=False)
