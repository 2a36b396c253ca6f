"""Registrations in the admin."""

from django.contrib import admin

from btec_sync.admin_bases import MirrorAdmin
from btec_sync.admin_gathered import Gathered

from .models import Registration


@admin.register(Registration)
class RegistrationAdmin(MirrorAdmin):
    list_display = ["zoho_id", "student", "program", "enrollment_status"]
    list_display += ["registration_date", "completion_date"]
    search_fields = ["zoho_id", "student__zoho_id", "student__name"]
    search_fields += ["program__zoho_id", "program__product_name"]
    list_filter = ["enrollment_status"]
    gathered = [
        Gathered(
            "student",
            ["program", "enrollment_status", "registration_date", "completion_date"],
            newest="registration_date",
        ),
    ]
