"""Records to mend: which these are, and how they are found."""

from datetime import timedelta
from importlib import import_module
from random import Random

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from btec_sync import faults, mending
from btec_sync.admin_paging import WorkPaginator
from btec_sync.models import Delivery, RecordResult, RecordToMend
from tests import factories
from tests.admin import links, page_of, staff, superuser, text, url
from tests.api import Sender
from tests.mending import refused_by_the_database, send_trouble, waiting_registration

GOOD = {"id": "s1", "Name": "Layla"}
BAD = {"id": "s1", "Name": 7}


@pytest.fixture
def client(tenant):
    return superuser()


def work() -> list[tuple[str, str]]:
    """(Zoho id, what staff call its state) of every record to mend, the oldest first."""
    rows = mending.to_mend(RecordResult.objects.all()).order_by("delivery_id", "position")
    return [(row.zoho_id, mending.kind(row)) for row in rows]


def listed(client, **query) -> list[str]:
    """The Zoho ids that the list shows, the oldest first."""
    response = client.get(url(RecordToMend), query)
    assert response.status_code == 200, response.headers.get("Location")
    rows = sorted(response.context["cl"].result_list, key=lambda row: (row.delivery_id, row.position))
    return [row.zoho_id for row in rows]


# --- What is work, and what is none any more ---------------------------------------------------------


def test_what_is_stored_is_no_work(sender):
    sender.post("students", GOOD)

    assert work() == []


def test_invalid_parked_and_error_are(sender, monkeypatch):
    sender.post("students", BAD, {"id": 5})
    sender.post("payments", factories.PaymentRecord(id="p1", Registration={"id": "r1"}))
    refused_by_the_database(monkeypatch)
    sender.post("students", {**GOOD, "id": "s2"})

    assert work() == [("s1", "INVALID"), ("", "INVALID"), ("p1", "parked"), ("s2", "ERROR")]


@pytest.mark.parametrize("before", [[], [GOOD]], ids=["never stored", "stored before"])
def test_a_record_that_was_sent_again_in_a_good_form_is_none(sender, before):
    sender.post("students", *before, BAD)
    assert work() == [("s1", "INVALID")]

    sender.post("students", GOOD)

    assert work() == []
    assert RecordResult.objects.filter(current=True, state="INVALID").exists()


def test_within_one_batch_the_later_record_counts(sender):
    sender.post("students", BAD, GOOD)
    sender.post("students", {**GOOD, "id": "s2"}, {**BAD, "id": "s2"})

    assert work() == [("s2", "INVALID")]


def test_a_stale_delivery_mends_nothing(sender):
    sender.post("students", {**GOOD, "Version": 5})
    sender.post("students", {**BAD, "Version": 6})

    sender.post("students", {**GOOD, "Version": 4})

    assert work() == [("s1", "INVALID")]


def test_of_several_refusals_of_a_record_the_last_is_the_work(sender):
    for name in (7, 8, 9):
        sender.post("students", {**BAD, "Name": name, "Version": -name})

    assert work() == [("s1", "INVALID")]
    assert mending.to_mend(RecordResult.objects.all()).get().delivery == Delivery.objects.latest("pk")


def test_a_refusal_of_every_record_without_an_id_is_work_of_its_own(sender):
    sender.post("students", {"id": 1}, {"id": 2}, 3)

    assert work() == [("", "INVALID")] * 3


def test_a_parked_record_is_none_once_its_parent_has_come(sender, parents):
    sender.post("payments", factories.PaymentRecord(id="p1", Registration={"id": "r1"}))
    assert work() == [("p1", "parked")]

    sender.post("registrations", factories.RegistrationRecord(id="r1"))

    assert work() == []


def test_an_old_delivery_that_is_replayed_makes_no_new_work(sender, replay):
    sender.post("students", BAD)
    sender.post("students", GOOD)

    replay("--all")

    assert work() == []


def test_another_tenants_record_of_the_same_id_mends_nothing(sender):
    sender.post("students", BAD)
    other = factories.TenantFactory(slug="other")

    Sender(other.slug).post("students", GOOD)
    Sender(other.slug).post("students", {**BAD, "id": "s2"})
    sender.post("programs", {**BAD, "id": "s2"})

    assert work() == [("s1", "INVALID"), ("s2", "INVALID"), ("s2", "INVALID")]


def test_every_module_is_asked(sender, parents):
    """A module that to_mend() forgot would keep its mended records in the list."""
    for module, record in factories.RECORDS.items():
        good = record(id="x")
        sender.post(module, {**good, "Odd": 1})
        assert work() == [("x", "INVALID")], module

        sender.post(module, good)

        assert work() == [], module


# --- The list ----------------------------------------------------------------------------------------


@pytest.fixture
def trouble(sender):
    send_trouble(sender)


def test_a_row_says_what_is_wrong_and_what_it_waits_for(client, trouble):
    page = text(client.get(url(RecordToMend)))

    assert "Name: expected a string, got a number" in page
    assert "Student gone not found. Create student first." in page
    assert "students gone" in page
    assert "(no id)" in page
    assert "7 records to mend" in page


def test_a_row_tells_of_a_parent_that_is_refused_itself(client, trouble):
    parent = RecordResult.objects.get(zoho_id="r1")

    response = client.get(url(RecordToMend), {"q": "p1"})

    assert "registrations r1, parked itself" in text(response)
    assert page_of(parent) in links(response)


FILTERED = [
    ({"kind": "parked"}, ["r1", "r2", "r3", "p1"]),
    ({"kind": "INVALID"}, ["odd", "odder", ""]),
    ({"kind": "ERROR"}, []),
    ({"module": "payments"}, ["p1"]),
    ({"waits_for": "students gone"}, ["r1", "r2"]),
    ({"waits_for": "students"}, ["r1", "r2", "r3"]),
    ({"waits_for": "students go"}, []),
    ({"code": "unexpected_field"}, ["odd", "odder"]),
    ({"code": "unexpected"}, []),
    ({"field": "amount"}, ["odd"]),
    ({"field": "Amount"}, ["odder"]),
    ({"field": "Student"}, []),
    ({"field": "Student.id"}, ["r1", "r2", "r3"]),
    ({"field": "Name", "code": "unexpected_field"}, ["odd"]),
    ({"age": "0"}, ["odd", "odder", "", "r1", "r2", "r3", "p1"]),
    ({"age": "1"}, []),
    ({"q": "ODD"}, ["odd", "odder"]),
    ({"q": "gone"}, ["r1", "r2"]),
    ({"q": "expected a string"}, ["odd", ""]),
]


@pytest.mark.parametrize(("query", "found"), FILTERED, ids=str)
def test_the_list_is_filtered(client, trouble, query, found):
    assert listed(client, **query) == found


def test_the_age_is_that_of_the_delivery(client, trouble, replay):
    Delivery.objects.filter(module="registrations").update(received_at=timezone.now() - timedelta(days=8))
    replay()

    assert listed(client, age="7") == ["r1", "r2", "r3"]
    assert listed(client, age="30") == []
    assert listed(client, age="0") == ["odd", "odder", "", "p1"]


def test_the_filters_offer_what_is_there_with_the_most_frequent_first(client, trouble):
    page = text(client.get(url(RecordToMend)))

    assert "students gone (2) registrations r1 (1) students lost (1)" in page
    assert "missing_dependency (4)" in page
    assert "By field All Program.id (3) Student.id (3) " in page


def test_of_many_the_filters_count_the_newest_and_say_that_there_are_more(client, trouble, monkeypatch):
    monkeypatch.setattr(WorkPaginator, "most_rows", 2)  # p1 and r3

    page = text(client.get(url(RecordToMend)))

    assert "registrations r1 (1+) students lost (1+)" in page
    assert "missing_dependency (2+)" in page
    assert "students gone (" not in page
    assert "more than 2 records to mend, of which these pages show the first." in page


def test_a_filter_that_was_asked_for_is_shown_also_when_it_is_not_offered(client, trouble):
    page = text(client.get(url(RecordToMend), {"waits_for": "students nobody"}))

    assert "0 records to mend" in page
    assert "students nobody" in page


def test_the_newest_delivery_stands_first(client, trouble):
    rows = client.get(url(RecordToMend)).context["cl"].result_list

    assert [row.zoho_id for row in rows] == ["p1", "r3", "r1", "r2", "odder", "", "odd"]


def test_no_filter_offers_what_is_anothers(trouble):
    other = factories.TenantFactory(slug="other")
    client = staff(other)
    Sender("other").post("students", {"id": "ours", "Name": "x", "Ours": 1})

    page = text(client.get(url(RecordToMend)))

    assert "ours" in page
    for theirs in ("gone", "lost", "missing_dependency", "Student.id", "amount", "odd"):
        assert theirs not in page
    assert listed(client, waits_for="students gone") == []


def test_the_page_of_a_record_stays_when_it_was_mended(client, sender):
    sender.post("students", BAD)
    page = page_of(RecordToMend.objects.get())

    sender.post("students", GOOD)

    assert client.get(page).status_code == 200


def test_ten_times_the_records_cost_as_many_queries(client, sender, trouble):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(url(RecordToMend))
        return len(captured)

    queries()
    few = queries()
    for n in range(10):
        sender.post("students", {"id": f"odd{n}", "Name": 7, f"Field{n}": 1})
        sender.post("registrations", waiting_registration(f"more{n}", f"gone{n}"))

    assert queries() == few <= 12


# --- Faults ------------------------------------------------------------------------------------------


def test_odd_names_of_fields_are_found_whole(client, sender):
    names = ["a\tb", "a\nb", "a:b", "%", "_", "\\", "'", "é", "\ud800"]
    for n, name in enumerate(names):
        sender.post("units", factories.UnitRecord(id=f"u{n}", **{name: 1}))

    texts = RecordResult.objects.values_list("faults", flat=True)
    fields = {field for text in texts for field, _ in faults.pairs(text)}
    for field in fields:
        found = faults.with_field(RecordResult.objects.all(), field)
        assert all(field in dict(faults.pairs(result.faults)) for result in found)
        assert found.exists()
    assert RecordResult.objects.exclude(faults="").count() == len(names)


def test_a_record_that_is_no_object_is_wrong_as_a_whole(client, sender):
    sender.post("students", 7)

    assert listed(client, field=faults.WHOLE_RECORD, code="invalid_type") == [""]


def test_more_than_an_index_takes_is_kept_and_found_by_what_fits(client, sender):
    letters = Random(7)  # of four bytes each, in no order that could be packed
    names = ["".join(chr(letters.randrange(0x1F300, 0x1F5FF)) for _ in range(100)) for _ in range(20)]
    answer = sender.post("units", factories.UnitRecord(id="u", **dict.fromkeys(names, 1)))

    result = RecordResult.objects.get(zoho_id="u")
    assert result.state == "INVALID", answer
    assert [error["field"] for error in result.errors] == names
    kept = [field for field, _ in faults.pairs(result.faults)]
    assert kept == names[: len(kept)]
    assert faults.LONGEST - 450 < len(result.faults.encode()) <= faults.LONGEST
    assert listed(client, field=names[0], code="unexpected_field") == ["u"]


# --- The migrations ----------------------------------------------------------------------------------


def test_results_from_before_are_found_as_well(trouble):
    before = dict(RecordResult.objects.values_list("pk", "faults"))
    RecordResult.objects.update(faults="")

    import_module("btec_sync.migrations.0003_records_to_mend").fill_faults(apps, SchemaEditor())

    assert dict(RecordResult.objects.values_list("pk", "faults")) == before


class SchemaEditor:
    connection = connection


def test_what_is_too_long_for_the_index_is_cut_before_it_is_made(migrated, sender):
    sender.post("units", {"id": "short"}, {"id": "long"}, {"id": "longer"})
    before = {
        "short": "\nName\trequired\n",
        "long": "\n" + "é" * 1_249 + "\n",  # of 2,500 bytes
        # That PostgreSQL can pack: of others it takes in what a transaction elsewhere could still see.
        "longer": "\n" + "".join(f"{'é' * 100}{n}\trequired\n" for n in range(30)),
    }
    migrated("0008_arrivals")
    for name, long in before.items():
        RecordResult.objects.filter(zoho_id=name).update(faults=long)

    migrated("0010_faults_in_their_index")

    after = dict(RecordResult.objects.values_list("zoho_id", "faults"))
    assert after == {name: faults.cut(long) for name, long in before.items()}
    assert len(after["long"].encode()) == faults.LONGEST
    assert 2_200 < len(after["longer"].encode()) <= faults.LONGEST
