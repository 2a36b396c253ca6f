"""Grades in the admin."""

from django.contrib import admin

from btec_sync.admin import MirrorAdmin, TenantFilter

from .models import Grade


@admin.register(Grade)
class GradeAdmin(MirrorAdmin):
    list_display = [
        "zoho_id",
        "student",
        "unit",
        "grade_value",
        "score",
        "grade_date",
        "tenant",
        "updated_at",
    ]
    search_fields = ["zoho_id", "student__name", "student__zoho_id", "unit__unit_code", "unit__unit_name"]
    list_filter = [TenantFilter, "grade_value"]
    list_select_related = ["tenant", "student", "unit"]
