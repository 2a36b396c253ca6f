"""Records to mend that are selected in their list and replayed."""

import re

import pytest
from django.contrib.admin.models import LogEntry

from btec_sync import admin_replay
from btec_sync.models import Delivery, RecordResult, RecordToMend, Tenant, Tombstone
from btec_sync.reference.models import Student
from payments.models import Payment
from tests import factories
from tests.admin import page_of, staff, superuser, text, url
from tests.mending import refused_by_the_database, send_trouble


@pytest.fixture
def client(tenant):
    return superuser()


@pytest.fixture
def trouble(sender):
    send_trouble(sender)


def replay_selected(client, *results, model=RecordToMend, query="", **more):
    selected = {"action": "replay_selected", "_selected_action": [r.pk for r in results], **more}
    return client.post(url(model) + query, selected, follow=True)


def attempts() -> list[int]:
    return list(Delivery.objects.order_by("pk").values_list("attempts", flat=True))


def test_it_asks_first(client, trouble):
    before = attempts()

    response = replay_selected(client, *RecordToMend.objects.filter(zoho_id__in=["odd", "r1", "r2"]))

    assert "3 records: 1 INVALID, 2 parked" in text(response)
    assert "of 2 deliveries" in text(response)
    assert attempts() == before


@pytest.mark.parametrize(
    ("zoho_ids", "explained"), [(["r1"], ["parked"]), (["odd"], ["INVALID"]), (["odd", "r1"], None)]
)
def test_it_explains_the_kinds_that_are_selected(client, trouble, zoho_ids, explained):
    response = replay_selected(client, *RecordToMend.objects.filter(zoho_id__in=zoho_ids))

    found = re.findall(r"<li><strong>(\w+)</strong>: ", response.content.decode())
    assert found == (explained or ["parked", "INVALID"])


def test_it_says_what_became_of_the_records(client, trouble, tenant):
    Tenant.objects.update(unknown_fields="ignore")
    rows = RecordToMend.objects.filter(zoho_id__in=["odd", "odder", "r1"])

    response = replay_selected(client, *rows, post="yes")

    assert "3 records replayed: 1 NEW, 1 still INVALID, 1 still parked." in text(response)
    assert Student.objects.get().zoho_id == "odder"
    assert attempts() == [2, 2, 2, 1, 1]
    assert LogEntry.objects.filter(change_message__startswith="Replayed: ").count() == 3


def test_a_record_that_changes_its_trouble_is_said(client, sender, parents, monkeypatch):
    with monkeypatch.context() as patched:
        refused_by_the_database(patched)
        sender.post("payments", factories.PaymentRecord(id="p1", Registration={"id": "reg_456"}))
    Delivery.objects.filter(module="payments").update(
        body=b'{"data": [{"id": "p1", "Registration": {"id": "reg_456"}, "Amount": -1}]}'
    )

    response = replay_selected(client, RecordToMend.objects.get(zoho_id="p1"), post="yes")

    assert "1 record replayed: 1 now INVALID." in text(response)


def test_what_was_erased_is_said(client, sender, tenant):
    Tombstone.objects.create(tenant=tenant, module="students", zoho_id="s9", person="s9")
    sender.post("students", factories.StudentRecord(id="s9"))
    row = RecordToMend.objects.get()

    response = replay_selected(client, row, post="yes")

    assert "1 record replayed: 1 erased." in text(response)
    assert "Delete it in Zoho, too." in text(client.get(page_of(RecordResult.objects.get(pk=row.pk))))


def test_what_was_mended_since_is_unchanged(client, sender, tenant):
    sender.post("payments", factories.PaymentRecord(id="p1", Registration={"id": "r1"}))
    sender.post("students", {"id": "s1", "Name": 7})
    result = RecordToMend.objects.get(zoho_id="p1")
    asked = replay_selected(client, result)
    sender.post("students", factories.StudentRecord(id="stud_456"))
    sender.post("programs", factories.ProgramRecord(id="prog_789"))
    sender.post("registrations", factories.RegistrationRecord(id="r1"))

    response = replay_selected(client, result, post="yes")

    assert "1 record: 1 parked" in text(asked)
    assert Payment.objects.exists()
    assert "Nothing is left to replay of what was selected." in text(response)


@pytest.mark.parametrize("post", ["", "yes"])
def test_all_pages_are_selected_as_filtered(client, trouble, post):
    one = RecordToMend.objects.get(zoho_id="r1")

    response = replay_selected(client, one, query="?kind=parked", select_across="1", post=post)

    if post:
        assert "4 records replayed: 4 still parked." in text(response)
        assert attempts() == [1, 1, 2, 2, 2]
    else:
        assert "4 records: 4 parked" in text(response)
        assert 'name="select_across" value="1"' in response.content.decode()
        assert attempts() == [1] * 5


def test_many_are_left_to_the_command(client, trouble, monkeypatch):
    monkeypatch.setattr(admin_replay, "REPLAYED_AT_ONCE", 2)

    for post in ("", "yes"):
        response = replay_selected(client, *RecordToMend.objects.all(), select_across="1", post=post)

        assert "At most 2 deliveries are replayed here, and these are 5." in text(response)
    assert attempts() == [1] * 5


def test_it_takes_the_permission(tenant, trouble):
    client = staff(tenant, replay=False)

    response = replay_selected(client, *RecordToMend.objects.all(), post="yes")

    assert "Replay selected" not in text(client.get(url(RecordToMend)))
    assert "replayed:" not in text(response)
    assert attempts() == [1] * 5


@pytest.mark.parametrize("across", ["0", "1"])
def test_anothers_is_not_replayed(trouble, across):
    client = staff(factories.TenantFactory(slug="other"))

    replay_selected(client, *RecordToMend.objects.all(), post="yes", select_across=across)

    assert attempts() == [1] * 5


def test_a_delivery_whose_turn_did_not_come_is_said_and_stays(client, trouble, monkeypatch):
    monkeypatch.setattr(admin_replay, "replay", lambda numbers: Delivery.objects.filter(pk__in=numbers))

    response = replay_selected(client, RecordToMend.objects.get(zoho_id="p1"), post="yes")

    assert "1 delivery could not be replayed now" in text(response)
    assert "replayed:" not in text(response)
