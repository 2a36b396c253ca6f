"""Two colleges with the same ids in every module: neither ever touches, sees or releases the other's."""

import pytest

from btec_sync import keys, parking
from btec_sync.models import ApiKey, Arrival, Delivery, IdempotencyKey, RecordResult, Tenant
from btec_sync.services import services
from tests import factories
from tests.api import Sender
from tests.conftest import payload

RECORDS = [
    ("students", payload("student")),
    ("programs", payload("program")),
    ("units", {**payload("unit"), "id": "unit_789"}),
    ("registrations", {**payload("registration"), "id": "reg_456"}),
    ("payments", payload("payment")),
    ("grades", payload("grade")),
]
CHANGED = {
    "students": {"Phone": "1"},
    "programs": {"Program_Price": 1},
    "units": {"Level": "L9"},
    "registrations": {"Enrollment_Status": "Left"},
    "payments": {"Amount": 1},
    "grades": {"Comments": "changed"},
}


@pytest.fixture
def senders(tenant, settings):
    """Two tenants, each with a key of its own, as in production."""
    settings.BTEC_REQUIRE_API_KEY = True
    other = factories.TenantFactory(slug="other")
    return (
        Sender("default", api_key=factories.api_key(tenant)),
        Sender("other", api_key=factories.api_key(other)),
    )


def everything_of(slug: str) -> dict[str, list[dict]]:
    """Every row of every table that belongs to the tenant."""
    models = [Delivery, RecordResult, IdempotencyKey, *(s.model for s in services().values())]
    return {m.__name__: list(m.objects.filter(tenant__slug=slug).order_by("pk").values()) for m in models}


def test_what_one_sends_leaves_every_row_of_the_other_as_it_was(senders, replay):
    ours, theirs = senders
    for module, record in RECORDS:
        ours.post(module, record, key="k")
    before = everything_of("default")

    for module, record in RECORDS:
        assert theirs.states(module, record, key="k") == ["NEW"]
        assert theirs.states(module, {**record, **CHANGED[module]}) == ["UPDATED"]
    replay("--all", "--tenant", "other")

    assert everything_of("default") == before
    for service in services().values():
        assert service.model.objects.filter(tenant__slug="other").count() == 1


def test_references_lead_to_ones_own_parents(senders):
    for sender in senders:
        for module, record in RECORDS:
            sender.post(module, record)

    for service in services().values():
        for record in service.model.objects.all():
            for name in service.dependencies:
                assert getattr(record, name).tenant_id == record.tenant_id


def test_a_parent_releases_ones_own_children_only(senders):
    ours, theirs = senders
    for module, record in reversed(RECORDS):
        ours.post(module, record)
        if module not in ("students", "programs", "units"):
            theirs.post(module, record)
    parked = RecordResult.objects.filter(tenant__slug="other", current=True).exclude(waits_for_id="")
    assert parked.exists()
    assert not Arrival.objects.exists()

    for tenant in Tenant.objects.all():
        parking.release(tenant)

    assert list(parked.values_list("attempt", flat=True)) == [1, 1, 1]
    assert services()["payments"].model.objects.filter(tenant__slug="default").count() == 1
    assert not services()["payments"].model.objects.filter(tenant__slug="other").exists()


@pytest.mark.parametrize("module", [module for module, _ in RECORDS])
def test_a_key_writes_into_its_own_tenant_whatever_the_header_says(senders, module):
    ours, _ = senders
    stranger = Sender("other")
    stranger.headers["Authorization"] = ours.headers["Authorization"]
    record = dict(RECORDS)[module]

    response = stranger.post(module, record)

    assert response.status_code == 403
    assert response.json()["code"] == "tenant_refused"
    assert not Delivery.objects.exists()


def test_without_the_header_the_key_decides(senders):
    ours, _ = senders
    del ours.headers["X-Tenant-ID"]

    assert ours.post("students", payload("student")).json()["tenant_id"] == "default"


def test_unknown_inactive_and_foreign_tenants_answer_alike(senders):
    ours, _ = senders
    factories.TenantFactory(slug="closed", active=False)
    answers = set()
    for slug in ("other", "closed", "nobody", "", "DEFAULT"):
        ours.headers["X-Tenant-ID"] = slug
        answers.add(ours.post("students", payload("student")).content)

    assert len(answers) == 1


def test_an_inactive_tenants_own_key_is_refused(senders):
    ours, _ = senders
    Tenant.objects.filter(slug="default").update(active=False)

    assert ours.post("students", payload("student")).status_code == 403


def test_two_keys_are_live_at_once_and_each_ends_by_itself(senders, tenant):
    old, _ = senders
    new = Sender("default", api_key=factories.api_key(tenant))
    both = [sender.post("students", payload("student")).status_code for sender in (old, new)]

    ApiKey.objects.filter(prefix=old.headers["Authorization"].split()[1][: keys.PREFIX_LENGTH]).update(
        revoked_at="2026-01-01T00:00:00Z"
    )
    after = [sender.post("students", payload("student")).status_code for sender in (old, new)]

    assert both == [200, 200]
    assert after == [401, 200]


def test_keys_are_compared_whole_and_in_constant_time(senders, monkeypatch):
    compared = []
    real = keys.hmac.compare_digest
    monkeypatch.setattr(keys.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    ours, _ = senders
    text = ours.headers["Authorization"].split()[1]

    found = [keys.find(t) for t in (text, text[:-1], text + "x", text[: keys.PREFIX_LENGTH], "nothing", "")]

    assert [key is not None for key in found] == [True, False, False, False, False, False]
    assert len(compared) == 6
    assert all(len(a) == len(b) == 64 for a, b in compared)


def test_the_log_holds_no_key_no_body_and_no_name(senders, log_lines):
    ours, _ = senders

    for module, record in RECORDS:
        ours.post(module, record, {**record, "Nonsense": 1}, {})
    ours.post_body("payments", "Ahmed Mohamed")
    Sender("default", api_key="btec_wrong_key_of_nobody").post("students", payload("student"))

    lines = log_lines()
    assert len(lines) == len(RECORDS) + 2
    for line in lines:
        said = {name: value for name, value in line.items() if name not in ("timestamp", "duration_ms")}
        said |= dict.fromkeys(("request_id", "delivery"))
        for secret in ("Ahmed", "500", "Excellent", "555 0100", "btec_", ours.headers["Authorization"]):
            assert secret not in str(said).replace("btec_sync", "")
