"""Grades in the admin."""

from django.contrib import admin

from btec_sync.admin_bases import MirrorAdmin
from btec_sync.admin_gathered import Gathered

from .models import Grade


@admin.register(Grade)
class GradeAdmin(MirrorAdmin):
    list_display = ["zoho_id", "student", "unit", "grade_value", "score", "grade_date"]
    search_fields = ["zoho_id", "student__zoho_id", "student__name"]
    search_fields += ["unit__zoho_id", "unit__unit_code", "unit__unit_name"]
    list_filter = ["grade_value"]
    gathered = [Gathered("student", ["unit", "grade_value", "score", "grade_date"], newest="grade_date")]
