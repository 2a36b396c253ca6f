"""Payments as they are stored."""

from django.db import models

from btec_sync.constraints import SameTenant
from btec_sync.models import SyncedRecord
from registrations.models import Registration


class Payment(SyncedRecord):
    """Money paid, or to be paid, for a registration."""

    registration = models.ForeignKey(Registration, on_delete=models.PROTECT, db_constraint=False)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    payment_date = models.DateField(null=True)
    payment_method = models.CharField(max_length=255, blank=True)
    payment_status = models.CharField(max_length=255)
    description = models.TextField(blank=True)

    class Meta(SyncedRecord.Meta):
        constraints = [
            *SyncedRecord.Meta.constraints,
            SameTenant(
                field="registration",
                table="registrations_registration",
                name="payment_registration_same_tenant",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} ({self.zoho_id})"
