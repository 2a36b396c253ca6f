"""How the database finds the figures of sync health and of /metrics, at a million results, on an empty
PostgreSQL database:

bin/with-postgres .venv/bin/python -m tests.stress.health_plans
"""

import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import tests.environment  # noqa: F401  (before Django's settings)

DELIVERIES = 300_000
RESULTS = 1_000_000
#: Everything within the longest period: more than a year of a large college in a month.
DAYS = 30

# Of each 1,000 results 40 are refused, 10 parked and 1 is an ERROR; a body is as long as a small batch's.
FILL = f"""
INSERT INTO btec_sync_tenant (slug, name, active, unknown_fields, created_at)
    SELECT 'tenant-' || n, '', true, 'reject', now() FROM generate_series(1, 4) AS n;
INSERT INTO btec_sync_delivery
    (uid, tenant_id, module, headers, body, digest, received_at, state, attempts, new, unchanged, updated,
     invalid, error, answer, answer_is_final, traceback)
    SELECT gen_random_uuid(), (SELECT min(id) FROM btec_sync_tenant) + (n % 4),
        (ARRAY['students', 'programs', 'units', 'registrations', 'payments', 'grades'])[1 + n % 6],
        '{{"Content-Type": "application/json"}}', convert_to(repeat(md5(n::text), 20), 'UTF8'),
        repeat(md5(n::text), 2), now() - interval '{DAYS} days' * (1 - n / {DELIVERIES}.0),
        CASE WHEN n % 8 = 0 THEN 'incomplete' WHEN n % 1001 = 0 THEN 'failed'
             WHEN n % 997 = 0 THEN 'rejected' ELSE 'done' END,
        1, 2, 3, 1, CASE WHEN n % 8 = 0 THEN 1 ELSE 0 END, 0,
        convert_to(repeat(md5(n::text), 20), 'UTF8'), true, ''
    FROM generate_series(1, {DELIVERIES}) AS n;
INSERT INTO btec_sync_recordresult
    (tenant_id, delivery_id, attempt, position, module, zoho_id, state, message, errors, faults,
     changed_fields, waits_for_module, waits_for_id, current, created_at)
    SELECT delivery.tenant_id, delivery.id, 1, n, delivery.module, 'z' || n,
        CASE WHEN n % 1000 < 50 THEN 'INVALID' WHEN n % 1000 = 50 THEN 'ERROR' ELSE 'NEW' END, 'Said',
        CASE WHEN n % 1000 < 50
             THEN jsonb_build_array(jsonb_build_object('field', 'Field_' || n % 7, 'code',
                  (ARRAY['required', 'out_of_range', 'invalid_type'])[1 + n % 3], 'message', 'Mend it.'))
             ELSE '[]' END,
        CASE WHEN n % 1000 < 50
             THEN E'\\nField_' || n % 7 || E'\\t' ||
                  (ARRAY['required', 'out_of_range', 'invalid_type'])[1 + n % 3] || E'\\n'
             ELSE '' END,
        '{{}}', CASE WHEN n % 1000 < 10 THEN 'students' ELSE '' END,
        CASE WHEN n % 1000 < 10 THEN 's' || n ELSE '' END, true, delivery.received_at
    FROM generate_series(1, {RESULTS}) AS n
    JOIN btec_sync_delivery AS delivery
      ON delivery.id = (SELECT min(id) FROM btec_sync_delivery) + (n % {DELIVERIES});
ANALYZE btec_sync_delivery, btec_sync_recordresult, btec_sync_tenant;
"""


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(FILL)
    show("as written, with nothing vacuumed")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE btec_sync_delivery")
        cursor.execute("VACUUM ANALYZE btec_sync_recordresult")
    show("after VACUUM")


def show(title: str) -> None:
    """Every query of the front page, the longest period, Records to mend and a scrape: its plan, its time."""
    from django.contrib.auth.models import User
    from django.test import Client

    from btec_sync.metrics.views import exposition

    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get_or_create(username="root", is_staff=True, is_superuser=True)[0])

    def page(address: str) -> None:
        assert client.get(address).status_code == 200

    for address in ("/admin/", "/admin/sync-health/?period=30d", "/admin/btec_sync/recordtomend/"):
        measure(f"{address} {title}", lambda address=address: page(address))
    measure(f"/metrics {title}", exposition)


def measure(title: str, ask: Callable[[], Any]) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            began = time.perf_counter()
            ask()
            took = time.perf_counter() - began
    say(f"\n== {title}: {took * 1000:.0f} ms, {len(queries)} queries")
    for query in queries:
        if "btec_sync_delivery" in query["sql"] or "btec_sync_recordresult" in query["sql"]:
            explain(query["sql"])


def explain(sql: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + sql.replace("%", "%%"), [])
        plan = [line for (line,) in cursor.fetchall()]
    say(f"\n{sql[:160]}…")
    for line in plan:
        if re.search(r"->|^\w.*actual|Heap Fetches|Execution Time", line):
            say("    " + re.sub(r"\(cost=\S+ rows=\d+ width=\d+\) ", "", line))


if __name__ == "__main__":
    main()
