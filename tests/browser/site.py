"""The service as production runs it, with the college of the browser's tests in it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from tests import live
from tests.browser.college import LONG_WORD


@contextmanager
def site() -> Iterator[live.Server]:
    with live.database() as database, tempfile.TemporaryDirectory(prefix="btec-static-") as folder:
        settings = {"DJANGO_SETTINGS_MODULE": "tests.browser.settings", "DJANGO_STATIC_ROOT": folder}
        live.manage(database, "collectstatic", "--noinput", "--verbosity", "0", **settings)
        live.manage(
            database, "shell", "--no-imports", "-c", "from tests.browser import college; college.main()"
        )
        with live.server(database, **settings) as server:
            yield server


#: Pages that no group may see, or none of the first tenant, by their names in addresses().
SUPERUSERS = {"tenants", "tenant", "keys", "idempotency-keys", "student-long"}


def addresses(server: live.Server) -> dict[str, str]:
    """Every kind of page, by a short name."""
    one = lambda statement: server.query(statement)[0][0]  # noqa: E731
    number = "SELECT id FROM {} WHERE zoho_id = '{}' ORDER BY id DESC"
    student = one(number.format("reference_student", "stud_456"))
    long = one(number.format("reference_student", LONG_WORD))
    registration = one(number.format("registrations_registration", "reg_456"))
    payment = one(number.format("payments_payment", "pay_921"))
    parked = one(number.format("btec_sync_recordresult", "pay_912"))
    invalid = one(number.format("btec_sync_recordresult", "grade_1932"))
    delivery = one(f"SELECT delivery_id FROM btec_sync_recordresult WHERE id = {invalid}")
    failed = one("SELECT id FROM btec_sync_delivery WHERE state = 'failed'")
    rejected = one("SELECT id FROM btec_sync_delivery WHERE state = 'rejected'")
    tenant = one("SELECT id FROM btec_sync_tenant WHERE slug = 'default'")
    btec = "/admin/btec_sync"
    return {
        "home": "/",
        "docs": "/v1/docs",
        "front": "/admin/",
        "health": "/admin/sync-health/",
        "health-24h": "/admin/sync-health/?period=24h",
        "health-30d": "/admin/sync-health/?period=30d",
        "health-module": "/admin/sync-health/?module=payments",
        "students": "/admin/reference/student/",
        "student": f"/admin/reference/student/{student}/change/",
        "student-long": f"/admin/reference/student/{long}/change/",
        "programs": "/admin/reference/program/",
        "units": "/admin/units/unit/",
        "registrations": "/admin/registrations/registration/",
        "registration": f"/admin/registrations/registration/{registration}/change/",
        "grades": "/admin/grades/grade/",
        "payments": "/admin/payments/payment/",
        "payment": f"/admin/payments/payment/{payment}/change/",
        "mend": f"{btec}/recordtomend/",
        "mend-parent": f"{btec}/recordtomend/?waits_for=registrations",
        "mend-one": f"{btec}/recordtomend/{parked}/change/",
        "results": f"{btec}/recordresult/",
        "result": f"{btec}/recordresult/{invalid}/change/",
        "deliveries": f"{btec}/delivery/",
        "delivery": f"{btec}/delivery/{delivery}/change/",
        "delivery-failed": f"{btec}/delivery/{failed}/change/",
        "delivery-rejected": f"{btec}/delivery/{rejected}/change/",
        "tombstones": f"{btec}/tombstone/",
        "tenants": f"{btec}/tenant/",
        "tenant": f"{btec}/tenant/{tenant}/change/",
        "keys": f"{btec}/apikey/",
        "idempotency-keys": f"{btec}/idempotencykey/",
    }
