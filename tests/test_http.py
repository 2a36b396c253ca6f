"""The service behind a real gunicorn, spoken to in bytes: who is let in, and which addresses are there."""

import pytest
from django.http import HttpRequest
from django.test import Client
from django.urls import path

from tests import live, raw_http
from tests.raw_http import assert_problem, deliveries, request


@pytest.fixture(scope="module")
def database_url():
    with live.database() as url:
        yield url


@pytest.fixture(scope="module")
def keys(database_url):
    return raw_http.made_keys(database_url)


@pytest.fixture(scope="module")
def server(database_url, keys):
    """As in production: no DEBUG, keys required."""
    with raw_http.server(database_url) as running:
        yield running


@pytest.fixture(scope="module")
def debug_server(database_url, keys):
    """As on a first run: DEBUG, no keys required."""
    with raw_http.server(database_url, DJANGO_DEBUG="true") as running:
        yield running


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
