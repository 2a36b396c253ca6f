"""A real gunicorn spoken to in bytes: requests as they are spelled, and keys of every kind."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests import live

UNIT = {"id": "unit_1", "Unit_Code": "U1", "Unit_Name": "Unit 1", "Status": "Active"}
BODY = json.dumps({"data": [UNIT]}).encode()

SEED = """
import json
from datetime import timedelta
from django.utils import timezone
from btec_sync import keys
from btec_sync.models import ApiKey, Tenant

now = timezone.now()
default = Tenant.objects.create(slug="default")
other = Tenant.objects.create(slug="other")
asleep = Tenant.objects.create(slug="asleep", active=False)
made = {
    "first": keys.create(default),
    "second": keys.create(default, expires_at=now + timedelta(days=1)),
    "expired": keys.create(default, expires_at=now - timedelta(seconds=1)),
    "revoked": keys.create(default),
    "other": keys.create(other),
    "asleep": keys.create(asleep),
}
ApiKey.objects.filter(prefix=made["revoked"][: keys.PREFIX_LENGTH]).update(revoked_at=now)
print(json.dumps(made))
"""


def made_keys(database_url: str) -> dict[str, str]:
    """Keys by what is the matter with them, in a database that was empty."""
    return json.loads(live.manage(database_url, "shell", "--no-imports", "--command", SEED))


@contextmanager
def server(database_url: str, **settings: str) -> Iterator[live.Server]:
    """As in production, but for the settings: no DEBUG, keys required."""
    with live.server(database_url, **settings) as running:
        yield running
        assert_nothing_crashed(running)


def assert_nothing_crashed(server: live.Server) -> None:
    assert "Internal Server Error" not in server.log()
    assert "Traceback" not in server.log()


def request(
    key: str | None = None,
    *headers: str,
    method: str = "POST",
    target: str = "/v1/sync/units",
    host: str = "127.0.0.1",
    length: bool = True,
    body: bytes = BODY,
) -> bytes:
    """An HTTP request in bytes; header names and values as they are given."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def assert_problem(answer: live.Answer, status: int, code: str) -> None:
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["code"] == code
    for inside in (b"<", b"Traceback", b"django", b"gunicorn"):
        assert inside not in answer.body.replace(b"<key>", b"").replace(b"<module>", b"")


def deliveries(server: live.Server) -> int:
    [(count,)] = server.query("SELECT count(*) FROM btec_sync_delivery")
    return count
