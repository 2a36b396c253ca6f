"""A body that cannot be read as records goes as a whole where it holds a person's id, however packed."""

import gzip
import json
import zlib

import pytest

from btec_sync import unreadable
from btec_sync.models import Delivery
from tests.erasing import counts, erase, student


def test_a_body_that_is_no_json_is_removed_as_a_whole(sender, parents):
    sender.post("students", student())
    sender.post_body("students", '{"data": [{"id": "stud_z", "Name": "Zenobia"')
    sender.post_body("students", '{"data": [{"id": "stud_zz"')

    output = erase()

    one, other = Delivery.objects.filter(state="rejected").order_by("pk")
    assert (bytes(one.body), one.body_removed_at is None) == (b"", False)
    assert bytes(other.body)
    assert counts(output)["bodies removed"] == 1


HER_BODY = json.dumps({"data": [student()]})
DEFLATE = zlib.compressobj(wbits=-zlib.MAX_WBITS)
NOT_READ = {
    "gzip": gzip.compress(HER_BODY.encode()),
    "gzip of UTF-16": gzip.compress(HER_BODY.encode("utf-16")),
    "two gzip files": gzip.compress(b" ") + gzip.compress(HER_BODY.encode()),
    "gzip without its end": gzip.compress(b" " * 100_000 + HER_BODY.encode())[:-9],
    "zlib": zlib.compress(HER_BODY.encode()),
    "deflate": DEFLATE.compress(HER_BODY.encode()) + DEFLATE.flush(),
    "UTF-16": HER_BODY.encode("utf-16"),
    "UTF-16-LE": HER_BODY.encode("utf-16-le"),
    "UTF-16-BE": HER_BODY.encode("utf-16-be"),
    "UTF-32": HER_BODY.encode("utf-32"),
    "a byte order mark": HER_BODY.encode("utf-8-sig"),
    "no end": HER_BODY[:-1].encode(),
    "no end, and another escape before": HER_BODY[:-1].replace("stud_z", "\\nstud_z").encode(),
    "no end and an escape": HER_BODY[:-1].replace("stud_z", "\\u0073tud_z").encode(),
    "a key twice": HER_BODY.replace('"Name"', '"id": "other", "Name"').encode(),
    "Latin-1": HER_BODY.replace("Q", "é").encode("latin-1"),
    "a form": b"id=stud_z&Name=Zenobia",
}


@pytest.mark.parametrize("module", ["students", "units"])
@pytest.mark.parametrize("body", NOT_READ.values(), ids=NOT_READ)
def test_a_body_that_is_not_read_and_holds_her_id_is_removed_whatever_it_is_packed_in(
    sender, tenant, module, body
):
    sender.post("students", student())
    assert sender.post_body(module, body).status_code == 400
    sender.post_body(module, gzip.compress(b'{"data": [{"id": "stud_zz"}]}'))

    output = erase()

    hers, other = Delivery.objects.order_by("pk")[1:]
    assert (bytes(hers.body), hers.state, hers.body_removed_at is None) == (b"", "rejected", False)
    assert bytes(other.body)
    assert counts(output)["bodies removed"] == 1


def test_a_body_that_is_refused_for_its_encoding_is_removed(sender, tenant):
    body = gzip.compress(HER_BODY.encode())
    response = sender.post_body("students", body, **{"Content-Encoding": "gzip"})
    assert response.status_code == 415

    erase("--unknown")

    assert bytes(Delivery.objects.get().body) == b""


def test_a_packed_body_is_unpacked_within_bounds(monkeypatch):
    monkeypatch.setattr(unreadable, "MOST_UNPACKED", 10_000)
    bomb = gzip.compress(b" " * 100_000_000 + b"stud_z")

    found = [len(reading) for reading in unreadable.readings(bomb)]

    assert max(found) == len(bomb)
    assert 10_000 in found
