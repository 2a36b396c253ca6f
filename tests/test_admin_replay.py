"""Replay from the admin: what is selected, after a confirmation, by who may."""

import json
import re

import pytest
from django.contrib.admin.models import LogEntry

from btec_sync import admin_replay
from btec_sync import replay as replay_module
from btec_sync.models import Delivery
from btec_sync.problems import Unavailable
from payments.models import Payment
from tests.admin import fill, stored, superuser, text, url
from tests.conftest import payload


@pytest.fixture
def client(db):
    return superuser()


@pytest.fixture
def filled(db):
    return fill("default", "word")


def replay(client, *numbers, **more) -> str:
    selected = {"action": "replay_selected", "_selected_action": numbers, "post": "yes", **more}
    return text(client.post(url(Delivery), selected, follow=True))


class TestReplay:
    def test_parents_come_first_whatever_the_order(self, client, tenant):
        bodies = {
            "payments": payload("payment"),
            "registrations": {**payload("registration"), "id": "reg_456"},
            "programs": payload("program"),
            "students": payload("student"),
        }
        for module, record in bodies.items():
            body = json.dumps({"data": [record]}).encode()
            stored(body, tenant=tenant, module=module, headers={"Content-Type": "application/json"})

        page = replay(client, *Delivery.objects.values_list("pk", flat=True))

        assert "Replayed: 4 done." in page
        assert Payment.objects.get().registration.zoho_id == "reg_456"

    def test_it_asks_first(self, client, filled):
        chosen = Delivery.objects.filter(module="payments").values_list("pk", flat=True)

        page = replay(client, *chosen, post="")

        assert "5 deliveries: 2 done, 2 incomplete, 1 rejected" in page
        assert "5 records in them" in page
        assert not Delivery.objects.filter(attempts__gt=1).exists()

    def test_one_is_spoken_of_as_one_and_none_is_left_out(self, client, filled):
        one = Delivery.objects.get(module="payments", invalid=1, unchanged=1)
        rejected = Delivery.objects.get(state="rejected")

        assert "1 delivery: 1 incomplete 2 records in it" in replay(client, one.pk, post="")
        assert "1 delivery: 1 rejected A replay" in replay(client, rejected.pk, post="")

    @pytest.mark.parametrize(
        ("states", "explained"),
        [
            (["rejected"], ["rejected"]),
            (["done"], []),
            (["incomplete"], ["parked", "INVALID"]),
            (["failed", "received"], ["failed", "received"]),
        ],
    )
    def test_it_explains_what_is_selected_and_nothing_else(self, client, filled, states, explained):
        Delivery.objects.filter(module="programs").update(state="failed")
        Delivery.objects.filter(module="units").update(state="received")
        chosen = Delivery.objects.filter(state__in=states).values_list("pk", flat=True)
        selected = {"action": "replay_selected", "_selected_action": chosen}

        source = client.post(url(Delivery), selected).content.decode()

        assert re.findall(r"<li><strong>(\w+)</strong>: ", source) == explained

    def test_what_is_not_done_is_said(self, client, filled):
        page = replay(client, *Delivery.objects.filter(module="payments").values_list("pk", flat=True))

        assert "Replayed: 2 done, 2 incomplete, 1 rejected." in page

    def test_it_stands_in_the_deliverys_history(self, client, filled):
        delivery = Delivery.objects.earliest("pk")

        replay(client, delivery.pk)

        assert LogEntry.objects.get().object_id == str(delivery.pk)
        assert "Replayed: done." in text(client.get(url(Delivery, "history", delivery.pk)))

    def test_many_are_left_to_the_command(self, client, filled, monkeypatch):
        monkeypatch.setattr(admin_replay, "REPLAYED_AT_ONCE", 3)

        page = replay(client, Delivery.objects.earliest("pk").pk, select_across="1")

        assert "At most 3 deliveries are replayed here" in page
        assert "manage.py replay takes more." in page
        assert not Delivery.objects.filter(attempts__gt=1).exists()

    def test_a_database_that_is_away_stops_it(self, client, filled, monkeypatch):
        def stops(numbers):
            yield from replay_module.replay(numbers[:1])
            raise Unavailable("The database did not answer.")

        monkeypatch.setattr(admin_replay, "replay", stops)

        page = replay(client, *Delivery.objects.values_list("pk", flat=True))

        assert "Stopped. The database did not answer." in page
        assert "Replayed: 1 done." in page

    def test_nothing_selected_is_nothing_replayed(self, client, filled):
        assert "Items must be selected" in replay(client, index="0")
        assert not Delivery.objects.filter(attempts__gt=1).exists()

    def test_no_number_breaks_it(self, client, filled):
        for number in ("x", "\0", "9" * 100, "", "-1", "1.0"):
            selected = {"action": "replay_selected", "_selected_action": [number]}
            assert client.post(url(Delivery), selected, follow=True).status_code == 400, number
        assert "Replayed" not in replay(client, "9" * 18)

    def test_filters_apply_to_the_action(self, client, filled):
        client.post(
            url(Delivery) + "?module=students",
            {"action": "replay_selected", "_selected_action": [1], "select_across": "1", "post": "yes"},
        )

        assert {d.module for d in Delivery.objects.filter(attempts=2)} == {"students"}
