"""manage.py prune: expired sessions and old attempts to log in, which belong to no tenant."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.utils import timezone

from btec_sync import retention
from tests.admin import superuser
from tests.pruning import prune, removed


@pytest.fixture
def logins(db, monkeypatch):
    """Of each kind some old ones, more than a piece, and a new one."""
    monkeypatch.setattr(retention, "PIECE", 2)
    kept = superuser().session.session_key
    expired = timezone.now() - timedelta(seconds=1)
    Session.objects.bulk_create(Session(session_key=f"s{n}", expire_date=expired) for n in range(3))
    for number, days in enumerate([29, 31, 32, 33]):
        for model in (AccessAttempt, AccessFailureLog, AccessLog):
            extra = {"failures_since_start": 1} if model is AccessAttempt else {}
            row = model.objects.create(username="who", ip_address=f"192.0.2.{number}", **extra)
            model.objects.filter(pk=row.pk).update(attempt_time=timezone.now() - timedelta(days=days))
    return kept


def test_expired_sessions_and_old_attempts_to_log_in_go(logins):
    told = prune("--dry-run")
    assert (Session.objects.count(), AccessAttempt.objects.count()) == (4, 4)

    output = prune()

    assert [session.pk for session in Session.objects.all()] == [logins]
    for model in (AccessAttempt, AccessFailureLog, AccessLog):
        assert model.objects.get().ip_address == "192.0.2.0"
    assert removed(told) == removed(output)
    assert removed(output)["expired sessions"] == 3
    assert removed(output)["login attempts"] == 9


def test_logins_are_no_tenants_and_stay_when_one_is_named(logins, tenant):
    output = prune("--tenant", "default")

    assert (Session.objects.count(), AccessAttempt.objects.count()) == (4, 4)
    assert "sessions" not in output
