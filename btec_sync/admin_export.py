"""Lists as files: what a list shows under its filters and its search, all pages of it."""

import structlog
from django.contrib import admin, messages
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR, IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone

from . import admin_pages as pages
from . import exports

log = structlog.get_logger(__name__)

# A spreadsheet is made whole before it is sent; CSV is sent as it is read, and has no limit.
MOST_XLSX_ROWS = 50_000
FETCHED = 1_000
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ExportAdmin(admin.ModelAdmin):
    """A list that whoever may look at it may export."""

    # Subclass implementation

    def export_columns(self) -> exports.Columns:
        raise NotImplementedError

    # The machinery

    change_list_template = "admin/btec_sync/exported_list.html"

    def get_urls(self):
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        page = path("export/<str:form>/", self.admin_site.admin_view(self.export_view), name=name)
        return [page, *super().get_urls()]

    def export_view(self, request: HttpRequest, form: str) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if form not in ("csv", "xlsx"):
            raise Http404
        request.GET = request.GET.copy()
        request.GET.pop(PAGE_VAR, None)
        try:
            shown = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect(pages.list_url(self.model, **{ERROR_FLAG: 1}))
        if form == "xlsx" and shown.queryset.values("pk")[: MOST_XLSX_ROWS + 1].count() > MOST_XLSX_ROWS:
            self.message_user(request, too_many(), messages.ERROR)
            return redirect(f"{pages.url(self.model, 'changelist')}?{request.GET.urlencode()}")
        log.info("exported", list=self.opts.label_lower, form=form, user=request.user.pk)
        rows = shown.queryset.iterator(chunk_size=FETCHED)
        return self._as_csv(rows) if form == "csv" else self._as_xlsx(rows)

    def _as_csv(self, rows):
        response = StreamingHttpResponse(
            exports.as_csv(self.export_columns(), rows), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = f'attachment; filename="{self._file_name("csv")}"'
        return response

    def _as_xlsx(self, rows):
        file = exports.as_xlsx(self.export_columns(), rows)
        return FileResponse(file, as_attachment=True, filename=self._file_name("xlsx"), content_type=XLSX)

    def _file_name(self, form: str) -> str:
        name = str(self.opts.verbose_name_plural).replace(" ", "-")
        return f"{name}-{timezone.localdate():%Y-%m-%d}.{form}"


def too_many() -> str:
    return (
        f"An XLSX file takes at most {MOST_XLSX_ROWS:,} rows here, and these are more. "
        "Filter the list first, or take CSV, which has no limit."
    )
