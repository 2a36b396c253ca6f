"""Sync health, the lists behind it, Records to mend and /metrics say the same of the same data."""

import re
from collections import Counter
from io import StringIO

import pytest
from django.core.management import call_command

from btec_sync.models import Delivery, RecordToMend, State, Tenant
from tests import factories
from tests.admin import fill, superuser, text, url
from tests.api import Sender, receive
from tests.health import PAGE, figures_in, shown
from tests.metrics import TOKEN, read
from tests.triggers import refusing

TENANTS = ("amman", "zarqa")
MODULES = ("students", "units", "registrations", "payments", "grades")
# What came again since, and is stored: history, and no work. One of the payments is fill()'s.
MENDED = Counter({("payments", "INVALID"): 1, ("registrations", "INVALID"): 1, ("units", "ERROR"): 1})


@pytest.fixture
def traffic(db):
    """Two tenants with every state of deliveries and records, and not as many of one as of the other."""
    for number, slug in enumerate(TENANTS, start=2):
        tenant = fill(slug, slug, number)
        sender = Sender(slug)
        sender.post("grades", *({"id": f"g{n}", "Score": 101, "Nonsense": 1} for n in range(number)))
        sender.post("units", {"id": 7}, {"id": "u"})
        sender.post("payments", factories.PaymentRecord(id="p", Registration={"id": "r"}))
        sender.post("registrations", factories.RegistrationRecord(id="r", Student={"id": "nobody"}))
        with refusing("NEW.unit_name = 'poison'"):
            sender.post("units", *(factories.UnitRecord(id=f"e{n}", Unit_Name="poison") for n in range(2)))
        sender.post("units", factories.UnitRecord(id="e0", Unit_Name="harmless"))
        parents = {"Student": {"id": f"{slug}_stud_0"}, "Program": {"id": f"{slug}_prog_0"}}
        registration = factories.RegistrationRecord(id="mistyped", **parents)
        sender.post("registrations", {**registration, "Student": {"id": "mistyped"}})
        sender.post("registrations", registration)
        failed = receive(tenant, "students", {"id": "x"})
        Delivery.objects.filter(pk=failed.pk).update(state="failed")
        receive(tenant, "students", {"id": "under way"})


def test_health_its_lists_the_work_list_and_metrics_agree(traffic, settings):
    settings.BTEC_METRICS_TOKEN = TOKEN
    client = superuser()
    metrics = read(client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content)
    seen: Counter[str] = Counter()

    for tenant in TENANTS:
        for module in MODULES:
            said = health(client, tenant, module)
            place = tenant, module
            for state in State.values:
                assert said[state] == metrics["btec_records"][(*place, state)], (*place, state)
                seen[state] += said[state]
            for state in Delivery.State.values:
                assert said[state] == metrics["btec_deliveries"][(*place, state)], (*place, state)
                seen[state] += said[state]

            parked = mend(client, tenant=tenant, module=module, kind="parked")
            assert parked == metrics["btec_parked_records"][place] == said["parked"], place
            errors = mend(client, tenant=tenant, module=module, kind="ERROR")
            assert errors == said["ERROR"] - MENDED[module, "ERROR"], place
            invalid = mend(client, tenant=tenant, module=module, kind="INVALID")
            assert invalid + parked == said["INVALID"] - MENDED[module, "INVALID"], place
            seen["parked"] += parked

    # That each was there is half of the proof.
    assert all(seen[state] for state in [*State.values, *Delivery.State.values, "parked"])


def test_after_an_erasure_they_agree_as_well(traffic, settings):
    settings.BTEC_METRICS_TOKEN = TOKEN
    client = superuser()
    before = sum(health(client, "zarqa", module)[state] for module in MODULES for state in State.values)

    call_command("erase_student", "zarqa", "zarqa_stud_0", "--yes", stdout=StringIO())
    call_command("erase_student", "zarqa", "nobody", "--yes", stdout=StringIO())

    metrics = read(client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content)
    after = 0
    for module in MODULES:
        said = health(client, "zarqa", module)
        for state in State.values:
            assert said[state] == metrics["btec_records"][("zarqa", module, state)], (module, state)
            after += said[state]
        assert said["parked"] == metrics["btec_parked_records"][("zarqa", module)], module
    assert 0 < after < before


def test_a_tenant_that_is_not_active_is_in_neither(traffic, settings):
    settings.BTEC_METRICS_TOKEN = TOKEN
    Tenant.objects.filter(slug="zarqa").update(active=False)
    client = superuser()
    metrics = read(client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content)

    said = health(client, "", "payments")

    assert {tenant for tenant, *_ in metrics["btec_records"]} == {"amman"}
    for state in State.values:
        assert said[state] == metrics["btec_records"]["amman", "payments", state], state
    assert said["parked"] == metrics["btec_parked_records"]["amman", "payments"] > 0


def health(client, tenant: str, module: str) -> Counter[str]:
    """The figures of the page's table by module, and how many are parked; each is what its list shows."""
    source = client.get(PAGE, {"period": "24h", "tenant": tenant, "module": module}).content.decode()
    by_module, rest = source.split("By module, since")[1].split("Parked now")
    said: Counter[str] = Counter()
    for address, _, count in figures_in(by_module):
        said[re.search(r"(?:state__exact|records)=(\w+)", address)[1]] = count
        if "records=" not in address:
            assert shown(client, address) == count, address
    for address, _, count in figures_in(rest.split("Most frequent")[0]):
        said["missing parents" if "parents=" in address else "parked"] += count
        assert "mistyped" not in text(client.get(address))
        assert shown(client, address) == count, address
    return said


def mend(client, **filters: str) -> int:
    page = text(client.get(url(RecordToMend), filters))
    return int(re.search(r"([\d,]+) records? to mend", page)[1].replace(",", ""))
