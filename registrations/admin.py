"""Registrations in the admin."""

from django.contrib import admin

from btec_sync.admin import MirrorAdmin, TenantFilter

from .models import Registration


@admin.register(Registration)
class RegistrationAdmin(MirrorAdmin):
    list_display = ["zoho_id", "student", "program", "enrollment_status", "registration_date"]
    list_display += ["completion_date", "tenant", "updated_at"]
    search_fields = ["zoho_id", "student__name", "student__zoho_id", "program__product_name"]
    list_filter = [TenantFilter, "enrollment_status"]
    list_select_related = ["tenant", "student", "program"]
