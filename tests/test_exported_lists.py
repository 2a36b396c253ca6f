"""Which lists can be had as files, by whom, and what of each stays inside."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User

from btec_sync.models import ApiKey, Delivery, IdempotencyKey, RecordToMend, Tenant, Tombstone
from tests import factories
from tests.admin import MIRRORS, MODELS, fill, links, staff, superuser, text, url
from tests.exported import content, csv_rows, sheet_of, xlsx_rows

#: Whose lists are Django's and django-axes' own, as they come.
NOT_OURS = ("auth", "axes")


@pytest.fixture
def client(tenant):
    return superuser()


def test_every_list_but_djangos_own_is_exported(client):
    fill("default", "word")
    ours = [model for model in admin.site._registry if model._meta.app_label not in NOT_OURS]

    assert set(ours) >= set(MODELS)
    for model in ours:
        shown = links(client.get(url(model)))
        for form in ("csv", "xlsx"):
            assert url(model, "export", form) in shown, model
            assert content(client.get(url(model, "export", form))), model


def test_djangos_own_lists_are_not_exported(client):
    for model in admin.site._registry:
        if model._meta.app_label in NOT_OURS:
            assert "Export" not in text(client.get(url(model))), model
            assert client.get(f"{url(model)}export/csv/").status_code in (302, 404), model


@pytest.mark.parametrize("model", MODELS)
def test_every_row_of_a_list_is_exported(client, model):
    fill("default", "word", 3)

    assert len(csv_rows(client, model)) == len(xlsx_rows(client, model))
    number = len(csv_rows(client, model))
    assert number == model.objects.count() if model is not RecordToMend else number == 1
    assert url(model, "export", "csv") in links(client.get(url(model)))


# What a list of the machinery's has, and nothing else of it: neither a hash nor who is a member.
COLUMNS = {
    IdempotencyKey: ["key", "tenant", "module", "delivery", "created at (UTC)"],
    Tombstone: ["Zoho id", "tenant", "module", "person", "erased (UTC)"],
    Tenant: ["slug", "name", "active", "unknown fields", "created at (UTC)"],
    ApiKey: [
        *("prefix", "name", "tenant", "created at (UTC)"),
        *("expires at (UTC)", "revoked at (UTC)", "last used at (UTC)"),
    ],
}


@pytest.mark.parametrize("model", COLUMNS)
def test_a_list_of_the_machinery_has_these_columns(client, model):
    fill("default", "word")

    (of_csv,), (of_xlsx,) = csv_rows(client, model), xlsx_rows(client, model)

    assert list(of_csv) == list(of_xlsx) == COLUMNS[model]


def test_no_hash_is_exported(client):
    fill("default", "word")
    columns = {ApiKey: "digest", IdempotencyKey: "digest", Delivery: "digest", User: "password"}
    columns |= dict.fromkeys(MIRRORS, "fingerprint")
    hashes = [one for model, name in columns.items() for one in model.objects.values_list(name, flat=True)]

    assert len(hashes) > len(columns)
    for model in MODELS:
        exported = content(client.get(url(model, "export", "csv"))).decode() + sheet_of(client, model)
        assert not [one for one in hashes if one in exported], model


@pytest.mark.parametrize(
    ("model", "title"), [(IdempotencyKey, "key"), (Tombstone, "Zoho id"), (Tenant, "name"), (ApiKey, "name")]
)
def test_formulas_in_the_lists_of_the_machinery_are_text(client, sender, tenant, model, title):
    formula = "=1+1"
    sender.post("students", factories.StudentRecord(), key=formula)
    Tenant.objects.update(name=formula)
    ApiKey.objects.create(tenant=tenant, name=formula, prefix="btec_12345678", digest="")
    Tombstone.objects.create(tenant=tenant, module="students", zoho_id=formula, person="s")

    (of_csv,), (of_xlsx,) = csv_rows(client, model), xlsx_rows(client, model)

    assert of_csv[title] == f"'{formula}"
    assert (of_xlsx[title].value, of_xlsx[title].data_type) == (formula, "s")
    assert "<f>" not in sheet_of(client, model)


@pytest.mark.parametrize("model", COLUMNS)
def test_many_rows_of_the_machinery_cost_no_query_each(client, model, django_assert_max_num_queries):
    fill("default", "word", 20)
    for n in range(20):
        factories.TenantFactory(slug=f"tenant-{n}")

    with django_assert_max_num_queries(8):
        exported = content(client.get(url(model, "export", "csv")))

    assert exported.count(b"\r\n") >= 20


@pytest.mark.parametrize("model", MODELS)
def test_nobody_exports_anothers(db, model):
    ours, theirs = fill("amman", "ourword"), fill("zarqa", "zarqaword")
    client = staff(ours)

    for query in ({}, {"tenant": theirs.slug}, {"q": "zarqaword"}):
        response = client.get(url(model, "export", "csv"), query)
        # The list of tenants has no filter by tenant.
        assert response.status_code == (400 if model is Tenant and "tenant" in query else 200)
        assert "zarqa" not in response.getvalue().decode()
    assert "zarqa" not in sheet_of(client, model)
    assert "amman" in sheet_of(client, model)


@pytest.mark.parametrize("model", MODELS)
def test_who_may_not_look_at_a_list_may_not_export_it(tenant, model):
    client = staff(tenant)
    tenant.members.get().user_permissions.clear()

    for form in ("csv", "xlsx"):
        assert client.get(url(model, "export", form)).status_code == 403
    client.logout()
    assert client.get(url(model, "export", "csv")).headers["Location"].startswith("/admin/login/")
