"""The limit: what nobody can leave out, and nothing else. A WSGI application with raw psycopg or sqlite3.

json.loads of the body, the delivery row, a commit, one SELECT of the existing rows, one statement that
writes, a commit. Nothing is parsed, compared, parked, kept as a result or answered. It writes into the
service's own tables, with their constraints and indices.

/v1/sync/payments inserts or updates values; /unchanged writes the order marks alone, as it has been told
beforehand that nothing has changed.
"""

import hashlib
import json
import os
import sqlite3
import uuid
from datetime import UTC, datetime

from psycopg_pool import ConnectionPool

URL = os.environ["DATABASE_URL"]
FINGERPRINT = "1:" + "0" * 64  # as long as a real one

DELIVERY = """
INSERT INTO btec_sync_delivery (uid, tenant_id, module, headers, body, digest, received_at, state, attempts,
    new, unchanged, updated, invalid, error, answer, answer_is_final, traceback)
VALUES (%s, %s, 'payments', '{}', %s, %s, %s, 'received', 0, 0, 0, 0, 0, 0, '', false, '') RETURNING id
"""
EXISTING = "SELECT zoho_id, fingerprint FROM payments_payment WHERE tenant_id = %s AND zoho_id = ANY(%s)"
UPSERT = """
INSERT INTO payments_payment (tenant_id, zoho_id, registration_id, amount, payment_date, payment_method,
    payment_status, description, fingerprint, place, seen, created_at, updated_at)
SELECT %(tenant)s, sent.zoho_id, parent.id, sent.amount, sent.payment_date, sent.payment_method,
    sent.payment_status, sent.description, %(fingerprint)s, sent.place, sent.place, now(), now()
FROM unnest(%(zoho_ids)s::text[], %(parents)s::text[], %(amounts)s::numeric[], %(dates)s::date[],
    %(methods)s::text[], %(statuses)s::text[], %(descriptions)s::text[], %(places)s::bigint[])
    AS sent(zoho_id, parent, amount, payment_date, payment_method, payment_status, description, place)
JOIN registrations_registration parent ON parent.tenant_id = %(tenant)s AND parent.zoho_id = sent.parent
ON CONFLICT (tenant_id, zoho_id) DO UPDATE SET registration_id = excluded.registration_id,
    amount = excluded.amount, payment_date = excluded.payment_date, payment_method = excluded.payment_method,
    payment_status = excluded.payment_status, description = excluded.description,
    fingerprint = excluded.fingerprint, place = excluded.place, seen = excluded.seen,
    updated_at = excluded.updated_at
"""
MARKS = """
UPDATE payments_payment SET place = sent.place, seen = sent.place
FROM unnest(%(zoho_ids)s::text[], %(places)s::bigint[]) AS sent(zoho_id, place)
WHERE tenant_id = %(tenant)s AND payments_payment.zoho_id = sent.zoho_id
"""


class PostgreSQL:
    """One statement each, arrays as text, which psycopg passes on as it is."""

    def __init__(self) -> None:
        self.pool = ConnectionPool(URL, min_size=1, max_size=10, open=True)
        with self.pool.connection() as connection:
            self.tenants = dict(connection.execute("SELECT slug, id FROM btec_sync_tenant").fetchall())

    def write(self, tenant: int, body: bytes, records: list[dict], unchanged: bool) -> None:
        with self.pool.connection() as connection:
            delivery = connection.execute(DELIVERY, _delivery(tenant, body)).fetchone()[0]
            connection.commit()
            columns = {
                "tenant": tenant,
                "zoho_ids": array([record["id"] for record in records]),
                "places": array([str(delivery << 20 | position) for position in range(len(records))]),
            }
            connection.execute(EXISTING, [tenant, columns["zoho_ids"]]).fetchall()
            if unchanged:
                connection.execute(MARKS, columns)
                return
            connection.execute(
                UPSERT,
                {
                    **columns,
                    "fingerprint": FINGERPRINT,
                    "parents": array([record["Registration"]["id"] for record in records]),
                    "amounts": array([str(record["Amount"]) for record in records]),
                    "dates": array([record["Payment_Date"] for record in records]),
                    "methods": array([record["Payment_Method"] for record in records]),
                    "statuses": array([record["Payment_Status"] for record in records]),
                    "descriptions": array([record["Description"] for record in records]),
                },
            )


def array(texts: list[str]) -> str:
    """PostgreSQL's text form of an array, faster than psycopg makes it of a list."""
    quoted = ['"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts]
    return "{" + ",".join(quoted) + "}"


class SQLite:
    """The same with executemany, which is a loop in C."""

    def __init__(self) -> None:
        with self.connect() as connection:
            self.tenants = dict(connection.execute("SELECT slug, id FROM btec_sync_tenant").fetchall())

    def connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(URL.removeprefix("sqlite:///"), timeout=20, isolation_level=None)
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        return connection

    def write(self, tenant: int, body: bytes, records: list[dict], unchanged: bool) -> None:
        connection = self.connect()
        try:
            delivery = connection.execute(
                DELIVERY.replace("%s", "?"), _delivery(tenant, body, as_text=True)
            ).fetchone()[0]
            connection.execute("BEGIN IMMEDIATE")
            ids = json.dumps([record["id"] for record in records])
            existing = EXISTING.replace("= ANY(%s)", "IN (SELECT value FROM json_each(?))").replace("%s", "?")
            connection.execute(existing, [tenant, ids]).fetchall()
            places = range(delivery << 20, (delivery << 20) + len(records))
            if unchanged:
                connection.executemany(
                    "UPDATE payments_payment SET place = ?, seen = ? WHERE tenant_id = ? AND zoho_id = ?",
                    [(p, p, tenant, record["id"]) for p, record in zip(places, records, strict=True)],
                )
            else:
                now = str(datetime.now(UTC))
                connection.executemany(
                    SQLITE_UPSERT,
                    [
                        {**record, "tenant": tenant, "parent": record["Registration"]["id"], "place": place}
                        | {"fingerprint": FINGERPRINT, "now": now, "Registration": ""}
                        for place, record in zip(places, records, strict=True)
                    ],
                )
            connection.execute("COMMIT")
        finally:
            connection.close()


SQLITE_UPSERT = (
    UPSERT[: UPSERT.index("SELECT")]
    + """
SELECT :tenant, :id, parent.id, :Amount, :Payment_Date, :Payment_Method, :Payment_Status, :Description,
    :fingerprint, :place, :place, :now, :now
FROM registrations_registration parent WHERE parent.tenant_id = :tenant AND parent.zoho_id = :parent
"""
    + UPSERT[UPSERT.index("ON CONFLICT") :]
)


def _delivery(tenant: int, body: bytes, as_text: bool = False) -> list:
    uid, now = uuid.uuid4(), datetime.now(UTC)
    digest = hashlib.sha256(body).hexdigest()
    return [uid.hex if as_text else uid, tenant, body, digest, str(now) if as_text else now]


database = SQLite() if URL.startswith("sqlite") else PostgreSQL()


def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if environ["REQUEST_METHOD"] == "POST":
        tenant = database.tenants[environ["HTTP_X_TENANT_ID"]]
        database.write(tenant, body, json.loads(body)["data"], environ["PATH_INFO"] == "/unchanged")
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]
