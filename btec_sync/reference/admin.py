"""Students and programs in the admin."""

from django.contrib import admin

from btec_sync.admin_bases import MirrorAdmin

from .models import Program, Student


@admin.register(Student)
class StudentAdmin(MirrorAdmin):
    list_display = ["zoho_id", "name", "academic_email", "phone", "status"]
    search_fields = ["zoho_id", "name", "academic_email"]
    list_filter = ["status"]


@admin.register(Program)
class ProgramAdmin(MirrorAdmin):
    list_display = ["zoho_id", "product_name", "program_price", "moodle_id", "status"]
    search_fields = ["zoho_id", "product_name"]
    list_filter = ["status"]
