"""Requests that are refused as a whole: what is answered, and what is kept of them."""

import json

import pytest
from django.test import Client

from btec_sync.models import Delivery, IdempotencyKey
from tests import factories
from tests.test_wire import nested

UNIT = b'{"id":"unit_1","Unit_Code":"U1","Unit_Name":"Unit 1","Status":"Active"}'
GOOD = b'{"data":[' + UNIT + b"]}"


def assert_problem(response, status: int, code: str) -> dict:
    """The members of a refusal that is a problem of RFC 9457 and holds nothing of our insides."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert {"type", "title", "detail"} <= problem.keys()
    assert "Traceback" not in response.content.decode()
    return problem


def assert_rejected(response, body: bytes) -> None:
    """The request was kept byte for byte, with what was answered to it."""
    delivery = Delivery.objects.get()
    assert delivery.state == Delivery.State.REJECTED
    assert bytes(delivery.body) == body
    assert delivery.answer_status == response.status_code
    assert bytes(delivery.answer) == response.content


NOT_JSON = {
    "blanks": b" \r\n",
    "a form": b"data=%5B%5D",
    "cut short": GOOD[:-2],
    "more behind it": GOOD + b"x",
    "two texts": GOOD + GOOD,
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-32": GOOD.decode().encode("utf-32"),
    "Latin-1": GOOD.replace(b"Unit 1", b"Unit\xe9"),
    "NUL": GOOD + b"\0",
    "a NUL in a string": GOOD.replace(b"Unit 1", b"Unit\0"),
    "NaN": GOOD.replace(b'"Active"', b"NaN"),
    "Infinity": GOOD.replace(b'"Active"', b"Infinity"),
    "minus Infinity": GOOD.replace(b'"Active"', b"-Infinity"),
    "data twice": b'{"data":[],' + GOOD[1:],
    "a key of a record twice": GOOD.replace(b'"id"', b'"id":"unit_2","id"'),
    "a key of a lookup twice": b'{"data":[{"Student":{"id":"a","id":"b"}}]}',
    "too deep": b'{"data":%s}' % nested(32),
    "bottomless": b'{"data":' + b"[" * 100_000,
    "gzip": b"\x1f\x8b\x08\x00" + GOOD,
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_that_is_not_json_is_refused_and_kept(sender, body):
    response = sender.post_body("units", body)

    assert_problem(response, 400, "malformed_json")
    assert_rejected(response, body)


NO_ENVELOPE = {
    "no data": b"{}",
    "no records": b'{"data":[]}',
    "data an object": b'{"data":{}}',
    "data a record": b'{"data":' + UNIT + b"}",
    "data null": b'{"data":null}',
    "data a string": b'{"data":"[]"}',
    "data a number": b'{"data":1e999999999}',
    "data true": b'{"data":true}',
    "another key": b'{"data":[' + UNIT + b'],"x":1}',
    "another spelling": b'{"Data":[' + UNIT + b"]}",
    "an array": b"[]",
    "records without envelope": b"[" + UNIT + b"]",
    "a record without envelope": UNIT,
    "a number": b"1",
    "a huge number": b"9" * 5_000,
    "a string": b'"data"',
    "null": b"null",
}


@pytest.mark.parametrize("body", NO_ENVELOPE.values(), ids=NO_ENVELOPE)
def test_json_that_is_no_envelope_is_refused_and_kept(sender, body):
    response = sender.post_body("units", body)

    assert_problem(response, 400, "malformed_envelope")
    assert_rejected(response, body)


def test_the_deepest_envelope_is_read(sender):
    body = b'{"data":%s}' % nested(31)

    response = sender.post_body("units", body)

    assert response.status_code == 200
    assert response.json()["summary"]["INVALID"] == 1


@pytest.mark.parametrize("text", ["null", "1", "1e999999999", '"unit_1"', "true", "[]", "[{}]"])
def test_a_record_that_is_no_object_is_invalid_without_an_id(sender, text):
    response = sender.post_body("units", f'{{"data":[{text},{UNIT.decode()}]}}')

    assert response.status_code == 200
    assert response.json()["status"] == "partial"
    [refused, taken] = response.json()["results"]
    assert refused["zoho_unit_id"] is None
    assert refused["status"] == "INVALID"
    assert refused["errors"][0]["code"] == "invalid_type"
    assert taken["status"] == "NEW"
    assert Delivery.objects.get().state == Delivery.State.INCOMPLETE


# --- Size ---------------------------------------------------------------------------------------------


def test_a_thousand_records_are_one_batch(sender):
    records = [factories.UnitRecord() for _ in range(1_000)]

    assert set(sender.states("units", *records)) == {"NEW"}


def test_one_record_more_is_too_large_and_kept(sender):
    body = json.dumps({"data": [factories.UnitRecord() for _ in range(1_001)]}).encode()

    response = sender.post_body("units", body)

    problem = assert_problem(response, 413, "too_large")
    assert "1,001 records" in problem["detail"]
    assert_rejected(response, body)


def test_a_body_at_the_limit_is_read(sender, settings):
    settings.BTEC_MAX_BODY_BYTES = len(GOOD)

    assert sender.post_body("units", GOOD).status_code == 200


def test_one_byte_more_is_too_large_and_not_kept(sender, settings):
    settings.BTEC_MAX_BODY_BYTES = len(GOOD) - 1

    response = sender.post_body("units", GOOD)

    assert_problem(response, 413, "too_large")
    assert not Delivery.objects.exists()


def test_djangos_own_limit_of_bodies_does_not_count(sender, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10

    assert sender.post_body("units", GOOD).status_code == 200


@pytest.mark.parametrize("length", ["", "abc", "²", "-1", "9" * 5_000])
def test_a_content_length_that_is_no_number_is_no_crash(tenant, length):
    # Servers refuse these before Django sees them; it is for those that do not.
    response = Client(raise_request_exception=False).post(
        "/v1/sync/units",
        GOOD,
        content_type="application/json",
        headers={"X-Tenant-ID": "default"},
        CONTENT_LENGTH=length,
    )

    assert_problem(response, 400, "malformed_json")


# --- Media types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json;charset=UTF-8",
        "application/json ; Charset=utf-8",
        "Application/JSON",
        "application/json; foo=bar",
        "application/json;",
    ],
)
def test_json_in_utf_8_is_taken(sender, content_type):
    assert sender.post_body("units", GOOD, content_type=content_type).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "*/*",
        "json",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/json; charset=latin-1",
        'application/json; charset="utf-16"',
        "application/json; charset=",
        "application/json; foo=bar; charset=windows-1256",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json\x00",
        "applicatiön/json",
    ],
)
def test_another_media_type_or_charset_is_refused_and_kept(sender, content_type):
    # generic(), as post() would write the body in the charset.
    response = sender.client.generic("POST", "/v1/sync/units", GOOD, content_type, headers=sender.headers)

    assert_problem(response, 415, "unsupported_media_type")
    assert_rejected(response, GOOD)


def test_a_request_without_body_and_media_type_is_refused_and_kept(sender):
    response = sender.client.generic("POST", "/v1/sync/units", headers=sender.headers)

    assert_problem(response, 415, "unsupported_media_type")
    assert_rejected(response, b"")


def test_an_empty_body_is_no_json(sender):
    response = sender.client.generic(
        "POST", "/v1/sync/units", headers=sender.headers, CONTENT_TYPE="application/json"
    )

    assert_problem(response, 400, "malformed_json")
    assert_rejected(response, b"")


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "gzip, identity", "x", "utf-8"])
def test_an_encoded_body_is_refused_and_kept(sender, encoding):
    response = sender.post_body("units", GOOD, **{"Content-Encoding": encoding})

    assert_problem(response, 415, "unsupported_media_type")
    assert_rejected(response, GOOD)


@pytest.mark.parametrize("encoding", ["identity", "Identity", ""])
def test_the_encoding_identity_is_none(sender, encoding):
    assert sender.post_body("units", GOOD, **{"Content-Encoding": encoding}).status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*;q=0", "nonsense"])
def test_the_answer_is_json_whatever_is_accepted(sender, accept):
    response = sender.post_body("units", GOOD, Accept=accept)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"


# --- Idempotency-Key ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["", " ", "a b", "x" * 256, "x" * 5_000, "a\tb", "clé", "مفتاح", "a\x7fb", "a\x85b", "a\xa0b", "a\xadb"],
    ids=lambda key: ascii(key)[1:13],
)
def test_a_malformed_key_is_refused_and_burns_no_key(sender, key):
    response = sender.post_body("units", GOOD, key=key)

    assert_problem(response, 400, "key_malformed")
    assert_rejected(response, GOOD)
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("key", ["x", "x" * 255, "a\\tb", '!"#$%&()*+,-./:;<=>?@[]^_`{|}~'])
def test_visible_ascii_is_a_key(sender, key):
    response = sender.post_body("units", GOOD, key=key)

    assert response.status_code == 200
    assert response.json()["idempotency_key"] == key


@pytest.mark.parametrize(
    ("body", "options", "status"),
    [
        (b"{", {}, 400),
        (b'{"data":[]}', {}, 400),
        (GOOD, {"content_type": "text/plain"}, 415),
        (GOOD, {"Content-Encoding": "gzip"}, 415),
    ],
)
def test_a_refused_request_burns_no_key(sender, body, options, status):
    refused = sender.post_body("units", body, key="k1", **options)
    taken = sender.post_body("units", GOOD, key="k1")

    assert refused.status_code == status
    assert taken.status_code == 200
    assert "Idempotent-Replayed" not in taken.headers


# --- Who asks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["X-Tenant-ID", "Authorization"])
@pytest.mark.parametrize(
    "value", ["a\0b", "\0", "\ud800", "é", "x" * 100_000], ids=lambda value: ascii(value)[:10]
)
def test_no_header_is_a_crash(tenant, header, value):
    # Servers refuse a NUL before Django sees it; it is for those that do not.
    headers = {"X-Tenant-ID": "default"} | {header: f"Bearer {value}" if header == "Authorization" else value}

    response = Client(raise_request_exception=False).post(
        "/v1/sync/units", GOOD, content_type="application/json", headers=headers
    )

    if header == "X-Tenant-ID":
        assert_problem(response, 403, "tenant_refused")
    else:
        assert_problem(response, 401, "unauthenticated")
    assert not Delivery.objects.exists()
