"""Students and programs in the admin."""

from django.contrib import admin

from btec_sync.admin import MirrorAdmin, TenantFilter

from .models import Program, Student


@admin.register(Student)
class StudentAdmin(MirrorAdmin):
    list_display = ["zoho_id", "name", "academic_email", "phone", "status", "tenant", "updated_at"]
    search_fields = ["zoho_id", "name", "academic_email"]
    list_filter = [TenantFilter, "status"]


@admin.register(Program)
class ProgramAdmin(MirrorAdmin):
    list_display = ["zoho_id", "product_name", "program_price", "moodle_id", "status", "tenant", "updated_at"]
    search_fields = ["zoho_id", "product_name"]
    list_filter = [TenantFilter, "status"]
