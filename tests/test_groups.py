"""The groups Registrar and Operator: what each opens, and what it does not."""

from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection

from btec_sync.models import ApiKey, Delivery, IdempotencyKey, RecordToMend, Tenant
from btec_sync.services import services
from tests.admin import MODELS, crawl, fill, links, logged_in, page_of, text, url

CLOSED = [Tenant, ApiKey, IdempotencyKey]
OPEN = [model for model in MODELS if model not in CLOSED]
SYNC_HEALTH = "/admin/sync-health/"
migration = import_module("btec_sync.migrations.0004_groups").Migration


def member_of(group: str, tenant: Tenant):
    user = User.objects.create_user(group.lower(), is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    tenant.members.add(user)
    return logged_in(user)


def permissions(group: str) -> set[str]:
    found = Group.objects.get(name=group).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in found}


def migrate() -> None:
    for operation in migration.operations:
        operation.code(apps, connection)


@pytest.fixture
def ours(db):
    return fill("amman", "ourword")


@pytest.mark.parametrize("group", ["Registrar", "Operator"])
def test_every_module_is_looked_at(db, group):
    models = {service.model for service in services().values()} | set(OPEN)

    wanted = {f"{model._meta.app_label}.view_{model._meta.model_name}" for model in models}

    assert permissions(group) - {"btec_sync.replay_delivery"} == wanted


def test_operators_replay_and_registrars_do_not(db):
    assert permissions("Operator") - permissions("Registrar") == {"btec_sync.replay_delivery"}


@pytest.mark.parametrize("group", ["Registrar", "Operator"])
def test_a_members_lists_and_pages_open(ours, group):
    client = member_of(group, ours)

    index = links(client.get("/admin/"))

    for model in OPEN:
        assert url(model) in index, model
        assert client.get(url(model)).status_code == 200, model
        row = model.objects.latest("pk")
        assert client.get(page_of(row)).status_code == 200, model
        assert client.get(url(model, "export", "csv")).status_code == 200, model
    assert SYNC_HEALTH in index
    assert client.get(SYNC_HEALTH).status_code == 200
    for model in CLOSED:
        assert url(model) not in index, model
        assert client.get(url(model)).status_code == 403, model
        assert client.get(page_of(model.objects.latest("pk"))).status_code == 403, model
        assert client.get(url(model, "export", "csv")).status_code == 403, model


@pytest.mark.once
def test_no_link_leads_a_registrar_before_a_closed_door(ours):
    # crawl() asserts that each can be opened.
    pages = crawl(member_of("Registrar", ours))

    assert url(RecordToMend) in pages
    assert not [address for address in pages if address.startswith(url(Tenant))]


@pytest.mark.parametrize("model", [Delivery, RecordToMend])
def test_only_an_operator_replays(ours, model):
    row = model.objects.filter(state__iexact="incomplete" if model is Delivery else "INVALID").latest("pk")
    selected = {"action": "replay_selected", "_selected_action": [row.pk], "post": "yes"}
    delivery = row if model is Delivery else row.delivery

    reader = member_of("Registrar", ours)
    assert "Replay selected" not in text(reader.get(url(model)))
    assert "eplayed" not in text(reader.post(url(model), selected, follow=True))
    delivery.refresh_from_db()
    assert delivery.attempts == 1
    operator = member_of("Operator", ours)
    assert "Replay selected" in text(operator.get(url(model)))
    assert "eplayed" in text(operator.post(url(model), selected, follow=True))
    delivery.refresh_from_db()
    assert delivery.attempts == 2


def test_a_fresh_database_has_no_permissions_yet_and_gets_them(db):
    Group.objects.all().delete()
    Permission.objects.all().delete()
    ContentType.objects.filter(app_label__in=["units", "btec_sync"]).delete()
    ContentType.objects.clear_cache()

    migrate()

    assert {"units.view_unit", "btec_sync.view_recordtomend", "btec_sync.replay_delivery"} <= permissions(
        "Operator"
    )
    assert Permission.objects.get(codename="view_recordtomend").name == "Can view record to mend"


def test_a_second_run_changes_nothing(db):
    before = {group: permissions(group) for group in ("Registrar", "Operator")}

    migrate()

    assert {group: permissions(group) for group in ("Registrar", "Operator")} == before
    assert Group.objects.count() == 2


def test_what_a_superuser_takes_away_stays_away_at_the_next_migrate(db):
    group = Group.objects.get(name="Registrar")
    group.permissions.remove(Permission.objects.get(codename="view_payment"))

    call_command("migrate", verbosity=0)

    assert "payments.view_payment" not in permissions("Registrar")
