"""Bodies, answers and long values as the admin shows them: as they came, cut, and to be downloaded whole."""

import re
import time

import pytest

from btec_sync.models import Delivery, RecordResult
from payments.models import Payment
from tests.admin import page_of, stored, superuser, text, url
from tests.conftest import payload


@pytest.fixture
def client(db):
    return superuser()


BODIES = {
    "no JSON": (b"a=1&b=2", "a=1&b=2"),
    "cut JSON": (b'{"data": [{"id": "pay', '{"data": [{"id": "pay'),
    "no UTF-8": (b"\xff\xfe caf\xe9", r"\xff\xfe caf\xe9"),
    "control characters": (b"a\x00b\x1b[31m", "a<U+0000>b<U+001B>[31m"),
    "empty": (b"", "-"),
    "numbers as they were spelled": (
        b'{"data":[500.00,5E2,-0,1e999]}',
        '{ "data": [ 500.00, 5E2, -0, 1e999 ] }',
    ),
    "a key twice": (b'{"a":1,"a":2}', '{ "a": 1, "a": 2 }'),
    "letters as letters": (rb'{"a":"\u00e9\ud83c\udf93\u0633"}', '{ "a": "é🎓س" }'),
    "other escapes as they were spelled": (
        rb'{"a":"\"\\\u0041\n\u202e\ud800\\u0633\/"}',
        r'{ "a": "\"\\\u0041\n\u202e\ud800\\u0633\/" }',
    ),
    "nothing inside": (b'{"data":[ ],"b":{}}', '{ "data": [], "b": {} }'),
    "marks in strings": (b'{"a":"x,y:{}[]"}', '{ "a": "x,y:{}[]" }'),
    "Arabic": ('{"Name":"سارة"}'.encode(), '{ "Name": "سارة" }'),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_shown_as_it_came(client, db, name):
    body, shown = BODIES[name]

    assert html_body(client, stored(body)) == shown


def html_body(client, delivery) -> str:
    page = text(client.get(page_of(delivery)))
    return re.search(r" Body: (.*) Download, byte for byte", page)[1]


FIVE_MIB = 5 * 1024 * 1024


HUGE = {
    "one string": b'"' + b"x" * (FIVE_MIB - 2) + b'"',
    "a string of escapes": b'"' + rb"\"" * (FIVE_MIB // 2 - 1) + b'"',
    "an open string": b'"' + rb"\"" * (FIVE_MIB // 2 - 1),
    "many records": b'{"data":[' + b",".join([b'{"id":"s","Name":"Layla"}'] * 200_000) + b"]}",
    "nested": b"[" * (FIVE_MIB // 2) + b"]" * (FIVE_MIB // 2),
    "many nested": (b"[" * 900 + b"[]," * 1_500_000 + b"[]" + b"]" * 900),
    "one number": b"1" * FIVE_MIB,
    "no UTF-8": b"\xff" * FIVE_MIB,
    "markup": b"<" * FIVE_MIB,
    "line ends": b"\n" * FIVE_MIB,
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_body_does_not_bloat_the_page(client, db, name):
    delivery = stored(HUGE[name], answer=HUGE[name], traceback="x" * 100_000)

    began = time.perf_counter()
    response = client.get(page_of(delivery))

    assert response.status_code == 200
    assert time.perf_counter() - began < 20
    assert len(response.content) < 2_500_000
    assert "Only the beginning is shown" in text(response) or name == "line ends"


def test_a_body_is_cut_anywhere(client, db):
    for offset in range(12):
        delivery = stored(b'"' + b"x" * offset + rb"\ud83c\udf93" * 20_000 + b'"')
        assert "🎓" in text(client.get(page_of(delivery))), offset


def test_a_body_is_downloaded_byte_for_byte(client, db):
    body = bytes(range(256))
    delivery = stored(body)

    response = client.get(url(Delivery, "body", delivery.pk))

    assert response.content == body
    assert response.headers["Content-Disposition"] == f'attachment; filename="{delivery.uid}.body"'
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_long_values_are_cut_in_tables_and_whole_on_the_results_page(client, sender, parents):
    old, new = "x" * 30_000, "y" * 30_000
    for text_sent in (old, new):
        sender.post("payments", {**payload("payment"), "Description": text_sent})
    payment = Payment.objects.get()
    result = RecordResult.objects.filter(module="payments").latest("pk")

    assert len(client.get(page_of(payment)).content) < 60_000
    assert len(client.get(url(RecordResult)).content) < 60_000
    assert f"description: {old} → {new}" in text(client.get(page_of(result)))
