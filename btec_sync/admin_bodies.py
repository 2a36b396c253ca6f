"""Bodies, answers and tracebacks as the admin's pages show them: as text, whatever was sent."""

import json
import re

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from .admin_pages import NONE, link, note, scrolled, url
from .models import Delivery

SHOWN_BODY = 200_000
# A string, a mark, or anything else up to the next of these. Never backtracks: a body is 5 MiB of anything.
JSON_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]++', re.DOTALL)
# A pair of surrogates is one letter.
ESCAPE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u[0-9a-fA-F]{4}|\\[^u]")
DEEPEST_INDENT = 32
# Characters that a page cannot show.
CONTROLS = {code: f"<U+{code:04X}>" for code in [*range(32), 127] if chr(code) not in "\t\n\r"}


def pre(text: str) -> SafeString | str:
    return scrolled(format_html("<pre>{}</pre>", text)) if text else NONE


def removed(delivery: Delivery) -> str:
    """Since when body and answer are not kept any more."""
    day = timezone.localtime(delivery.body_removed_at)
    return f"Removed on {day:%Y-%m-%d}, as it was old, or spoke of a person who was erased."


def refusal(delivery: Delivery) -> str:
    """Why it was refused as a whole, in the words of the answer."""
    if delivery.body_removed_at:
        return removed(delivery)
    said = json.loads(bytes(delivery.answer))
    if "detail" not in said:  # what was answered for good before stays the answer
        return "Not kept: the answer is that of an earlier attempt."
    return f"{said['detail']} ({said['code']})"


def answer(delivery: Delivery) -> SafeString | str:
    return removed(delivery) if delivery.body_removed_at else text_of(bytes(delivery.answer))


def body(delivery: Delivery) -> SafeString | str:
    if delivery.body_removed_at:
        return removed(delivery)
    whole = link("Download, byte for byte", url(Delivery, "body", delivery.pk))
    return format_html("{}{}", text_of(bytes(delivery.body)), note(whole))


def text_of(stored: bytes) -> SafeString | str:
    """JSON with line breaks, anything else as it came; the beginning, where it is long."""
    text = _decoded(stored)
    if is_json(text):
        text = indented(text, SHOWN_BODY + 1)
    shown = pre(text[:SHOWN_BODY].translate(CONTROLS))
    if len(text) <= SHOWN_BODY:
        return shown
    return shown + note(f"Only the beginning is shown, of {len(stored):,} bytes.")


def _decoded(stored: bytes) -> str:
    try:
        return stored.decode("utf-8")
    except UnicodeDecodeError:
        # No more than is shown: four bytes at most are a character, and each can become four.
        return stored[: 4 * (SHOWN_BODY + 1)].decode("utf-8", "backslashreplace")


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True


def indented(text: str, limit: int) -> str:
    """JSON with line breaks, at least `limit` characters of it if there are as many.

    Otherwise it is as it was spelled, 500.00 and a key that stands twice, but letters are letters.
    """
    parts: list[str] = []
    before, depth, size = "", 0, 0
    for match in JSON_TOKEN.finditer(text):
        token = match[0]
        opened, closes = before in ("[", "{"), token in ("]", "}")
        depth += opened - closes
        if (opened != closes) or before == ",":
            parts.append("\n" + "  " * min(depth, DEEPEST_INDENT))
            size += len(parts[-1])
        parts.append(": " if token == ":" else ESCAPE.sub(_letter, token[:limit]))
        size += len(parts[-1])
        if size >= limit:
            break
        before = token
    return "".join(parts)


def _letter(escape: re.Match[str]) -> str:
    """Arabic that was sent as \\u0633 is read as Arabic; what would not be seen stays escaped."""
    letter = json.loads(f'"{escape[0]}"')
    return letter if letter > "\x7f" and letter.isprintable() else escape[0]
