"""Payments as a first Django project would store them, and the two tables of the bare view."""

from django.db import models


class Registration(models.Model):
    """A registration: here only so that payments can point at it."""

    tenant = models.CharField(max_length=64)
    zoho_id = models.CharField(max_length=64)

    class Meta:
        unique_together = [("tenant", "zoho_id")]

    def __str__(self) -> str:
        return self.zoho_id


class PaymentFields(models.Model):
    """What Zoho says of a payment."""

    tenant = models.CharField(max_length=64)
    zoho_id = models.CharField(max_length=64)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    payment_date = models.DateField(null=True, blank=True)
    payment_method = models.CharField(max_length=255, blank=True)
    payment_status = models.CharField(max_length=255)
    description = models.TextField(blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.zoho_id


class Payment(PaymentFields):
    """A payment of the naive reference."""

    registration = models.ForeignKey(Registration, on_delete=models.PROTECT)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        unique_together = [("tenant", "zoho_id")]


class Received(models.Model):
    """The bare view's first row: the request as it came."""

    body = models.BinaryField()
    received_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.pk)


class BarePayment(PaymentFields):
    """The bare view's second row."""

    registration = models.CharField(max_length=64)

    class Meta:
        unique_together = [("tenant", "zoho_id")]
