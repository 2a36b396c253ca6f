"""Lists as files: what is in them, and that nothing in them runs."""

import csv
import io
import json
import operator
import re
import subprocess
import sys
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st

from btec_sync import admin_export, exports
from btec_sync.models import Delivery, RecordToMend
from btec_sync.reference.models import Student
from payments.models import Payment
from tests import factories
from tests.admin import links, superuser, text, url
from tests.conftest import payload
from tests.exported import content, csv_rows, sheet_of, xlsx_rows
from units.models import Unit


@pytest.fixture
def client(tenant):
    return superuser()


# --- What is in them ---------------------------------------------------------------------------------


def test_a_payment_has_its_values_its_parent_and_its_student(client, sender, parents):
    sender.post("payments", {**payload("payment"), "Amount": 1234567.1})
    payment = Payment.objects.get()

    (of_csv,), (of_xlsx,) = csv_rows(client, Payment), xlsx_rows(client, Payment)

    assert of_csv["Zoho id"] == of_xlsx["Zoho id"].value == payment.zoho_id
    assert of_csv["registration id"] == "reg_456"
    assert of_csv["registration"] == str(payment.registration)
    assert of_csv["student"] == of_xlsx["student"].value == str(payment.registration.student)
    assert of_csv["amount"] == "1234567.10"
    assert (of_xlsx["amount"].data_type, of_xlsx["amount"].number_format) == ("n", "0.00")
    assert of_csv["payment date"] == f"{payment.payment_date:%Y-%m-%d}"
    assert of_xlsx["payment date"].is_date
    assert of_xlsx["payment date"].value.date() == payment.payment_date
    assert of_xlsx["first stored (UTC)"].value == payment.created_at.replace(tzinfo=None, microsecond=0)


@pytest.mark.parametrize("amount", ["0.01", "0.1", "1234567.89", "9999999999.99", "9999999999.90"])
def test_an_amount_is_exact_to_the_cent(client, sender, parents, amount):
    record = {**factories.PaymentRecord(), "Amount": 0}
    body = json.dumps({"data": [record]}).replace('"Amount": 0', f'"Amount": {amount}')
    sender.post_body("payments", body)

    assert csv_rows(client, Payment)[0]["amount"] == f"{Decimal(amount):.2f}"
    written = re.search(r'<c r="E2"[^>]*><v>([^<]*)</v>', sheet_of(client, Payment))[1]
    assert Decimal(written) == Decimal(amount)


@pytest.mark.parametrize(
    ("day", "kind"), [("0001-01-01", "s"), ("1900-02-28", "s"), ("1900-03-01", "d"), ("9999-12-31", "d")]
)
def test_a_day_that_a_spreadsheets_calendar_has_not_is_text(client, sender, parents, day, kind):
    sender.post("payments", factories.PaymentRecord(Payment_Date=day))

    (row,) = xlsx_rows(client, Payment)

    cell = row["payment date"]
    assert cell.data_type == kind
    assert str(cell.value)[:10] == day == csv_rows(client, Payment)[0]["payment date"]


def test_a_time_that_a_spreadsheets_calendar_has_not_is_text(client, sender):
    sender.post("students", factories.StudentRecord(Modified_Time="0001-01-02T03:04:05Z"))

    (row,) = xlsx_rows(client, Student)

    cell = row["modified in Zoho (UTC)"]
    assert (cell.data_type, cell.value) == ("s", "0001-01-02 03:04:05")


def test_a_number_too_long_for_a_spreadsheet_is_text(client, sender):
    sender.post("students", {"id": "5200000000000000001", "Name": "Layla", "Version": 2**60})

    (row,) = xlsx_rows(client, Student)

    assert row["Zoho id"].value == "5200000000000000001"
    assert row["version in Zoho"].value == str(2**60)


def test_times_are_in_the_local_zone(client, sender, settings):
    settings.TIME_ZONE = "Asia/Amman"
    sender.post("students", factories.StudentRecord(Modified_Time="2026-01-15T22:30:00Z"))

    title, local = "modified in Zoho (Asia/Amman)", "2026-01-16 01:30:00"
    assert csv_rows(client, Student)[0][title] == local
    assert str(xlsx_rows(client, Student)[0][title].value) == local


def test_csv_is_utf_8_that_excel_knows(client, sender):
    sender.post("students", factories.StudentRecord(Name="سارة 🎓"))

    exported = content(client.get(url(Student, "export", "csv")))

    assert exported.startswith(b"\xef\xbb\xbf")
    assert "سارة 🎓" in exported.decode()


def test_a_file_is_named_after_its_list(client, tenant):
    for form in ("csv", "xlsx"):
        response = client.get(url(RecordToMend, "export", form))
        content(response)  # which closes the file
        named = rf'attachment; filename="records-to-mend-{timezone.localdate()}\.{form}"'
        assert re.fullmatch(named, response.headers["Content-Disposition"])


def test_no_body_no_answer_no_header_is_exported(client, sender):
    sender.post("students", {"id": "s", "Name": "Layla"}, **{"User-Agent": "zoho-agent"})

    (row,) = csv_rows(client, Delivery)

    assert row["delivery id"] == str(Delivery.objects.get().uid)
    assert row["NEW"] == "1"
    assert "Layla" not in str(row)
    assert "zoho-agent" not in str(row)


def test_a_record_to_mend_says_what_is_wrong(client, sender):
    sender.post("students", {"id": "s", "Name": 7, "Odd": 1})
    sender.post("payments", factories.PaymentRecord(id="p", Registration={"id": "r"}))

    parked, invalid = csv_rows(client, RecordToMend)

    assert invalid["state"] == "INVALID"
    assert invalid["what is wrong"].splitlines() == [
        "Name: expected a string, got a number.",
        "Odd: not a field of this module.",
    ]
    assert (parked["state"], parked["waits for"]) == ("parked", "r")


# --- What the list shows, and no more ----------------------------------------------------------------


def test_filters_search_and_order_apply(client, sender):
    sender.post("students", *(factories.StudentRecord(id=f"s{n}", Status=f"{n % 2}") for n in range(60)))

    assert len(csv_rows(client, Student, p="2")) == 60  # every page
    assert len(csv_rows(client, Student, status="1")) == 30
    assert [row["Zoho id"] for row in csv_rows(client, Student, q="s7")] == ["s7"]
    ids = [row["Zoho id"] for row in csv_rows(client, Student, o="-0")]
    assert ids == sorted(ids, reverse=True)
    shown = links(client.get(url(Student), {"status": "1"}))
    assert url(Student, "export", "csv") + "?status=1" in shown


def test_an_address_that_no_list_takes_exports_nothing(client, tenant):
    response = client.get(url(Student, "export", "csv"), {"updated_at__gte": "x"})

    assert response.status_code == 302
    assert client.get(url(Student, "export", "csv"), {"fingerprint": "x"}).status_code == 400
    assert client.get(url(Student, "export", "pdf")).status_code == 404


# --- Formulas ----------------------------------------------------------------------------------------

HARMFUL = {
    "=1+1": "'=1+1",
    "+44 20 7946 0000": "'+44 20 7946 0000",
    "-1": "'-1",
    "@SUM(A1)": "'@SUM(A1)",
    " =1": "' =1",
    "\t=1": "'\t'=1",
    "\r=1": "'\r'=1",
    "\uff1d1": "'\uff1d1",
    "a;=1": "a;'=1",
    "a\n\n=1": "a\n\n'=1",
    "a\n- b": "a\n'- b",
    'a;"=1': "a;'\"=1",
    'a\r\n"" "\uff0b1': 'a\r\n\'"" "\uff0b1',
    '"=1': "'\"=1",
    "a,=1": "a,=1",
    'a,"=1': 'a,"=1',
    "a=1 b-c d@e": "a=1 b-c d@e",
    'a;"b";\tc': 'a;"b";\tc',
    '"': '"',
    "": "",
}


@pytest.mark.parametrize(("value", "written"), HARMFUL.items(), ids=map(repr, HARMFUL))
def test_what_a_spreadsheet_would_run_is_text_in_csv(value, written):
    assert exports.csv_cell(value) == written


# What cells, quotation and formulas are made of.
PIECES = st.sampled_from([*"=+-@\uff1d\uff0b\uff0d\uff20", *";,\t\r\n\"' \xa0\x0bx1", '""', "=1+1"])
TEXTS = st.lists(PIECES, max_size=12).map("".join)
ROWS = st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[TEXTS] * n), min_size=1, max_size=4))
RUNS = re.compile(r'[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20]')


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@settings(deadline=None, max_examples=300)
@given(rows=ROWS)
@example(rows=[('x;"=HYPERLINK(1)+2;y',)])
@example(rows=[("Zoho", 'x;"=HYPERLINK(1)+2;y')])
@example(rows=[("Zoho", 'x\n"=HYPERLINK(1)+2')])
@example(rows=[("x", 'y;"'), ("=1+1", '";=1')])
def test_however_a_spreadsheet_splits_a_csv_no_cell_runs(delimiter, rows):
    columns = {f"c{n}": operator.itemgetter(n) for n in range(len(rows[0]))}

    written = b"".join(exports.as_csv(columns, rows)).decode("utf-8-sig")

    read = list(csv.reader(io.StringIO(written, newline=""), delimiter=delimiter))
    assert [cell for row in read for cell in row if RUNS.match(cell)] == []
    if delimiter == ",":
        taken = [[cell.replace("'", "") for cell in row] for row in read[1:] if row]
        assert taken == [[text.replace("'", "") for text in row] for row in rows]
        assert not [cell for row in read for cell in row if cell[:1] in ("\t", "\r", "\n")]


def test_formulas_of_a_record_are_text(client, sender):
    formula = '=HYPERLINK("http://evil.example","x")'
    sender.post("students", {"id": "s", "Name": formula, "Phone": "+44 20 7946 0000", "Status": "#N/A"})

    (of_csv,), (of_xlsx,) = csv_rows(client, Student), xlsx_rows(client, Student)

    assert of_csv["name"] == f"'{formula}"
    for title, value in {"name": formula, "phone": "+44 20 7946 0000", "status": "#N/A"}.items():
        assert (of_xlsx[title].value, of_xlsx[title].data_type) == (value, "s")
    sheet = sheet_of(client, Student)
    assert "<f>" not in sheet
    assert 't="e"' not in sheet


def test_what_xml_cannot_hold_does_not_break_a_spreadsheet(client, sender):
    sender.post("units", factories.UnitRecord(Description="x" * 32_000), factories.UnitRecord())
    Unit.objects.filter(description="").update(description="\x1b\x0b\ufffe" + "y" * 40_000)

    long, odd = (row["description"].value for row in xlsx_rows(client, Unit))

    assert long == "x" * 32_000
    assert odd.startswith("\ufffd\ufffd\ufffdyyy")
    assert len(odd) == 32_767


# --- Size --------------------------------------------------------------------------------------------


def test_a_spreadsheet_of_too_many_rows_is_refused_with_a_way_out(client, sender, monkeypatch):
    monkeypatch.setattr(admin_export, "MOST_XLSX_ROWS", 2)
    sender.post("students", *factories.StudentRecord.build_batch(3, Status="x"))

    response = client.get(url(Student, "export", "xlsx"), {"status": "x"}, follow=True)

    assert "An XLSX file takes at most 2 rows here, and these are more." in text(response)
    assert response.request["QUERY_STRING"] == "status=x"
    assert len(csv_rows(client, Student)) == 3


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_many_rows_cost_no_query_each(client, sender, parents, form, django_assert_max_num_queries):
    sender.post("payments", *factories.PaymentRecord.build_batch(200))

    with django_assert_max_num_queries(8):
        content(client.get(url(Payment, "export", form)))


def test_nobody_waits_for_the_library_before_a_spreadsheet_is_made():
    code = (
        "import os, sys, django\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'\n"
        "django.setup()\n"
        "from config import urls\n"
        "sys.exit('openpyxl' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_an_export_is_in_the_log_without_what_is_in_it(client, sender, log_lines, form):
    sender.post("students", factories.StudentRecord(Name="Layla"))

    content(client.get(url(Student, "export", form), {"q": "Layla"}))

    _, exported, request, sent = log_lines()
    assert {name: exported[name] for name in ("event", "level", "list", "form", "user")} == {
        "event": "exported",
        "level": "info",
        "list": "reference.student",
        "form": form,
        "user": User.objects.get(username="root").pk,
    }
    assert (request["event"], sent["event"]) == ("request_finished", "streaming_finished")
    assert exported["request_id"] == request["request_id"] == sent["request_id"]
    for word in ("Layla", "root"):
        assert word not in str([exported, request, sent])
