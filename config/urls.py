"""Every address of the service."""

from django.contrib import admin
from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from btec_sync import health
from btec_sync.admin_health import PAGE, sync_health
from btec_sync.metrics.views import metrics
from btec_sync.reference.views import ProgramViewSet, StudentViewSet
from btec_sync.schema.views import docs, schema
from grades.views import GradeViewSet
from payments.views import PaymentViewSet
from registrations.views import RegistrationViewSet
from units.views import UnitViewSet

router = SimpleRouter()
router.trailing_slash = "/?"  # webhooks are typed by hand, with the slash or without
router.register("students", StudentViewSet, basename="students")
router.register("programs", ProgramViewSet, basename="programs")
router.register("units", UnitViewSet, basename="units")
router.register("registrations", RegistrationViewSet, basename="registrations")
router.register("payments", PaymentViewSet, basename="payments")
router.register("grades", GradeViewSet, basename="grades")

urlpatterns = [
    path("", health.home, name="home"),
    path("v1/sync/", include(router.urls)),
    re_path("^v1/schema/?$", schema, name="schema"),
    re_path("^v1/docs/?$", docs, name="docs"),
    path("admin/sync-health/", admin.site.admin_view(sync_health), name=PAGE),
    path("admin/", admin.site.urls),
    path("favicon.ico", health.favicon),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
