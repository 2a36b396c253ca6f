"""Units in the admin."""

from django.contrib import admin

from btec_sync.admin_bases import MirrorAdmin

from .models import Unit


@admin.register(Unit)
class UnitAdmin(MirrorAdmin):
    list_display = ["zoho_id", "unit_code", "unit_name", "level", "credit_hours", "status"]
    search_fields = ["zoho_id", "unit_code", "unit_name"]
    list_filter = ["level", "status"]
