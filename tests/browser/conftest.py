"""One service and one Chromium for the browser's tests; a window for each test that asks for one."""

import os
from contextlib import ExitStack

import pytest

from tests.browser import surf
from tests.browser.site import addresses, site


@pytest.fixture(scope="package", autouse=True)
def _chromium_is_there():
    if surf.program():
        return
    if os.environ.get("BTEC_REQUIRE_BROWSER"):
        pytest.fail("Chromium is not on this machine, and BTEC_REQUIRE_BROWSER is set.")
    pytest.skip("Chromium is not on this machine (Debian: apt-get install chromium).")


@pytest.fixture(scope="package")
def server(_chromium_is_there):
    with site() as running:
        yield running


@pytest.fixture(scope="package")
def pages(server):
    """The address of every kind of page, by a short name."""
    return addresses(server)


@pytest.fixture(scope="package")
def chromium(_chromium_is_there):
    with surf.browser() as running:
        yield running


@pytest.fixture(scope="package")
def logins(server):
    """What each person's browser keeps after the log-in, by name."""
    return {}


@pytest.fixture
def window(chromium, server, logins):
    """Opens a window for somebody; at the test's end nothing may have gone wrong in any of them."""
    with ExitStack() as windows:

        def open_window(person: str = "", **options):
            state = logins.get(person)
            opened = windows.enter_context(surf.visit(chromium, server.url, storage_state=state, **options))
            if state:
                opened.open("/admin/")
            elif person:
                opened.log_in(person)
                logins[person] = opened.context.storage_state()
            assert not person or opened.page.url == f"{server.url}/admin/"
            return opened

        yield open_window
