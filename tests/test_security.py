"""What guards the admin: limits on guessing, headers, and no inline script anywhere."""

import logging
import re
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user_model
from django.utils import timezone

pytestmark = pytest.mark.once

PASSWORD = "correct horse battery staple"


@pytest.fixture
def user(db):
    return get_user_model().objects.create_superuser("registrar", password=PASSWORD)


def log_in(client, password, address="127.0.0.1"):
    form = {"username": "registrar", "password": password, "next": "/admin/"}
    return client.post("/admin/login/", form, REMOTE_ADDR=address)


def test_a_password_cannot_be_guessed_by_trying(client, user, settings):
    wrong = [log_in(client, f"guess {n}").status_code for n in range(settings.AXES_FAILURE_LIMIT)]

    right = log_in(client, PASSWORD)

    assert wrong[:-1] == [200] * (settings.AXES_FAILURE_LIMIT - 1)
    assert right.status_code == 429
    assert client.get("/admin/").status_code == 302


def test_the_right_password_from_elsewhere_still_opens(client, user, settings):
    for n in range(settings.AXES_FAILURE_LIMIT):
        log_in(client, f"guess {n}", address="127.0.0.2")

    assert log_in(client, PASSWORD).status_code == 302


def test_after_a_while_the_right_password_opens_again(client, user, settings):
    for n in range(settings.AXES_FAILURE_LIMIT):
        log_in(client, f"guess {n}")
    AccessAttempt.objects.update(
        attempt_time=timezone.now() - settings.AXES_COOLOFF_TIME - timedelta(seconds=1)
    )

    assert log_in(client, PASSWORD).status_code == 302


def test_a_failed_login_leaves_no_password_behind_and_no_name_in_the_log(client, user):
    log_in(client, "a secret guess")

    attempt = AccessAttempt.objects.get()
    assert "a secret guess" not in str(vars(attempt))
    # What it logs of a failed login names the user.
    assert not logging.getLogger("axes.signals").isEnabledFor(logging.WARNING)


PATHS = ["/", "/admin/login/", "/admin/", "/healthz", "/metrics", "/v1/sync/units", "/v1/schema", "/v1/docs"]


@pytest.mark.parametrize("path", PATHS)
def test_every_page_carries_the_headers(client, user, path):
    client.force_login(user)

    headers = client.get(path).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_over_https_there_is_hsts_and_cookies_are_secure(client, user, settings):
    settings.SECURE_HSTS_SECONDS = 60
    settings.SESSION_COOKIE_SECURE = True
    settings.CSRF_COOKIE_SECURE = True

    response = client.get("/admin/login/", secure=True)
    client.post(
        "/admin/login/", {"username": "registrar", "password": PASSWORD}, secure=True, REMOTE_ADDR="127.0.0.1"
    )

    assert "max-age=60" in response.headers["Strict-Transport-Security"]
    assert client.cookies["sessionid"]["secure"]
    assert client.cookies["sessionid"]["httponly"]
    assert client.cookies["csrftoken"]["secure"]


INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|<style|\sstyle=|\son[a-z]+=", re.IGNORECASE
)


@pytest.mark.parametrize("path", ["/", "/v1/docs"])
def test_no_public_page_needs_inline_script_or_style_or_another_server(client, db, path):
    page = client.get(path).content.decode()

    assert INLINE.findall(page) == []
    assert re.findall(r"(?:src|href)=\"(?!/)", page) == []


def test_no_page_of_the_admin_needs_inline_script_or_style(client, user):
    client.force_login(user)
    index = client.get("/admin/").content.decode()
    pages = sorted(set(re.findall(r'href="(/admin/[a-z_]+/[a-z_]+/)"', index)))

    found = {page: INLINE.findall(client.get(page).content.decode()) for page in ["/admin/", *pages]}

    assert len(pages) > 10
    assert {page: inline for page, inline in found.items() if inline} == {}
