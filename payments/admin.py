"""Payments in the admin."""

from django.contrib import admin

from btec_sync.admin import MirrorAdmin, TenantFilter

from .models import Payment


@admin.register(Payment)
class PaymentAdmin(MirrorAdmin):
    list_display = ["zoho_id", "registration", "amount", "payment_status", "payment_method", "payment_date"]
    list_display += ["tenant", "updated_at"]
    search_fields = ["zoho_id", "registration__zoho_id", "registration__student__name"]
    list_filter = [TenantFilter, "payment_status", "payment_method"]
    list_select_related = ["tenant", "registration"]
