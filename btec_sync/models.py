"""What the service remembers: tenants and their keys, deliveries and what became of them, and the base
of every mirrored record."""

import json
import uuid
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from .constraints import HalfFull, SameTenant


class PlainJSON(json.JSONEncoder):
    """JSON with letters as they are: escaped, a page of Arabic would take three times its room."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "ensure_ascii": False})


class Tenant(models.Model):
    """A college: the owner of records, and the border that nothing crosses."""

    class UnknownFields(models.TextChoices):
        REJECT = "reject", "reject: an unknown field makes the record INVALID"
        IGNORE = "ignore", "ignore: an unknown field is left out"

    slug = models.CharField(
        max_length=64,
        unique=True,
        validators=[RegexValidator(r"\A[a-z0-9][a-z0-9_-]*\Z", "Small letters, digits, _ and - only.")],
        help_text="What the sender writes in X-Tenant-ID.",
    )
    name = models.CharField(max_length=255, blank=True)
    active = models.BooleanField(default=True, help_text="An inactive tenant is refused like an unknown one.")
    unknown_fields = models.CharField(
        max_length=10, choices=UnknownFields.choices, default=UnknownFields.REJECT
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="tenants", help_text="Staff who see its records."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class ApiKey(models.Model):
    """One of a tenant's keys. Of the key itself only a prefix and a SHA-256 are kept."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=255, blank=True)
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        ordering = ["tenant", "-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.tenant})"


class Delivery(models.Model):
    """One authenticated request, byte for byte, and what became of it.

    Its id is its place in the order of arrival; its uid is what senders and operators call it.
    """

    class State(models.TextChoices):
        RECEIVED = "received"  # stored, not processed yet
        DONE = "done"
        INCOMPLETE = "incomplete"  # a record is INVALID or ERROR
        REJECTED = "rejected"  # the envelope or the key cannot be used
        FAILED = "failed"  # processing crashed

    uid = models.UUIDField("delivery id", default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    module = models.CharField(max_length=32)
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    digest = models.CharField(max_length=64, help_text="SHA-256 of tenant, module and body.")
    received_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    attempts = models.PositiveIntegerField(default=0)
    processed_at = models.DateTimeField(null=True)
    duplicate_of = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        related_name="+",
        help_text="The first delivery of the same bytes; a hint.",
    )
    repeats = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        db_constraint=False,
        related_name="+",
        help_text="The delivery whose Idempotency-Key this one sent again, and which answered for it.",
    )
    new = models.PositiveIntegerField("NEW", default=0)
    unchanged = models.PositiveIntegerField("UNCHANGED", default=0)
    updated = models.PositiveIntegerField("UPDATED", default=0)
    invalid = models.PositiveIntegerField("INVALID", default=0)
    error = models.PositiveIntegerField("ERROR", default=0)
    answer_status = models.PositiveSmallIntegerField(null=True)
    answer = models.BinaryField(default=b"")
    answer_is_final = models.BooleanField(
        default=False,
        help_text="Once no record of it is an ERROR or parked; then a repeat of its key gets it again.",
    )
    traceback = models.TextField(blank=True)
    body_removed_at = models.DateTimeField(
        "body removed",
        null=True,
        help_text="When body and answer were removed; such a one cannot be replayed.",
    )

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "id"], name="delivery_tenant_id"),
            SameTenant(
                field="duplicate_of", table="btec_sync_delivery", name="delivery_duplicate_of_same_tenant"
            ),
            SameTenant(field="repeats", table="btec_sync_delivery", name="delivery_repeats_same_tenant"),
        ]
        indexes = [
            models.Index(fields=["tenant", "digest"], name="delivery_digest"),
            models.Index(fields=["tenant", "state", "id"], name="delivery_state"),
            # What prune looks for: the oldest of those with a body, and of those without.
            models.Index(
                fields=["tenant", "received_at", "id"],
                condition=models.Q(body_removed_at=None),
                name="delivery_with_body",
            ),
            models.Index(
                fields=["tenant", "received_at", "id"],
                condition=models.Q(body_removed_at__isnull=False),
                name="delivery_without_body",
            ),
            # All that btec_sync/figures.py counts stands in the index, so that no body is read for it.
            models.Index(
                fields=[
                    *["tenant", "module", "received_at", "state"],
                    *["new", "unchanged", "updated", "invalid", "error", "id"],
                ],
                name="delivery_figures",
            ),
        ]
        permissions = [("replay_delivery", "Can replay deliveries")]

    def __str__(self) -> str:
        return str(self.uid)


class IdempotencyKey(models.Model):
    """A sender's Idempotency-Key and the delivery that it stands for.

    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """

    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    module = models.CharField(max_length=32)
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    created_at = models.DateTimeField(
        help_text="When its delivery was received; its lifetime counts from here."
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "module", "key"], name="idempotencykey_key"),
            SameTenant(
                field="delivery", table="btec_sync_delivery", name="idempotencykey_delivery_same_tenant"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "created_at", "id"], name="idempotencykey_age")]

    def __str__(self) -> str:
        return self.key


class State(models.TextChoices):
    """What becomes of a record."""

    NEW = "NEW", "NEW"
    UNCHANGED = "UNCHANGED", "UNCHANGED"
    UPDATED = "UPDATED", "UPDATED"
    INVALID = "INVALID", "INVALID"
    ERROR = "ERROR", "ERROR"


class RecordResult(models.Model):
    """What became of one record of a delivery in one attempt. UNCHANGED ones are only counted."""

    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="results", db_index=False, db_constraint=False
    )
    attempt = models.PositiveIntegerField()
    position = models.PositiveIntegerField(help_text="The record's index in the delivery's data, from 0.")
    module = models.CharField(max_length=32)
    zoho_id = models.CharField("Zoho id", max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=State.choices)
    message = models.TextField()
    errors = models.JSONField(default=list, encoder=PlainJSON)
    # The fields and codes of the errors, to filter by: btec_sync/faults.py.
    faults = models.TextField(default="", blank=True, editable=False)
    changed_fields = models.JSONField(default=dict, encoder=PlainJSON)
    waits_for_module = models.CharField(max_length=32, blank=True)
    waits_for_id = models.CharField("waits for", max_length=64, blank=True)
    current = models.BooleanField(
        default=True, help_text="No later attempt has spoken of this record of the delivery."
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "attempt", "position"], name="recordresult_position"),
            SameTenant(
                field="delivery", table="btec_sync_delivery", name="recordresult_delivery_same_tenant"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "module", "zoho_id", "-id"], name="recordresult_record"),
            models.Index(
                fields=["tenant", "waits_for_module", "waits_for_id", "delivery", "position"],
                condition=models.Q(current=True) & ~models.Q(waits_for_id=""),
                name="recordresult_parked",
            ),
            models.Index(
                fields=["tenant", "state", "module", "delivery"],
                include=["faults"],
                condition=models.Q(current=True, state__in=["INVALID", "ERROR"], waits_for_id=""),
                name="recordresult_refused",
            ),
            models.Index(
                fields=["tenant", "module", "zoho_id", "delivery", "position"],
                condition=models.Q(current=True, state__in=["INVALID", "ERROR"]),
                name="recordresult_unsettled",
            ),
            # In the order of Records to mend, which a page leaves after fifty.
            models.Index(
                fields=["-delivery", "position", "-id", "tenant"],
                condition=models.Q(current=True, state__in=["INVALID", "ERROR"]),
                name="recordresult_newest",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.module} {self.zoho_id or '(no id)'}"


class Arrival(models.Model):
    """A record that has come while others waited for it, until these went on: btec_sync/arrivals.py."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    module = models.CharField(max_length=32)
    zoho_id = models.CharField("Zoho id", max_length=64)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "module", "zoho_id"], name="arrival_record"),
        ]

    def __str__(self) -> str:
        return f"{self.module} {self.zoho_id}"


class Tombstone(models.Model):
    """A record that was erased at a person's request, and is not stored again (docs/adr/0012-erasure.md)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    module = models.CharField(max_length=32)
    zoho_id = models.CharField("Zoho id", max_length=64)
    person = models.CharField(max_length=64, help_text="The Zoho id of the student on whose request.")
    created_at = models.DateTimeField("erased", default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "module", "zoho_id"], name="tombstone_record"),
        ]

    def __str__(self) -> str:
        return f"{self.module} {self.zoho_id}"


class RecordToMend(RecordResult):
    """A record that needs somebody: the last that was heard of it is INVALID or an ERROR.

    Which results these are is told by btec_sync/mending.py.
    """

    class Meta:
        proxy = True
        verbose_name = "record to mend"
        verbose_name_plural = "records to mend"
        default_permissions = ("view",)


class SyncedRecord(models.Model):
    """A record of Zoho's, as last heard of. The base of every module's model."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    zoho_id = models.CharField("Zoho id", max_length=64)
    fingerprint = models.CharField(max_length=80, editable=False)
    # How new this is: btec_sync/order.py.
    modified_time = models.DateTimeField("modified in Zoho", null=True, editable=False)
    version = models.BigIntegerField("version in Zoho", null=True, editable=False)
    place = models.BigIntegerField(editable=False)
    seen = models.BigIntegerField(editable=False)
    created_at = models.DateTimeField("first stored", auto_now_add=True)
    updated_at = models.DateTimeField("last changed", auto_now=True)

    # What the fingerprint leaves out, each because it is not the sender's data.
    NOT_IN_FINGERPRINT = frozenset(
        {"id", "tenant", "zoho_id", "fingerprint", "modified_time", "version", "place", "seen"}
        | {"created_at", "updated_at"}
    )

    class Meta:
        abstract = True
        ordering = ["zoho_id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "zoho_id"], name="%(class)s_tenant_zoho_id"),
            HalfFull(name="%(class)s_half_full"),
        ]


class ParentRecord(SyncedRecord):
    """A record that others point at: (tenant, id) is unique, so that a reference can include the tenant."""

    class Meta(SyncedRecord.Meta):
        abstract = True
        constraints = [
            *SyncedRecord.Meta.constraints,
            models.UniqueConstraint(fields=["tenant", "id"], name="%(class)s_tenant_id"),
        ]
