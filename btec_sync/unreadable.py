"""What a body says that the service does not read: one that is packed, not in UTF-8, or no JSON."""

import json
import re
import zlib
from collections.abc import Collection, Iterator
from contextlib import suppress

#: Of a packed body so much is looked into: a few bytes may stand for gigabytes.
MOST_UNPACKED = 64 * 1024 * 1024
# What is fed at once: where a packed body is broken, no more than this is lost of what stands before.
PIECE = 4 * 1024
# gzip or zlib, as its first bytes say; and deflate without any, as some send it.
PACKED = (zlib.MAX_WBITS + 32, -zlib.MAX_WBITS)

# Ids are ASCII, of which JSON may write each letter so; any other escape is no part of one.
ESCAPE = re.compile(rb"\\(?:u00([2-7][0-9A-Fa-f])|u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def readings(body: bytes) -> Iterator[bytes]:
    """The body as it is and, where it may be that, from UTF-16, from UTF-32 or unpacked to UTF-8."""
    yield from _with_encoding(body)
    if not _is_utf8(body):
        for kind in PACKED:
            yield from _with_encoding(_unpacked(body, kind))


def names(reading: bytes, zoho_ids: Collection[str]) -> bool:
    """Whether one of the ids stands in it as a word."""
    text = ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else b" ", reading)
    return any(
        re.search(rb"(?<![\w.:-])" + re.escape(zoho_id.encode()) + rb"(?![\w.:-])", text)
        for zoho_id in zoho_ids
    )


def _with_encoding(body: bytes) -> Iterator[bytes]:
    yield body
    encoding = json.detect_encoding(body)
    if not encoding.startswith("utf-8"):
        yield body.decode(encoding, "replace").encode()


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unpacked(body: bytes, kind: int) -> bytes:
    """What a packed body holds, up to where it is broken or becomes too long; nothing of any other."""
    found = bytearray()
    inflater = zlib.decompressobj(kind)
    with suppress(zlib.error):
        for start in range(0, len(body), PIECE):
            rest = body[start : start + PIECE]
            while rest and len(found) < MOST_UNPACKED:
                found += inflater.decompress(rest, MOST_UNPACKED - len(found))
                rest = inflater.unused_data
                if inflater.eof:  # gzip files may be joined
                    inflater = zlib.decompressobj(kind)
    return bytes(found)
