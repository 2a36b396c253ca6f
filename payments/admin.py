"""Payments in the admin."""

from django.contrib import admin

from btec_sync.admin_bases import MirrorAdmin
from btec_sync.admin_gathered import Gathered

from .models import Payment


@admin.register(Payment)
class PaymentAdmin(MirrorAdmin):
    list_display = ["zoho_id", "registration", "student", "amount"]
    list_display += ["payment_status", "payment_method", "payment_date"]
    list_select_related = ["registration__student"]
    search_fields = ["zoho_id", "registration__zoho_id"]
    search_fields += ["registration__student__zoho_id", "registration__student__name"]
    list_filter = ["payment_status", "payment_method"]
    # Zoho's statuses are any text, so none is taken to mean that the money is there: each has its sum.
    gathered = [
        Gathered(
            "registration__student",
            ["registration", "amount", "payment_status", "payment_date"],
            newest="payment_date",
            sum_of="amount",
            sum_by=["registration", "payment_status"],
        ),
        Gathered(
            "registration",
            ["amount", "payment_status", "payment_method", "payment_date"],
            newest="payment_date",
            sum_of="amount",
            sum_by=["payment_status"],
        ),
    ]

    @admin.display(ordering="registration__student__name")
    def student(self, payment: Payment):
        return payment.registration.student
