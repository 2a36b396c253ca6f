"""The admin as staff use it: lists, searches, filters, pages, the Replay action, and nothing to edit."""

import re
import time
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from btec_sync import deliveries
from btec_sync.admin_paging import BoundedPaginator
from btec_sync.models import ApiKey, Delivery, IdempotencyKey, RecordResult, Tenant, Tombstone
from btec_sync.reference.models import Program, Student
from grades.models import Grade
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.admin import MODELS, READ_ONLY, crawl, fill, links, page_of, stored, superuser, text, url
from tests.conftest import payload
from units.models import Unit

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def client(db):
    return superuser()


@pytest.fixture
def filled(db):
    return fill("default", "word")


def list_of(client, model, **query) -> str:
    response = client.get(url(model), query)
    assert response.status_code == 200, response.headers.get("Location")
    return text(response)


def count(client, model, **query) -> int:
    """How many rows a list says it has."""
    names = f"{model._meta.verbose_name}|{model._meta.verbose_name_plural}"
    return int(re.search(rf"(\d+) ({names})\b", list_of(client, model, **query))[1])


# --- What can be looked at, and that nothing can be edited ------------------------------------------


def test_every_row_has_its_page(client, filled):
    for model in MODELS:
        for row in model.objects.all():
            assert client.get(page_of(row)).status_code == 200


@pytest.mark.parametrize("model", READ_ONLY)
def test_nothing_can_be_added_changed_or_deleted(client, filled, model):
    row = model.objects.first()
    before = list(model.objects.order_by("pk").values())

    for address in (url(model, "add"), url(model, "delete", row.pk)):
        assert client.get(address).status_code == 403
        assert client.post(address, {"post": "yes", "zoho_id": "x", "name": "x"}).status_code == 403
    assert client.post(page_of(row), {"zoho_id": "x", "name": "x"}).status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    client.post(url(model), selected)

    assert "Save" not in text(client.get(page_of(row)))
    assert list(model.objects.order_by("pk").values()) == before


# --- Searching and filtering -------------------------------------------------------------------------


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

    assert "These are the first 2; there are more." in list_of(client, Delivery)
    assert "there are more" not in list_of(client, Student)
    exported = client.get(url(Delivery, "export", "csv")).getvalue().decode()
    assert len(exported.splitlines()) == 1 + Delivery.objects.count() > 3


# --- One page each -----------------------------------------------------------------------------------


def test_a_records_page_links_parents_children_deliveries_and_history(client, sender, parents):
    sender.post("payments", payload("payment"))
    sender.post(
        "registrations", {**payload("registration"), "id": "reg_456", "Enrollment_Status": "Completed"}
    )
    registration = Registration.objects.get(zoho_id="reg_456")
    came, changed = Delivery.objects.filter(module="registrations").order_by("pk")

    response = client.get(page_of(registration))
    page, found = text(response), links(response)

    for parent in (registration.student, registration.program, registration.tenant, came, changed):
        assert page_of(parent) in found
    payments = url(Payment) + f"?registration__id__exact={registration.pk}"
    assert payments in found
    assert "1 payment" in page
    assert "enrollment_status: Active → Completed" in page
    assert page.index("Registration updated") < page.index("Registration created")
    shown = client.get(payments)
    assert count(client, Payment, registration__id__exact=registration.pk) == 1
    assert f"By registration All {registration}" in text(shown)
    assert url(Payment) + "?" in links(shown)


def test_a_record_says_which_delivery_its_values_are_of(client, sender):
    for version in (5, 4):
        sender.post("students", {"id": "s", "Name": f"Layla {version}", "Version": version})
    newer = Delivery.objects.earliest("pk")

    page = text(client.get(page_of(Student.objects.get())))

    assert f"Values last sent by: {str(newer.uid)[:8]} , received" in page


def test_a_records_history_is_its_results(client, filled):
    payment = Payment.objects.get(zoho_id="word_pay_0")

    response = client.get(url(Payment, "history", payment.pk), follow=True)

    assert response.redirect_chain
    assert "3 record results" in text(response)
    assert "word_pay_parked" not in text(response)


def test_a_deliverys_page_shows_body_results_and_answer(client, filled):
    delivery = Delivery.objects.filter(module="payments", invalid=1, unchanged=1).get()

    response = client.get(page_of(delivery))
    page = text(response)

    assert '"Amount": "word"' in page
    assert "1 UNCHANGED, 1 INVALID" in page
    assert "Amount: expected a JSON number" in page
    assert '"status": "partial"' in page
    assert "Traceback" not in page
    assert page_of(Payment.objects.get(zoho_id="word_pay_0")) in links(response)


def test_a_delivery_without_results_says_why(client, sender):
    for _ in range(2):
        sender.post("students", {"id": "s", "Name": "Layla"})

    page = text(client.get(page_of(Delivery.objects.latest("pk"))))

    assert "1 UNCHANGED" in page
    assert "None. A record that is UNCHANGED has no result of its own." in page


def test_a_repeat_links_the_delivery_that_answered_for_it(client, sender):
    for _ in range(2):
        sender.post("students", {"id": "s", "Name": "Layla"}, key="once")
    first, second = Delivery.objects.order_by("pk")

    found = links(client.get(page_of(second)))

    assert found.count(page_of(first)) == 2  # duplicate of, repeats


def test_a_delivery_that_crashed_shows_its_traceback(client, sender, monkeypatch):
    monkeypatch.setattr(deliveries, "read_envelope", lambda *_, **__: 1 / 0)
    sender.post("students", {"id": "s", "Name": "Layla"})

    page = text(client.get(page_of(Delivery.objects.get())))

    assert "Failed" in page
    assert "ZeroDivisionError: division by zero" in page


def test_a_delivery_of_a_thousand_records_is_a_page_like_any_other(client, sender, tenant):
    sender.post("students", *factories.StudentRecord.build_batch(1_000))
    delivery = Delivery.objects.get()

    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = client.get(page_of(delivery))

    assert len(queries) < 20
    assert len(response.content) < 600_000
    assert "Only the first 100 are shown here." in text(response)
    everything = url(RecordResult) + f"?delivery__id__exact={delivery.pk}"
    assert everything in links(response)
    assert count(client, RecordResult, delivery__id__exact=delivery.pk) == 1_000


def test_a_result_leads_to_its_record_once_that_is_stored(client, filled):
    stored, parked = (
        RecordResult.objects.filter(zoho_id=f"word_pay_{n}").latest("pk") for n in ("0", "parked")
    )

    assert page_of(Payment.objects.get(zoho_id="word_pay_0")) in links(client.get(page_of(stored)))
    page = client.get(page_of(parked))
    assert "word_pay_parked" in text(page)
    assert "registrations word_nowhere" in text(page)
    assert not [link for link in links(page) if link.startswith(url(Payment) + "1")]


def test_a_record_without_a_readable_id_has_its_result(client, sender, tenant):
    sender.post("students", {"id": 12, "Name": "Layla"}, 7)

    assert "(no id)" in text(client.get(page_of(Delivery.objects.get())))
    for result in RecordResult.objects.all():
        assert "(no id)" in text(client.get(page_of(result)))


def test_an_api_keys_digest_is_nowhere(client, filled):
    key = ApiKey.objects.get()

    for address in (url(ApiKey), page_of(key), url(ApiKey, "history", key.pk)):
        assert key.digest[:10] not in client.get(address).content.decode()


# --- What was sent by somebody -----------------------------------------------------------------------


def send_scripts(sender, name: str) -> None:
    """A record of every module, with markup wherever text is taken."""
    student, program, unit, registration = ({"id": lookup} for lookup in "spur")
    records = {
        "students": {"Name": name, "Academic_Email": SCRIPT, "Phone": SCRIPT, "Status": name},
        "programs": {"Product_Name": name, "MoodleID": SCRIPT, "Status": name},
        "units": {"Unit_Code": name, "Unit_Name": SCRIPT, "Level": SCRIPT, "Status": name},
        "registrations": {"Student": student, "Program": program, "Enrollment_Status": name},
        "payments": {
            "Registration": registration,
            "Amount": 1,
            "Payment_Status": name,
            "Description": SCRIPT,
        },
        "grades": {"Student": student, "Unit": unit, "Grade_Value": name, "Comments": SCRIPT},
    }
    for record_id, (module, record) in zip("spurag", records.items(), strict=True):
        sent = {"id": record_id, **record}
        assert sender.states(module, sent, key=name, **{"User-Agent": SCRIPT}) in (["NEW"], ["UPDATED"])


def test_whatever_is_stored_is_shown_escaped(client, sender, tenant):
    Tenant.objects.update(name=SCRIPT)
    ApiKey.objects.create(tenant=tenant, name=SCRIPT, prefix="<script>", digest="")
    Tombstone.objects.create(tenant=tenant, module=SCRIPT, zoho_id=SCRIPT, person=SCRIPT)
    send_scripts(sender, SCRIPT)
    send_scripts(sender, SCRIPT + "again")
    sender.post("grades", {"id": SCRIPT, SCRIPT: SCRIPT, "Student": {"id": SCRIPT}})
    sender.post_body("grades", SCRIPT)
    # What no sender can do today.
    Delivery.objects.filter(module="grades").update(traceback=SCRIPT, headers={SCRIPT: SCRIPT})
    RecordResult.objects.filter(module="grades").update(
        message=SCRIPT,
        errors=[{"field": SCRIPT, "code": SCRIPT, "message": SCRIPT}],
        changed_fields={SCRIPT: [SCRIPT, {SCRIPT: SCRIPT}]},
        waits_for_module="students",
        waits_for_id=SCRIPT,
    )

    files = re.compile("/body/$|/export/")
    pages = {address: page for address, page in crawl(client).items() if not files.search(address)}

    assert len(pages) > 100
    assert [address for address, page in pages.items() if "<script>alert" in page] == []
    for model in MODELS:
        assert "&lt;script&gt;" in pages[page_of(model.objects.latest("pk"))], model
    # A strict Content-Security-Policy forbids these.
    assert [address for address, page in pages.items() if re.search(r"<(style|script)>| style=", page)] == []


BODIES = {
    "no JSON": (b"a=1&b=2", "a=1&b=2"),
    "cut JSON": (b'{"data": [{"id": "pay', '{"data": [{"id": "pay'),
    "no UTF-8": (b"\xff\xfe caf\xe9", r"\xff\xfe caf\xe9"),
    "control characters": (b"a\x00b\x1b[31m", "a<U+0000>b<U+001B>[31m"),
    "empty": (b"", "-"),
    "numbers as they were spelled": (
        b'{"data":[500.00,5E2,-0,1e999]}',
        '{ "data": [ 500.00, 5E2, -0, 1e999 ] }',
    ),
    "a key twice": (b'{"a":1,"a":2}', '{ "a": 1, "a": 2 }'),
    "letters as letters": (rb'{"a":"\u00e9\ud83c\udf93\u0633"}', '{ "a": "é🎓س" }'),
    "other escapes as they were spelled": (
        rb'{"a":"\"\\\u0041\n\u202e\ud800\\u0633\/"}',
        r'{ "a": "\"\\\u0041\n\u202e\ud800\\u0633\/" }',
    ),
    "nothing inside": (b'{"data":[ ],"b":{}}', '{ "data": [], "b": {} }'),
    "marks in strings": (b'{"a":"x,y:{}[]"}', '{ "a": "x,y:{}[]" }'),
    "Arabic": ('{"Name":"سارة"}'.encode(), '{ "Name": "سارة" }'),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_is_shown_as_it_came(client, db, name):
    body, shown = BODIES[name]

    assert html_body(client, stored(body)) == shown


def html_body(client, delivery) -> str:
    page = text(client.get(page_of(delivery)))
    return re.search(r" Body: (.*) Download, byte for byte", page)[1]


FIVE_MIB = 5 * 1024 * 1024
HUGE = {
    "one string": b'"' + b"x" * (FIVE_MIB - 2) + b'"',
    "a string of escapes": b'"' + rb"\"" * (FIVE_MIB // 2 - 1) + b'"',
    "an open string": b'"' + rb"\"" * (FIVE_MIB // 2 - 1),
    "many records": b'{"data":[' + b",".join([b'{"id":"s","Name":"Layla"}'] * 200_000) + b"]}",
    "nested": b"[" * (FIVE_MIB // 2) + b"]" * (FIVE_MIB // 2),
    "many nested": (b"[" * 900 + b"[]," * 1_500_000 + b"[]" + b"]" * 900),
    "one number": b"1" * FIVE_MIB,
    "no UTF-8": b"\xff" * FIVE_MIB,
    "markup": b"<" * FIVE_MIB,
    "line ends": b"\n" * FIVE_MIB,
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_body_does_not_bloat_the_page(client, db, name):
    delivery = stored(HUGE[name], answer=HUGE[name], traceback="x" * 100_000)

    began = time.perf_counter()
    response = client.get(page_of(delivery))

    assert response.status_code == 200
    assert time.perf_counter() - began < 20
    assert len(response.content) < 2_500_000
    assert "Only the beginning is shown" in text(response) or name == "line ends"


def test_a_body_is_cut_anywhere(client, db):
    for offset in range(12):
        delivery = stored(b'"' + b"x" * offset + rb"\ud83c\udf93" * 20_000 + b'"')
        assert "🎓" in text(client.get(page_of(delivery))), offset


def test_a_body_is_downloaded_byte_for_byte(client, db):
    body = bytes(range(256))
    delivery = stored(body)

    response = client.get(url(Delivery, "body", delivery.pk))

    assert response.content == body
    assert response.headers["Content-Disposition"] == f'attachment; filename="{delivery.uid}.body"'
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("model", [Delivery, RecordResult, IdempotencyKey])
def test_no_list_reads_a_body(client, filled, model):
    with CaptureQueriesContext(connection) as queries:
        client.get(url(model))

    assert not [query["sql"] for query in queries if re.search(r'\."?(body|answer|traceback)"', query["sql"])]


def test_long_values_are_cut_in_tables_and_whole_on_the_results_page(client, sender, parents):
    old, new = "x" * 30_000, "y" * 30_000
    for text_sent in (old, new):
        sender.post("payments", {**payload("payment"), "Description": text_sent})
    payment = Payment.objects.get()
    result = RecordResult.objects.filter(module="payments").latest("pk")

    assert len(client.get(page_of(payment)).content) < 60_000
    assert len(client.get(url(RecordResult)).content) < 60_000
    assert f"description: {old} → {new}" in text(client.get(page_of(result)))


# --- Tenants and keys --------------------------------------------------------------------------------


class TestTenants:
    def test_a_superuser_adds_and_changes_them(self, client):
        member = User.objects.create_user("registrar", is_staff=True)
        posted = {"slug": "irbid", "name": "Irbid", "active": "on", "unknown_fields": "reject"}

        client.post(url(Tenant, "add"), posted)
        tenant = Tenant.objects.get()
        client.post(
            page_of(tenant), {**posted, "slug": "other", "name": "Irbid campus", "members": [member.pk]}
        )

        tenant.refresh_from_db()
        assert (tenant.slug, tenant.name, *tenant.members.all()) == ("irbid", "Irbid campus", member)

    def test_none_is_deleted(self, client, tenant):
        assert client.post(url(Tenant, "delete", tenant.pk), {"post": "yes"}).status_code == 403
        client.post(
            url(Tenant), {"action": "delete_selected", "_selected_action": [tenant.pk], "post": "yes"}
        )
        assert Tenant.objects.exists()


def test_a_superuser_ends_keys(client, filled):
    key = ApiKey.objects.get()
    selected = {"action": "revoke", "_selected_action": [key.pk]}

    first = text(client.post(url(ApiKey), selected, follow=True))
    key.refresh_from_db()
    ended = key.revoked_at
    second = text(client.post(url(ApiKey), selected, follow=True))
    key.refresh_from_db()

    assert "Revoked: 1." in first
    assert "Revoked: 0." in second
    assert key.revoked_at == ended
    assert "Revoked." in text(client.get(url(ApiKey, "history", key.pk)))


# --- Queries -----------------------------------------------------------------------------------------


def queries_of(client, model) -> int:
    client.get(url(model))  # what is asked once and remembered
    with CaptureQueriesContext(connection) as queries:
        response = client.get(url(model))
    assert response.status_code == 200
    return len(queries)


def test_a_list_of_fifty_costs_as_many_queries_as_one_of_five(client):
    fill("default", "few", 5)
    few = {model: queries_of(client, model) for model in MODELS}

    fill("default", "many", 45)
    for n in range(45):
        factories.TenantFactory(slug=f"tenant-{n}")
    many = {model: queries_of(client, model) for model in MODELS}

    assert all(model.objects.count() >= 45 for model in MODELS)
    assert many == few
    assert max(many.values()) <= 12
