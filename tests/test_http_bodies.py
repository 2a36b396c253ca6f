"""Bodies as HTTP brings them to a real gunicorn: in chunks, cut, packed, too large, one after the other."""

import gzip
import json
import time
from contextlib import suppress

import pytest

from tests import live, raw_http
from tests.raw_http import BODY, UNIT, assert_problem, deliveries, request

pytestmark = pytest.mark.once


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
