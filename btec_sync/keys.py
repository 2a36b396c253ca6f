"""API keys: made once, shown once, kept as a prefix and a SHA-256."""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from .models import ApiKey, Tenant
from .prepared import Prepared

PREFIX_LENGTH = 13  # "btec_" and eight characters, enough to tell keys apart
# last_used_at is for people: a write a minute is enough.
USED_EVERY = timedelta(minutes=1)


def create(tenant: Tenant, name: str = "", expires_at=None) -> str:
    """The new key's text, which nothing else ever tells again."""
    text = f"btec_{secrets.token_hex(4)}{secrets.token_urlsafe(32)}"
    ApiKey.objects.create(
        tenant=tenant, name=name, prefix=text[:PREFIX_LENGTH], digest=_digest(text), expires_at=expires_at
    )
    return text


def find(text: str) -> ApiKey | None:
    """The live key of this text, with its tenant; None for every other text alike."""
    key = _named(text[:PREFIX_LENGTH])
    # The same work, whether the prefix was right or not.
    matches = hmac.compare_digest(_digest(text), key.digest if key else _digest(""))
    now = timezone.now()
    if not key or not matches or key.revoked_at or (key.expires_at and key.expires_at <= now):
        return None
    if not key.last_used_at or now - key.last_used_at > USED_EVERY:
        used_before = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
        ApiKey.objects.filter(used_before, pk=key.pk).update(last_used_at=now)
    return key


KEY = [field.attname for field in ApiKey._meta.concrete_fields]
TENANT = [field.attname for field in Tenant._meta.concrete_fields]
KEY_AND_TENANT = Prepared(
    lambda prefix: (
        ApiKey.objects.filter(prefix=prefix)
        .order_by()
        .values_list(*KEY, *(f"tenant__{name}" for name in TENANT))
    )
)


def _named(prefix: str) -> ApiKey | None:
    for row in KEY_AND_TENANT(prefix):
        key = ApiKey.from_db(None, KEY, row[: len(KEY)])
        key.tenant = Tenant.from_db(None, TENANT, row[len(KEY) :])
        return key
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
