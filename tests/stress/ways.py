"""The ways in which mutants.py breaks the code: a replacement in one file, and the tests that must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One way to break it: in `file`, `old` becomes `new`; `tests` must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTANTS = [
    Mutant(
        "a key is claimed outside the transaction",
        "btec_sync/deliveries.py",
        "        with transaction.atomic():\n            situation, ",
        "        idempotency.claim(delivery, key)\n        with transaction.atomic():\n            situation, ",
        "tests/test_idempotency.py",
    ),
    Mutant(
        "parents are looked up without the tenant",
        "btec_sync/services.py",
        'return cls._by_zoho_id("zoho_id", "pk")',
        'records = cls.model.objects.order_by().values_list("zoho_id", "pk")\n'
        "        return Prepared(lambda tenant, zoho_ids: records.filter(zoho_id__in=zoho_ids))",
        "tests/test_sync_payments.py",
    ),
    Mutant(
        "stored records are looked up without the tenant",
        "btec_sync/services.py",
        'return cls._by_zoho_id("zoho_id", "pk", "fingerprint", *MARK_COLUMNS)',
        'records = cls.model.objects.order_by().values_list("zoho_id", "pk", "fingerprint", *MARK_COLUMNS)\n'
        "        return Prepared(lambda tenant, zoho_ids: records.filter(zoho_id__in=zoho_ids))",
        "tests/test_sync_units.py",
    ),
    Mutant(
        "the fingerprint leaves a field out",
        "btec_sync/fingerprints.py",
        "for name in sorted(names)]",
        'for name in sorted(names) if name != "comments"]',
        "tests/test_sync_grades.py",
    ),
    Mutant(
        "the fingerprint leaves lookups out",
        "btec_sync/fingerprints.py",
        "for name in sorted(names)]",
        'for name in sorted(names) if name != "student"]',
        "tests/test_sync_registrations.py",
    ),
    Mutant(
        "nobody waits for a turn",
        "btec_sync/turns.py",
        "WHERE id = %s FOR NO KEY UPDATE",
        "WHERE id = %s",
        "tests/test_concurrency.py",
    ),
    Mutant(
        "what is stored is asked before the turn has come",
        "btec_sync/turns.py",
        "    return ask(*questions, after=[limits, turn])",
        "    rows = ask(*questions, after=[limits])\n    ask(after=[turn])\n    return rows",
        "tests/test_concurrency.py",
    ),
    Mutant(
        "an older Modified_Time is taken",
        "btec_sync/order.py",
        "return theirs < ours or (theirs == ours and order.place < self.place)",
        "return theirs == ours and order.place < self.place",
        "tests/test_sync_units.py",
    ),
    Mutant(
        "at equal times an earlier arrival wins",
        "btec_sync/order.py",
        "return theirs < ours or (theirs == ours and order.place < self.place)",
        "return theirs < ours",
        "tests/test_oracle.py tests/test_replay.py",
    ),
    Mutant(
        "a replay may roll newer data back",
        "btec_sync/order.py",
        "        return order.place < self.seen",
        "        return False",
        "tests/test_replay.py",
    ),
    Mutant(
        "an unchanged delivery does not count as one that spoke",
        "btec_sync/order.py",
        "            seen=max(self.seen, order.place),",
        "            seen=self.seen,",
        "tests/test_replay.py",
    ),
    Mutant(
        "what says the same again without a version makes it forgotten",
        "btec_sync/order.py",
        "            version=self.version if order.version is None else order.version,",
        "            version=order.version,",
        "tests/test_sync_units.py",
    ),
    Mutant(
        "Version is asked before Modified_Time",
        "btec_sync/order.py",
        "((self.modified_time, order.modified_time), (self.version, order.version))",
        "((self.version, order.version), (self.modified_time, order.modified_time))",
        "tests/test_sync_units.py",
    ),
    Mutant(
        "a parent that arrives releases nobody",
        "btec_sync/arrivals.py",
        "add(service.tenant, service.module, awaited)",
        "pass",
        "tests/test_sync_payments.py",
    ),
    Mutant(
        "a parent releases other tenants' children",
        "btec_sync/parking.py",
        "arrivals.waiting(tenant=tenant, ",
        "arrivals.waiting(",
        "tests/test_structure.py tests/test_tenants.py",
    ),
    Mutant(
        "chains of parked records stop after the first",
        "btec_sync/parking.py",
        "    while arrived := arrivals.first(tenant, BATCH):",
        "    for arrived in filter(None, [arrivals.first(tenant, BATCH)]):",
        "tests/test_sync_payments.py",
    ),
    Mutant(
        "a released record gets a new place in the order",
        "btec_sync/parking.py",
        "candidates += service.parse((delivery.pk, p, records[p]) for p in positions[delivery.pk])",
        "candidates += service.parse((delivery.pk + 10**6, p, records[p]) for p in positions[delivery.pk])",
        "tests/test_sync_payments.py",
    ),
    Mutant(
        "two releases at once both do the work",
        "btec_sync/parking.py",
        "for c in candidates if c.place in still",
        "for c in candidates",
        "tests/test_arrivals.py",
    ),
    Mutant(
        "money passes through a float",
        "btec_sync/wire.py",
        "    return Decimal(literal)",
        "    return Decimal(float(literal))",
        "tests/test_sync_payments.py tests/test_fields.py",
    ),
    Mutant(
        "true is the number 1",
        "btec_sync/fields.py",
        "if type(data) not in self.json_types:",
        "if not isinstance(data, self.json_types):",
        "tests/test_sync_payments.py tests/test_fields.py",
    ),
    Mutant(
        "unknown fields are dropped in silence",
        "btec_sync/serializers.py",
        "        if not ignore_unknown:",
        "        if False:",
        "tests/test_sync_units.py",
    ),
    Mutant(
        "duplicate keys of an object are taken",
        "btec_sync/wire.py",
        "    if len(value) != len(pairs):",
        "    if False:",
        "tests/test_wire.py",
    ),
    Mutant(
        "an update stores the fingerprint and not the lookup",
        "btec_sync/storing.py",
        'update=[*values, "updated_at"],',
        'update=[*(name for name in values if name not in parents), "updated_at"],',
        "tests/test_sync_grades.py",
    ),
    Mutant(
        "one poison record spoils its batch",
        "btec_sync/storing.py",
        "        if len(rows) == 1:",
        "        if True:",
        "tests/test_poison.py",
    ),
    Mutant(
        "a poison record is answered as stored",
        "btec_sync/storing.py",
        "            return {rows[0].zoho_id: _report(service, rows[0], error)}",
        "            return {}",
        "tests/test_poison.py",
    ),
    Mutant(
        "the derived key suppresses a resend",
        "btec_sync/idempotency.py",
        "    if key is None:\n        return delivery",
        "    key = key or delivery.digest",
        "tests/test_idempotency.py",
    ),
    Mutant(
        "a key's other body is taken",
        "btec_sync/idempotency.py",
        "    if holder.digest != delivery.digest:\n        raise _reused()\n",
        "",
        "tests/test_idempotency.py",
    ),
    Mutant(
        "a parked delivery is final for its key",
        "btec_sync/deliveries.py",
        "final = not any(outcome.state == State.ERROR or outcome.waits_for for outcome in outcomes)",
        "final = True",
        "tests/test_idempotency.py",
    ),
    Mutant(
        "a repeat is applied by a replay",
        "btec_sync/idempotency.py",
        "        return Delivery.objects.get(pk=delivery.repeats_id)\n",
        "        pass\n",
        "tests/test_idempotency.py",
    ),
    Mutant(
        "a delivery that crashes is taken away again",
        "btec_sync/deliveries.py",
        "        results.mark_failed(delivery.pk, error, attempts=attempts)\n",
        "        delivery.delete()\n",
        "tests/test_idempotency.py",
    ),
    Mutant(
        "an exception's text is answered",
        "btec_sync/deliveries.py",
        '"Processing failed. The delivery is stored and can be replayed."',
        "str(error)",
        "tests/test_idempotency.py",
    ),
    Mutant(
        "a key opens every tenant",
        "btec_sync/middleware.py",
        "        if named is not None and named != tenant.slug:\n            raise problems.TenantRefused",
        "        tenant = Tenant.objects.filter(slug=named).first() if named else tenant",
        "tests/test_http.py",
    ),
    Mutant(
        "a revoked key still opens",
        "btec_sync/keys.py",
        "not matches or key.revoked_at or",
        "not matches or",
        "tests/test_http.py",
    ),
    Mutant(
        "staff see every tenant",
        "btec_sync/admin_bases.py",
        '            queryset = queryset.filter(**{f"{self.tenant_field}__in": visible_numbers(request)})',
        "            pass",
        "tests/test_admin_tenants.py",
    ),
    Mutant(
        "the database does not hold references to their tenant",
        "btec_sync/constraints.py",
        "FOREIGN KEY ({quote('tenant_id')}, {quote(column)}) \"\n"
        "            f\"REFERENCES {quote(self.table)} ({quote('tenant_id')}, {quote('id')}) NOT DEFERRABLE\"",
        'FOREIGN KEY ({quote(column)}) "\n'
        "            f\"REFERENCES {quote(self.table)} ({quote('id')}) NOT DEFERRABLE\"",
        "tests/test_structure.py",
    ),
    Mutant(
        "a release does not wait for its turn",
        "btec_sync/parking.py",
        "erased, *known = take_turn(\n            service.tenant, ",
        'erased, *known = __import__("btec_sync.prepared", fromlist=["ask"]).ask(',
        "tests/test_concurrency.py",
    ),
    Mutant(
        "a crash in a release fails whoever is first",
        "btec_sync/parking.py",
        "        if len(deliveries) == 1:",
        "        if True:",
        "tests/test_release_faults.py",
    ),
    Mutant(
        "an outage in a release takes the parent's answer",
        "btec_sync/deliveries.py",
        "        return replace(answer, releases_left=False)",
        "        raise",
        "tests/test_release_faults.py",
    ),
    Mutant(
        "what a crash left to be released waits for a replay",
        "btec_sync/deliveries.py",
        "left = arrived or erased",
        "left = False",
        "tests/test_release_faults.py tests/test_replay.py",
    ),
    Mutant(
        "a serialization failure is not tried again",
        "btec_sync/turns.py",
        'not in ("40001", "40P01")',
        'not in ("40P01",)',
        "tests/test_faults.py",
    ),
    Mutant(
        "the clock says what is newer",
        "btec_sync/deliveries.py",
        "candidate.moved(place_of(delivery.pk, candidate.position)",
        "candidate.moved(place_of(int(delivery.received_at.timestamp()), candidate.position)",
        "tests/test_replay.py",
    ),
    Mutant(
        "an expired key still opens",
        "btec_sync/keys.py",
        " or (key.expires_at and key.expires_at <= now)",
        "",
        "tests/test_http.py",
    ),
    Mutant(
        "who may look may replay",
        "btec_sync/admin_replay.py",
        'permissions=["replay"]',
        'permissions=["view"]',
        "tests/test_admin_tenants.py::TestReplay",
    ),
    Mutant(
        "a module's reference has no tenant in it",
        "payments/models.py",
        "            SameTenant(\n"
        '                field="registration",\n'
        '                table="registrations_registration",\n'
        '                name="payment_registration_same_tenant",\n'
        "            ),\n",
        "",
        "tests/test_structure.py",
    ),
    Mutant(
        "a stale record leaves no trace of its place",
        "btec_sync/services.py",
        "marks = row.marks.heard_of(candidate.order)",
        "marks = row.marks",
        "tests/test_replay.py",
    ),
    Mutant(
        "a prepared query asks for what it was asked for first",
        "btec_sync/prepared.py",
        'RawSQL("%s", [Slot(number)])',
        'RawSQL("%s", [argument])',
        "tests/test_prepared.py",
    ),
    Mutant(
        "what was erased is stored again",
        "btec_sync/tombstones.py",
        "if not some:",
        "if True:",
        "tests/test_erase_student.py",
    ),
    Mutant(
        "who vanishes while a request is stored keeps its locks",
        "btec_sync/deliveries.py",
        "with transaction.atomic(durable=True) if connection.in_atomic_block else nullcontext():",
        "with transaction.atomic(durable=True):",
        "tests/test_silence.py",
    ),
    Mutant(
        "who crashes in a release does not wait for another that is in it",
        "btec_sync/parking.py",
        "        take_turn(tenant)\n        left",
        "        left",
        "tests/test_release_faults.py",
    ),
    Mutant(
        "one period's figures are counted in another's steps",
        "btec_sync/figures.py",
        "tuple(scope.modules), len(times))",
        "tuple(scope.modules), 0)",
        "tests/test_health_figures.py",
    ),
]
