"""What was pruned says so: a body to a replay and in the admin, a delivery on the page of its record."""

from django.utils import timezone

from btec_sync.models import Delivery
from tests.admin import page_of, superuser, text, url
from tests.conftest import payload
from tests.pruning import age, prune
from units.models import Unit


def test_a_replay_of_a_pruned_body_says_so_and_changes_nothing(sender, replay):
    sender.post("units", payload("unit"))
    age(91)
    prune()
    before = Delivery.objects.values().get()

    status, output = replay(str(before["uid"]))

    assert status == 1
    assert "1 delivery was left as it is: its body is not kept any more" in output
    assert Delivery.objects.values().get() == before
    assert replay("--all")[0] == 1


def test_the_admin_says_that_a_body_is_gone(sender):
    sender.post("units", payload("unit"))
    age(91)
    prune()
    delivery = Delivery.objects.get()
    client = superuser()

    page = text(client.get(page_of(delivery)))
    download = client.get(url(Delivery, "body", delivery.pk))

    assert f"Removed on {timezone.localdate():%Y-%m-%d}" in page
    assert download.status_code == 410


def test_the_admins_replay_says_that_a_body_is_gone(sender):
    sender.post("units", payload("unit"))
    age(91)
    prune()
    delivery = Delivery.objects.get()
    client = superuser()

    response = client.post(
        url(Delivery),
        {"action": "replay_selected", "_selected_action": [delivery.pk], "post": "yes"},
        follow=True,
    )

    assert "1 delivery was left as it is: its body is not kept any more" in text(response)
    assert Delivery.objects.get().attempts == 1


def test_the_page_of_a_record_copes_with_a_delivery_that_is_gone(sender):
    sender.post("units", payload("unit"))
    number = Delivery.objects.get().pk
    age(800)
    prune()

    page = text(superuser().get(page_of(Unit.objects.get())))

    assert f"delivery {number}, which is not kept any more" in page
