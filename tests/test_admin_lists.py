"""The admin's lists are searched and filtered, and break at nothing that an address may say."""

import re
from datetime import UTC, datetime

import pytest
from django.core.cache import cache

from btec_sync.admin_paging import BoundedPaginator
from btec_sync.models import ApiKey, Delivery, IdempotencyKey, RecordResult, RecordToMend, Tenant
from btec_sync.reference.models import Program, Student
from grades.models import Grade
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.admin import MODELS, SCRIPT, count, fill, list_of, superuser, text, url
from units.models import Unit


@pytest.fixture
def client(db):
    return superuser()


@pytest.fixture
def filled(db):
    return fill("default", "word")


@pytest.mark.parametrize(
    ("model", "terms"),
    [
        (Student, ["word_stud_0", "stud_0", "WORD PERSON 0", "person word"]),
        (Program, ["word_prog_0", "word"]),
        (Unit, ["word_unit_0", "word"]),
        (Registration, ["word_reg_0", "word person 0", "word_stud_0", "word_prog_0"]),
        (Payment, ["word_pay_0", "word_reg_0", "word person 0", "word_stud_0"]),
        (Grade, ["word_grade_0", "word person 0", "word_stud_0", "word_unit_0"]),
        (IdempotencyKey, ["word-0"]),
        (ApiKey, ["word key", "btec_"]),
        (Tenant, ["default", "College"]),
    ],
)
def test_rows_are_found_by_id_and_by_name(client, filled, model, terms):
    for term in terms:
        assert count(client, model, q=term) == 1, term
    assert count(client, model, q="word_nothing") == 0


def test_only_what_is_searched_or_filtered_offers_to_show_all(client, filled):
    for model in MODELS:
        assert "Show all" not in list_of(client, model), model
        assert "Show all" not in list_of(client, model, o="1"), model
        assert "Show all" in list_of(client, model, q="word"), model
    year = {"received_at__year": Delivery.objects.earliest("pk").received_at.year}
    for query in ({"module": "payments"}, year, {"module": "payments", "q": "word"}):
        assert "Show all" in list_of(client, Delivery, **query), query


def test_pages_show_each_row_once_and_all_where_that_is_asked_for(client, sender):
    names = [f"stud_{n:03}" for n in range(120)]
    sender.post("students", *(factories.StudentRecord(id=name, Name="Common") for name in names))
    sender.post("students", factories.StudentRecord(id="other", Name="Another"))

    pages = [shown(client, q="common", p=page) for page in (1, 2, 3)]

    assert pages == [names[:50], names[50:100], names[100:]]
    assert [shown(client, p=page) for page in (1, 2, 3)] == [["other", *names[:49]], names[49:99], names[99:]]
    assert shown(client, q="common", all="") == names
    assert shown(client, q="common", o="-0") == names[:-51:-1]
    assert shown(client, q="another") == ["other"]
    assert client.get(url(Student), {"q": "common", "p": 4}).headers["Location"].endswith("?e=1")


@pytest.mark.parametrize("order", ["", "1", "-2", "4"])
def test_pages_follow_each_other_in_every_order_and_under_a_filter(client, sender, order):
    fill("default", "word", 55)
    sender.post("units", *({"id": f"word_{n}"} for n in range(60)))
    asked = {"o": order} if order else {}

    for model in (Payment, Grade, RecordResult, RecordToMend, Delivery):
        for filtered in ({}, {"tenant": "default"}, {"tenant": "default", "q": "word"}):
            query = asked | filtered
            whole = client.get(url(model), query).context["cl"].queryset.values_list("pk", flat=True)
            pages = [
                row.pk
                for page in range(1, -(-len(whole) // 50) + 1)
                for row in client.get(url(model), {**query, "p": page}).context["cl"].result_list
            ]
            assert pages == list(whole), (model, query)
            assert "q" in query or len(whole) > 50, model


def shown(client, **query) -> list[str]:
    """The ids of the students that a page of their list shows, in its order."""
    return [row.zoho_id for row in client.get(url(Student), query).context["cl"].result_list]


def test_deliveries_are_found_by_their_id_its_beginning_and_a_record(client, filled):
    delivery = Delivery.objects.earliest("pk")
    for term in (str(delivery.uid), delivery.uid.hex, f" {delivery.uid} ", str(delivery.uid)[:8].upper()):
        assert count(client, Delivery, q=term) == 1, term
    assert count(client, Delivery, q="word_pay_0") == 3  # stored, refused, changed
    assert count(client, Delivery, q="word_pay") == 0
    assert count(client, Delivery, q="00000000-0000-4000-8000-000000000000") == 0


def test_a_delivery_is_found_by_a_zoho_id_of_digits(client, sender):
    sender.post("students", factories.StudentRecord(id="5200000000000000001"))

    assert count(client, Delivery, q="5200000000000000001") == 1


def test_results_are_found_by_record_and_by_what_they_wait_for(client, filled):
    assert count(client, RecordResult, q="word_pay_0") == 3
    assert count(client, RecordResult, q="word_nowhere") == 1
    assert count(client, RecordResult, parked="now") == 1
    assert "Registration word_nowhere not found" in list_of(client, RecordResult, parked="now")


WEIRD = [
    "a" * 300,
    "a " * 3_000,
    "'",
    '"',
    "'\"",
    "%",
    "_",
    "\\",
    "\0",
    "x\0y",
    "\ud800".encode("utf-16", "surrogatepass"),
    "‏سارة",
    "🎓",
    SCRIPT,
    "00000000-0000-4000-8000-000000000000",
    "{}",
    "1" * 100,
]


@pytest.mark.once
def test_any_term_can_be_searched_for(client, filled):
    for term in WEIRD:
        for model in MODELS:
            assert client.get(url(model), {"q": term}).status_code == 200, (model, term)


GARBAGE = [
    {"o": "x"},
    {"o": "99.-99.0.-0"},
    {"o": "9" * 100},
    {"p": "x"},
    {"p": "-1"},
    {"p": "9" * 50},
    {"e": "1"},
    {"all": ""},
    {"_popup": "1"},
    {"_to_field": "id", "_popup": "1"},
    {"_to_field": "zoho_id"},
    {"_to_field": "digest"},
    {"_facets": "True"},
    {"tenant": "\0"},
    {"tenant": "x" * 10_000},
    {"module": "nothing"},
    {"parked": "x"},
    {"status": "\0"},
    {"status": "nothing"},
    {"state__exact": "nothing"},
    {"status__isnull": "x"},
    {"current__exact": "x"},
    {"active__exact": "x"},
    {"student__id__exact": "x"},
    {"student__id__exact": "9" * 100},
    {"student__id__exact": ""},
    {"student__isnull": "True"},
    {"delivery__id__exact": "-1"},
    {"delivery": "x"},
    {"nothing": "x"},
    {"nothing__nothing": "x"},
    {"pk__in": "1,2"},
    {"id__gt": "0"},
    {"": ""},
]


DATES = [
    {"year": "9999"},
    {"year": "1"},
    {"year": "0"},
    {"year": "x"},
    {"year": "9" * 50},
    {"year": "2026", "month": "13"},
    {"year": "2026", "month": "2", "day": "30"},
    {"year": "2026", "day": "5"},
    {"month": "x"},
    {"month": "9" * 50},
    {"day": "99"},
    {"day": "\0"},
]


@pytest.mark.once
def test_no_address_breaks_a_list(client, filled):
    for query in GARBAGE:
        for model in MODELS:
            response = client.get(url(model), query, follow=True)
            assert response.status_code in (200, 400), (model, query)


def test_no_date_breaks_a_list(client, filled):
    for parts in DATES:
        for model, field in ((Student, "updated_at"), (Delivery, "received_at"), (Tenant, "None")):
            query = {f"{field}__{name}": value for name, value in parts.items()}
            assert client.get(url(model), query, follow=True).status_code in (200, 400), (model, parts)


@pytest.mark.once
def test_no_number_breaks_a_page(client, filled):
    for pk in ("x", "0", "-1", "9" * 100, "1/2", "%00", "_2F"):
        for model in MODELS:
            for page in ("change/", "history/", "delete/"):
                response = client.get(f"{url(model)}{pk}/{page}", follow=True)
                assert response.status_code in (200, 403, 404), (model, pk, page)
        assert client.get(f"{url(Delivery)}{pk}/body/").status_code == 404, pk


def test_lists_are_filtered_by_the_values_that_are_there(client, sender, filled):
    sender.post("students", factories.StudentRecord(id="empty", Name="Layla"))

    page = client.get(url(Student), {"_facets": "True"})

    assert "By status All (empty) (1) word (1)" in text(page)
    assert count(client, Student, status="word") == 1
    assert count(client, Student, status="") == 1
    assert count(client, Student, status="nothing") == 0


def test_results_are_filtered_by_the_states_that_they_have(client, filled):
    page = client.get(url(RecordResult)).content.decode()
    offered = set(re.findall("state__exact=([A-Z]+)", page))

    assert offered == {"NEW", "UPDATED", "INVALID", "ERROR"}
    assert count(client, RecordResult, state__exact="INVALID") >= 1
    assert count(client, RecordResult, state__exact="UNCHANGED") == 0


def test_a_filter_names_so_many_values_and_no_more(client, sender):
    sender.post("students", *(factories.StudentRecord(Status=f"Status {n:03}") for n in range(60)))

    page = list_of(client, Student, all="")

    assert "Status 049" in page.split("FILTER")[-1]
    assert page.count("Status 055") == 1  # its row
    assert page.count("Status 049") == 2


def test_values_that_are_offered_are_read_once_in_a_minute(client, filled):
    assert "By status All word" in list_of(client, Student)
    Student.objects.update(status="Left")

    assert "By status All word" in list_of(client, Student)
    cache.clear()
    assert "By status All Left" in list_of(client, Student)


def test_the_day_of_a_delivery_is_drilled_into(client, filled):
    Delivery.objects.update(received_at=datetime(2024, 5, 6, tzinfo=UTC))

    assert count(client, Delivery, received_at__year=2024, received_at__month=5, received_at__day=6) > 1
    assert count(client, Delivery, received_at__year=2025) == 0


def test_the_last_change_of_records_is_filtered_by(client, filled):
    Student.objects.update(updated_at=datetime(2024, 5, 6, tzinfo=UTC))

    assert "By last changed Any date Today Past 7 days" in list_of(client, Student)
    assert (
        count(client, Student, updated_at__gte="2024-05-01 00:00Z", updated_at__lt="2024-06-01 00:00Z") == 1
    )
    assert count(client, Student, updated_at__gte="2025-01-01 00:00Z") == 0


def test_a_list_pages_through_some_thousand_and_says_that_there_are_more(client, filled, monkeypatch):
    monkeypatch.setattr(BoundedPaginator, "most_rows", 2)

    assert "more than 2 deliveries, of which these pages show the first." in list_of(client, Delivery)
    assert "more than" not in list_of(client, Student)
    exported = client.get(url(Delivery, "export", "csv")).getvalue().decode()
    assert len(exported.splitlines()) == 1 + Delivery.objects.count() > 3
