"""A browser that keeps what goes wrong on the pages that it opens: Debian's Chromium, by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.college import PASSWORD

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
# What the policy forbids is said on the console, too; this is the browser's own word for it.
VIOLATIONS = """document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`violates ${event.violatedDirective}: ${event.blockedURI}`))"""


def program() -> str | None:
    return shutil.which("chromium")


@contextmanager
def browser() -> Iterator[Browser]:
    """Ended with the block, its profile removed. No test may use Django's ORM meanwhile: Playwright keeps an
    event loop in the thread."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program(), args=FLAGS)
        with suppress_after(chromium.close):
            yield chromium


@contextmanager
def suppress_after(close) -> Iterator[None]:
    try:
        yield
    finally:
        close()


@dataclass
class Visit:
    """One person's window."""

    url: str
    context: BrowserContext
    page: Page
    wrong: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.context.add_init_script(VIOLATIONS)
        self.context.on("console", self._heard)
        self.context.on("weberror", lambda error: self._note(f"uncaught: {error.error}"))
        self.context.on("requestfailed", self._failed)
        self.context.on("response", self._answered)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def log_in(self, name: str, password: str = PASSWORD) -> Page:
        self.open("/admin/login/?next=/admin/")
        self.page.fill("#id_username", name)
        self.page.fill("#id_password", password)
        self.page.click("input[type=submit]")
        return self.page

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._note(f"{message.type}: {message.text}")

    def _failed(self, request: Any) -> None:
        # What becomes a file is no page any more.
        if request.failure != "net::ERR_ABORTED":
            self._note(f"{request.failure}: {request.url}")

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self._note(f"{response.status}: {response.url}")

    def _note(self, what: str) -> None:
        self.wrong.append(f"{self.page.url}: {what}")


@contextmanager
def visit(chromium: Browser, url: str, **options: Any) -> Iterator[Visit]:
    """A new window without a login. Ends with an AssertionError when anything went wrong on a page of it."""
    context = chromium.new_context(viewport=options.pop("viewport", WIDE), **options)
    context.set_default_timeout(15_000)
    with suppress_after(context.close):
        window = Visit(url, context, context.new_page())
        window.watch()
        yield window
    assert window.wrong == [], "\n".join(window.wrong)
