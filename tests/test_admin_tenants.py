"""The admin and the border between tenants: staff see what is theirs, and nothing tells of the rest."""

import json

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from btec_sync.models import ApiKey, Delivery, RecordResult, Tenant
from btec_sync.reference.models import Student
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.admin import MODELS, READ_ONLY, crawl, fill, page_of, registered, staff, superuser, text, url
from tests.api import Sender

OURS, THEIRS = "amman", "zarqa"
NOWHERE = 10**9


@pytest.fixture
def ours(db):
    return fill(OURS, "ourword")


@pytest.fixture
def theirs(db):
    return fill(THEIRS, "zarqaword")


@pytest.fixture
def client(ours, theirs):
    return staff(ours)


def of(tenant: Tenant, model):
    """A row of the tenant."""
    if model is Tenant:
        return tenant
    return model.objects.filter(tenant=tenant).earliest("pk")


def action(client, *deliveries: Delivery, **more):
    selected = {"action": "replay_selected", "_selected_action": [d.pk for d in deliveries], "post": "yes"}
    selected |= more
    return client.post(url(Delivery), selected, follow=True)


def test_every_model_of_ours_is_looked_at_here():
    assert registered() == set(MODELS)


@pytest.mark.once
def test_no_page_that_links_lead_to_tells_of_another_tenant(client):
    pages = crawl(client)

    assert len(pages) > 100
    assert [address for address, source in pages.items() if THEIRS in source] == []
    # They are not empty either.
    for model in MODELS:
        assert (OURS if model is Tenant else "ourword") in pages[url(model)] or model is Delivery


def test_a_superuser_sees_every_tenant(ours, theirs):
    client = superuser()

    for model in MODELS:
        page = text(client.get(url(model)))
        assert OURS in page, model
        assert THEIRS in page, model


def test_staff_of_two_tenants_see_and_filter_both(ours, theirs):
    other = fill("irbid", "irbidword")
    client = staff(ours, theirs)

    both = text(client.get(url(Student)))
    one = text(client.get(url(Student), {"tenant": THEIRS}))

    assert "By tenant" in both
    assert "ourword_stud_0" in both
    assert "zarqaword_stud_0" in both
    assert "irbid" not in both
    assert "ourword_stud_0" not in one
    assert "zarqaword_stud_0" in one
    assert f"0 {other}" not in one


def test_staff_without_a_tenant_see_nothing(ours, theirs):
    client = staff(name="nobodys")

    for model in MODELS:
        page = text(client.get(url(model)))
        assert OURS not in page, model
        assert THEIRS not in page, model
        assert client.get(page_of(of(ours, model))).status_code == 302


def test_who_is_no_longer_a_member_sees_nothing(client, ours):
    ours.members.clear()

    assert "ourword" not in text(client.get(url(Student)))
    assert client.get(page_of(of(ours, Student))).status_code == 302


@pytest.mark.parametrize("page", ["change", "history", "delete"])
def test_anothers_row_is_like_one_that_is_not_there(client, theirs, page):
    def answer(model, pk):
        response = client.get(url(model, page, pk), follow=True)
        return response.status_code, response.redirect_chain, text(response).replace(f"“{pk}”", "")

    for model in MODELS:
        assert answer(model, of(theirs, model).pk) == answer(model, NOWHERE)


def test_anothers_row_cannot_be_posted_to(client, theirs):
    for model in MODELS:
        foreign = of(theirs, model)
        for page in ("change", "delete"):
            assert client.post(url(model, page, foreign.pk), {"name": "x", "post": "yes"}).status_code == 403
        assert model.objects.filter(pk=foreign.pk).exists()


def test_anothers_body_cannot_be_downloaded(client, ours, theirs):
    assert client.get(url(Delivery, "body", of(theirs, Delivery).pk)).status_code == 404
    assert client.get(url(Delivery, "body", NOWHERE)).status_code == 404
    assert client.get(url(Delivery, "body", of(ours, Delivery).pk)).status_code == 200


@pytest.mark.parametrize("term", ["zarqa", "zarqaword", "zarqaword_stud_0", "zarqaword_pay_0", "zarqaword-0"])
def test_a_search_finds_nothing_of_another(client, term):
    for model in READ_ONLY:
        page = text(client.get(url(model), {"q": term}))
        assert f"0 {model._meta.verbose_name_plural}" in page
        assert THEIRS not in page


def test_a_search_for_anothers_delivery_id_finds_nothing(client, theirs):
    delivery = of(theirs, Delivery)

    assert "0 deliveries" in text(client.get(url(Delivery), {"q": str(delivery.uid)}))


def test_the_tenant_cannot_be_chosen_in_the_address(client, theirs):
    for model in READ_ONLY:
        for filters in ({"tenant": THEIRS}, {"tenant__slug": THEIRS}, {"tenant__id__exact": theirs.pk}):
            response = client.get(url(model), filters)
            assert response.status_code in (200, 400)
            assert "zarqaword" not in text(response)


def test_anothers_parent_is_not_named_by_a_filter(client, theirs):
    parent = of(theirs, Student)

    page = text(client.get(url(Registration), {"student__id__exact": parent.pk}))

    assert "0 registrations" in page
    assert THEIRS not in page


NOT_OFFERED = [
    (Student, "tenant__api_keys__digest__startswith"),
    (Student, "tenant__members__password__startswith"),
    (Student, "fingerprint__startswith"),
    (Student, "name__regex"),
    (Payment, "registration__student__name__startswith"),
    (Registration, "student__name__startswith"),
    (ApiKey, "digest__startswith"),
    (ApiKey, "digest"),
    (Delivery, "body__contains"),
    (Delivery, "headers__X-Tenant-ID"),
    (RecordResult, "delivery__tenant__api_keys__digest__startswith"),
    (Tenant, "api_keys__digest__startswith"),
    (Tenant, "members"),
]


@pytest.mark.parametrize("by", ["staff", "superuser"])
def test_nobody_filters_by_what_no_page_offers(client, by):
    client = client if by == "staff" else superuser()

    for model, lookup in NOT_OFFERED:
        assert client.get(url(model), {lookup: "a"}).status_code == 400, lookup


def test_autocomplete_offers_ones_own(client, ours, theirs):
    def offered(app, model, field, term=""):
        names = {"app_label": app, "model_name": model, "field_name": field, "term": term}
        response = client.get(reverse("admin:autocomplete"), names)
        assert response.status_code == 200
        return json.dumps(response.json())

    for names in [
        ("registrations", "registration", "student"),
        ("payments", "payment", "registration"),
        ("grades", "grade", "tenant"),
    ]:
        assert "ourword" in offered(*names) or OURS in offered(*names)
        assert THEIRS not in offered(*names)
        assert THEIRS not in offered(*names, term="zarqa")
    assert str(of(ours, Delivery).uid) in offered(
        "btec_sync", "recordresult", "delivery", str(of(ours, Delivery).uid)
    )
    for term in ("", str(of(theirs, Delivery).uid), "zarqaword_pay_0"):
        found = offered("btec_sync", "recordresult", "delivery", term)
        assert not any(str(d.uid) in found for d in Delivery.objects.filter(tenant=theirs))


def test_autocomplete_takes_any_term(client):
    names = {"app_label": "registrations", "model_name": "registration", "field_name": "student"}
    for term in ("a" * 300, "\0", "'\"%_\\", "a " * 2_000):
        assert client.get(reverse("admin:autocomplete"), {**names, "term": term}).status_code == 200


class TestReplay:
    def test_ones_own_delivery_is_replayed(self, client, ours):
        delivery = of(ours, Delivery)

        response = action(client, delivery)

        delivery.refresh_from_db()
        assert delivery.attempts == 2
        assert "Replayed: 1 done." in text(response)

    @pytest.mark.parametrize("across", ["0", "1"])
    def test_anothers_delivery_is_not(self, client, theirs, across):
        foreign = of(theirs, Delivery)
        before = Delivery.objects.filter(tenant=theirs).values_list("pk", "attempts", "processed_at")
        before = sorted(before)

        action(client, foreign, select_across=across)

        after = Delivery.objects.filter(tenant=theirs).values_list("pk", "attempts", "processed_at")
        assert sorted(after) == before

    def test_it_takes_the_permission(self, ours):
        client = staff(ours, name="reader", replay=False)
        delivery = of(ours, Delivery)

        response = action(client, delivery)

        delivery.refresh_from_db()
        assert delivery.attempts == 1
        assert "Replay selected" not in text(response)

    def test_the_permission_alone_is_not_enough(self, ours):
        client = staff(ours, name="replayer")
        user = ours.members.get(username="replayer")
        user.user_permissions.set(user.user_permissions.filter(codename="replay_delivery"))

        assert client.post(url(Delivery), {"action": "replay_selected"}).status_code == 403


def test_staff_cannot_end_keys(client, ours):
    key = of(ours, ApiKey)

    response = client.post(url(ApiKey), {"action": "revoke", "_selected_action": [key.pk]}, follow=True)

    key.refresh_from_db()
    assert key.revoked_at is None
    assert "Revoke selected" not in text(response)


def test_staff_with_every_permission_still_cannot_edit(ours):
    client = staff(ours, name="mighty")
    user = ours.members.get(username="mighty")
    user.user_permissions.set(Permission.objects.all())

    for model in MODELS:
        row = of(ours, model)
        assert client.get(url(model, "add")).status_code == 403, model
        assert client.post(url(model, "add"), {"slug": "new", "name": "x"}).status_code == 403, model
        assert client.post(page_of(row), {"slug": "new", "name": "x"}).status_code == 403, model
        assert client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403, model


def test_staff_without_permissions_see_no_list_no_page_no_history(ours):
    client = staff(ours, name="new")
    ours.members.get(username="new").user_permissions.clear()

    for model in MODELS:
        row = of(ours, model)
        for page in (url(model), page_of(row), url(model, "history", row.pk)):
            response = client.get(page)
            assert response.status_code == 403, page
            assert "ourword" not in response.headers.get("Location", "")
    assert client.get(url(Delivery, "body", of(ours, Delivery).pk)).status_code == 403


def test_who_is_not_staff_has_to_log_in(ours):
    client = staff(ours, name="student")
    ours.members.filter(username="student").update(is_staff=False)

    for page in (url(Student), page_of(of(ours, Student)), url(Delivery, "body", of(ours, Delivery).pk)):
        assert client.get(page).headers["Location"].startswith("/admin/login/")


def test_an_inactive_tenant_is_still_looked_at(client, ours):
    Tenant.objects.filter(pk=ours.pk).update(active=False)

    assert "ourword_stud_0" in text(client.get(url(Student)))


def test_the_same_zoho_id_in_two_tenants_is_two_histories(client, ours, theirs):
    Sender(OURS).post("students", factories.StudentRecord(id="shared", Name="Layla"))
    Sender(THEIRS).post("students", factories.StudentRecord(id="shared", Name="Zarqawi"))
    Sender(THEIRS).post("students", factories.StudentRecord(id="shared", Name="zarqa again"))
    student = Student.objects.get(tenant=ours, zoho_id="shared")

    page = text(client.get(page_of(student)))

    assert page.count("Student created") == 1
    assert "zarqa" not in page.lower()
