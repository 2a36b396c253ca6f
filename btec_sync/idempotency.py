"""Which delivery an Idempotency-Key stands for.

A key decides once, when its delivery is first processed, and what it decided is kept on the delivery.
Lifetimes are counted between deliveries and not up to now, so a replay years later decides the same.
"""

import re
from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings

from .models import Delivery, IdempotencyKey
from .problems import KeyMalformed, KeyReused

PATTERN = re.compile(r"[\x21-\x7e]{1,255}")


def read_key(headers: Mapping[str, str]) -> str | None:
    """The sender's key, if there is one. Raises KeyMalformed."""
    key = headers.get("Idempotency-Key")
    if key is not None and not PATTERN.fullmatch(key):
        raise KeyMalformed("Idempotency-Key: expected 1 to 255 visible ASCII characters.")
    return key


def claim(delivery: Delivery, key: str | None) -> Delivery:
    """The delivery to process for this one: itself, or the one that holds its key already.

    Inside the transaction that processes it, so that a crash leaves no key behind. Raises KeyReused.
    """
    if delivery.repeats_id:
        # Read anew: what a transaction that is tried again has set on it was never committed.
        return Delivery.objects.get(pk=delivery.repeats_id)
    if key is None:
        return delivery
    if delivery.answer_status == KeyReused.status_code:
        raise _reused()
    mine = {"tenant": delivery.tenant, "module": delivery.module, "key": key}
    claims = {"digest": delivery.digest, "delivery": delivery, "created_at": delivery.received_at}
    IdempotencyKey.objects.bulk_create([IdempotencyKey(**mine, **claims)], ignore_conflicts=True)
    holder = IdempotencyKey.objects.select_related("delivery").get(**mine)
    if holder.delivery_id == delivery.pk:
        return delivery
    lifetime = timedelta(hours=settings.BTEC_IDEMPOTENCY_HOURS)
    if delivery.received_at - holder.created_at > lifetime:
        IdempotencyKey.objects.filter(pk=holder.pk).update(**claims)
        return delivery
    # One that waited for a replay so long that the key was used anew since is no reuse of it.
    is_long_before = delivery.pk < holder.delivery_id and holder.created_at - delivery.received_at > lifetime
    if delivery.attempts or is_long_before:
        return delivery
    if holder.digest != delivery.digest:
        raise _reused()
    return holder.delivery


def _reused() -> KeyReused:
    return KeyReused("This Idempotency-Key came with another body before. Use a new key for this one.")
