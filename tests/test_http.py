"""The service behind a real gunicorn, spoken to in bytes: who is let in, and what HTTP can get wrong."""

import gzip
import json
import time
from contextlib import suppress

import pytest
from django.http import HttpRequest
from django.test import Client
from django.urls import path

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


@pytest.fixture(scope="module")
def database_url():
    with live.database() as url:
        yield url


@pytest.fixture(scope="module")
def keys(database_url):
    return json.loads(live.manage(database_url, "shell", "--no-imports", "--command", SEED))


@pytest.fixture(scope="module")
def server(database_url, keys):
    """As in production: no DEBUG, keys required."""
    with live.server(database_url) as running:
        yield running
        assert_nothing_crashed(running)


@pytest.fixture(scope="module")
def debug_server(database_url, keys):
    """As on a first run: DEBUG, no keys required."""
    with live.server(database_url, DJANGO_DEBUG="true") as running:
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


# --- Who is let in ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["first", "second"])
def test_each_of_two_live_keys_opens_the_tenant(server, keys, name):
    answer = server.exchange(request(keys[name]))

    assert answer.status == 200
    assert answer.json()["tenant_id"] == "default"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer ", "Bearer"])
def test_the_scheme_is_read_in_any_case(server, keys, scheme):
    assert server.exchange(request(None, f"Authorization: {scheme} {keys['first']}")).status == 200


def test_the_tenant_may_be_confirmed(server, keys):
    assert server.exchange(request(keys["first"], "x-tenant-id: default")).status == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer btec_nonsense",
        "Bearer {first}x",
        "Bearer {truncated}",
        "Bearer {prefix}",
        "Bearer {upper}",
        "Bearer {first} {first}",
        "Bearer {first},{second}",
        "Bearer {first}\xe9",
        "Bearer \xff\xfe\x80",
        "Bearer {revoked}",
        "Bearer {expired}",
        "Basic {first}",
        "Basic ZGVmYXVsdDp4",
        "Token {first}",
        "{first}",
        "Bearer\t{first}",
        "Bearer " + "x" * 8_000,
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_without_a_live_key_nobody_is_let_in(server, keys, authorization):
    first = keys["first"]
    headers = []
    if authorization is not None:
        also = {"truncated": first[:-1], "prefix": first[:13], "upper": first.upper()}
        headers = [f"Authorization: {authorization.format(**keys, **also)}"]
    before = deliveries(server)

    answer = server.exchange(request(None, *headers, "X-Tenant-ID: default"))

    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert deliveries(server) == before


def test_two_keys_in_two_headers_are_none(server, keys):
    answer = server.exchange(request(keys["first"], f"Authorization: Bearer {keys['second']}"))

    assert_problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize(
    "headers",
    [
        ["X-Tenant-ID: other"],
        ["X-Tenant-ID: asleep"],
        ["X-Tenant-ID: nobody"],
        ["X-Tenant-ID:"],
        ["X-Tenant-ID: DEFAULT"],
        ["X-Tenant-ID: default, other"],
        ["X-Tenant-ID: default", "X-Tenant-ID: default"],
        ["X-Tenant-ID: default", "X-Tenant-ID: other"],
        ["X-Tenant-ID: d\xe9fault"],
        ["X-Tenant-ID: default\xa0"],
    ],
    ids=ascii,
)
def test_a_key_does_not_open_what_another_tenant_id_names(server, keys, headers):
    before = deliveries(server)

    answer = server.exchange(request(keys["first"], *headers))

    assert_problem(answer, 403, "tenant_refused")
    assert deliveries(server) == before


def test_another_tenant_an_unknown_and_an_inactive_one_answer_alike(server, keys):
    answers = [
        server.exchange(request(keys[key], f"X-Tenant-ID: {tenant}"))
        for key, tenant in [
            ("first", "other"),
            ("first", "nobody"),
            ("first", "asleep"),
            ("asleep", "asleep"),
            ("other", "default"),
        ]
    ]

    assert {answer.status for answer in answers} == {403}
    assert len({answer.body for answer in answers}) == 1


def test_an_inactive_tenants_own_key_opens_nothing(server, keys):
    assert_problem(server.exchange(request(keys["asleep"])), 403, "tenant_refused")


def test_a_header_spelled_with_underscores_does_not_count(server, keys):
    answer = server.exchange(request(keys["first"], "X_Tenant_ID: other"))

    assert answer.status == 200
    assert answer.json()["tenant_id"] == "default"


def test_a_key_spelled_with_underscores_does_not_count(server, keys):
    named = server.exchange(request(keys["first"], "Idempotency_Key: mine"))

    assert named.json()["idempotency_key"] != "mine"


def test_without_required_keys_the_tenant_id_alone_opens(debug_server):
    assert debug_server.exchange(request(None, "X-Tenant-ID: default")).json()["tenant_id"] == "default"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        ["X-Tenant-ID:"],
        ["X-Tenant-ID: nobody"],
        ["X-Tenant-ID: asleep"],
        ["X_Tenant_ID: default"],
        ["X-Tenant-ID: default", "X-Tenant-ID: default"],
        ["X-Tenant-ID: default'--"],
    ],
    ids=ascii,
)
def test_without_required_keys_the_tenant_must_still_be_there(debug_server, headers):
    assert_problem(debug_server.exchange(request(None, *headers)), 403, "tenant_refused")


def test_a_key_that_is_sent_must_be_good_even_where_none_is_required(debug_server, keys):
    wrong = debug_server.exchange(request(keys["revoked"], "X-Tenant-ID: default"))
    foreign = debug_server.exchange(request(keys["other"], "X-Tenant-ID: default"))

    assert_problem(wrong, 401, "unauthenticated")
    assert_problem(foreign, 403, "tenant_refused")


# --- Bodies -------------------------------------------------------------------------------------------


def chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def chunked(key: str, body: bytes, *headers: str) -> bytes:
    return request(key, "Transfer-Encoding: chunked", *headers, length=False, body=body)


@pytest.mark.parametrize(
    "body",
    [
        chunks(BODY),
        chunks(*(BODY[n : n + 1] for n in range(len(BODY)))),
        b"%X;name=value\r\n%s\r\n0\r\nX-Trailer: x\r\n\r\n" % (len(BODY), BODY),
    ],
    ids=["one", "one a byte", "with extension and trailer"],
)
def test_a_chunked_body_is_read(server, keys, body):
    answer = server.exchange(chunked(keys["first"], body))

    assert answer.status == 200
    assert answer.json()["results"][0]["zoho_unit_id"] == "unit_1"


def test_a_chunked_body_is_never_taken_for_an_empty_one(server, keys):
    assert_problem(server.exchange(chunked(keys["first"], chunks())), 400, "malformed_json")


@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nabc",
        b"%x\r\n%s" % (len(BODY), BODY),
        b"%x\r\n%s\r\n" % (len(BODY), BODY),
        b"zz\r\n" + BODY,
        b"-1\r\n" + BODY,
        b"3\r\nabcdef\r\n0\r\n\r\n",
        b"\r\n\r\n",
    ],
    ids=["short", "without its end", "without the last", "no number", "negative", "overlong", "no chunk"],
)
def test_a_malformed_chunked_body_is_refused(server, keys, body):
    before = deliveries(server)

    answer = server.exchange(chunked(keys["first"], body), end=True)

    assert_problem(answer, 400, "malformed_json")
    assert deliveries(server) == before


def test_a_body_that_ends_before_its_length_is_refused(server, keys):
    before = deliveries(server)

    for sent in (BODY, BODY[:-1], b""):
        whole = BODY + b" " * 100
        answer = server.exchange(request(keys["first"], body=whole).removesuffix(whole) + sent, end=True)

        assert_problem(answer, 400, "malformed_json")
    assert deliveries(server) == before


def test_a_length_that_is_too_short_cuts_the_body_off(server, keys):
    answer = server.exchange(request(keys["first"], body=BODY[:-1]) + BODY[-1:], end=True)

    assert_problem(answer, 400, "malformed_json")


def test_a_request_without_a_length_has_no_body(server, keys):
    answer = server.exchange(request(keys["first"], length=False), end=True)

    assert_problem(answer, 400, "malformed_json")


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: -1"],
        ["Content-Length: x"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked, chunked"],
        ["Transfer-Encoding: nonsense"],
        ["X-Request-ID: a\0b"],
    ],
    ids=ascii,
)
def test_gunicorn_itself_refuses_what_is_no_http(server, keys, headers):
    before = deliveries(server)

    answer = server.exchange(request(keys["first"], *headers, length=False), end=True)

    assert 400 <= answer.status <= 501
    assert deliveries(server) == before


@pytest.mark.parametrize("close", [[], ["Connection: close"]], ids=["kept alive", "closed"])
@pytest.mark.parametrize(
    ("key", "status", "code"), [("first", 413, "too_large"), ("expired", 401, "unauthenticated")]
)
def test_a_sender_of_a_large_body_gets_to_see_why_it_is_refused(server, keys, close, key, status, code):
    body = b" " * (8 * 1024 * 1024)

    assert_problem(server.exchange(request(keys[key], *close, body=body)), status, code)


def test_a_refused_body_that_does_not_come_is_not_waited_for(server, keys):
    began = time.monotonic()

    answer = server.exchange(request(keys["expired"], body=BODY).removesuffix(BODY))

    assert_problem(answer, 401, "unauthenticated")
    assert time.monotonic() - began < 20


@pytest.mark.postgresql
def test_a_refused_body_that_comes_a_byte_at_a_time_is_not_waited_for(server, keys):
    body = b" " * 65_536
    began = time.monotonic()

    with server.connect() as connection:
        connection.sendall(request(keys["expired"], body=body).removesuffix(body))
        connection.settimeout(0.5)
        answer = b""
        while not answer and time.monotonic() - began < 30:
            connection.sendall(b" ")
            with suppress(TimeoutError):
                answer = connection.recv(65_536)

    assert answer.startswith(b"HTTP/1.1 401 ")


def test_a_large_chunked_body_is_refused(server, keys):
    part = b" " * (1024 * 1024)
    before = deliveries(server)

    assert_problem(server.exchange(chunked(keys["first"], chunks(*[part] * 6))), 413, "too_large")
    assert deliveries(server) == before


def test_a_body_of_64_mib_is_refused_and_not_kept(server, keys):
    before = deliveries(server)

    answer = server.exchange(request(keys["first"], body=b" " * (64 * 1024 * 1024)))

    assert_problem(answer, 413, "too_large")
    assert deliveries(server) == before


def test_what_unpacks_to_a_gibibyte_is_refused_packed(server, keys):
    # A gibibyte of blanks in a mebibyte: gzip members may follow each other.
    bomb = gzip.compress(b" " * (16 * 1024 * 1024)) * 64

    answer = server.exchange(request(keys["first"], "Content-Encoding: gzip", body=bomb))

    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("opening", [b"[", b'{"data":', b'{"data":[{"id":'])
def test_a_body_that_only_opens_is_refused_at_once(server, keys, opening):
    began = time.monotonic()

    answer = server.exchange(request(keys["first"], body=opening * (4 * 1024 * 1024 // len(opening))))

    assert_problem(answer, 400, "malformed_json")
    assert time.monotonic() - began < 10


def test_requests_that_do_not_wait_for_answers_get_theirs_in_order(server, keys):
    bodies = [json.dumps({"data": [{**UNIT, "id": f"piped_{n}"}]}).encode() for n in range(5)]
    last = request(keys["first"], "Connection: close", body=bodies[-1])

    with server.connect() as connection:
        connection.sendall(b"".join(request(keys["first"], body=body) for body in bodies[:-1]) + last)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))

    places = [answers.find(f'"zoho_unit_id": "piped_{n}", "status": "NEW"'.encode()) for n in range(5)]
    assert answers.count(b"HTTP/1.1 200 ") == 5
    assert -1 not in places
    assert places == sorted(places)


def test_a_connection_goes_on_after_a_refusal(server, keys):
    both = request(keys["expired"], body=b"x" * 1_000) + request(keys["first"], "Connection: close")

    with server.connect() as connection:
        connection.sendall(both)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answers.startswith(b"HTTP/1.1 401 ")
    assert answers.count(b"HTTP/1.1 200 ") == 1


# --- Addresses and methods ----------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["students", "programs", "units", "registrations", "payments", "grades"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_module_has_its_address_with_and_without_a_slash(server, keys, module, slash):
    answer = server.exchange(request(keys["first"], target=f"/v1/sync/{module}{slash}"))

    assert answer.status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("target", ["/v1/sync/units", "/v1/sync/units/"])
def test_another_method_is_not_allowed(server, keys, method, target):
    answer = server.exchange(request(keys["first"], method=method, target=target))

    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


def test_a_head_is_not_allowed_either(server, keys):
    answer = server.request("HEAD", "/v1/sync/units", headers={"Authorization": f"Bearer {keys['first']}"})

    assert answer.status == 405
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body == b""


NOWHERE = [
    "/v1/",
    "/v1/nothing",
    "/v1/sync",
    "/v1/sync/",
    "/v1/sync/students/stud_456",
    "/v1/sync/units//",
    "/v1/sync//units",
    "/v1/sync/units.json",
    "/v1/sync/Units",
    "/v1/sync/%00%ff",
    "/v1/sync/units%0a",
    "/v1/sync/units%2f..",
]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("target", NOWHERE)
def test_an_address_that_is_not_there_is_a_problem(server, keys, target, method):
    answer = server.exchange(request(keys["first"], target=target, method=method))

    assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize("target", NOWHERE)
def test_an_address_that_is_not_there_is_a_problem_in_debug_too(debug_server, target):
    answer = debug_server.exchange(request(None, "X-Tenant-ID: default", target=target))

    assert_problem(answer, 404, "not_found")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:99999x", "localhost", "a b", "[::1", "é"])
@pytest.mark.parametrize("target", ["/v1/sync/units", "/v1/nothing"])
def test_a_host_that_is_not_ours_is_a_problem(server, keys, host, target):
    before = deliveries(server)

    assert_problem(server.exchange(request(keys["first"], host=host, target=target)), 400, "bad_request")
    assert deliveries(server) == before


def test_a_host_that_is_not_ours_is_a_problem_in_debug_too(debug_server):
    answer = debug_server.exchange(request(None, "X-Tenant-ID: default", host="evil.example"))

    assert_problem(answer, 400, "bad_request")


def crash(http_request: HttpRequest):
    raise RuntimeError("a secret of ours")


urlpatterns = [path("v1/crash", crash), path("v1/sync/crash", crash)]


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("target", ["/v1/crash", "/v1/sync/crash"])
def test_a_crash_shows_nothing_of_itself(tenant, settings, debug, target):
    settings.DEBUG = debug
    settings.ROOT_URLCONF = __name__

    response = Client(raise_request_exception=False).post(target, headers={"X-Tenant-ID": "default"})

    assert response.status_code == 500
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "internal_error"
    assert b"secret" not in response.content
    assert b"Traceback" not in response.content
