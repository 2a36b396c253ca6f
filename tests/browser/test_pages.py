"""Staff's pages in a real browser, against the service as production runs it.

Every window is watched: an error or a warning on the console, a breach of the content security policy, a
request that failed and an answer of 4xx or 5xx end the test, whatever it was about.
"""

import csv
import io
import operator
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import openpyxl
import pytest

from tests.browser import surf
from tests.browser.college import FORMULA, REFUSED
from tests.browser.site import SUPERUSERS

# What a browser sees is alike on both databases.
pytestmark = pytest.mark.once

MEND = "/admin/btec_sync/recordtomend/"
DELIVERIES = "/admin/btec_sync/delivery/"


def number(text: str) -> int:
    return int(text.replace(",", ""))


def rows(page) -> list[str]:
    return [
        row.replace("\t", " ").replace("\n", " ")
        for row in page.locator("#result_list tbody tr").all_inner_texts()
    ]


def shown(page) -> int:
    """How many rows the list says it has."""
    return number(re.search(r"([\d,]+) [a-z]", page.locator(".paginator").inner_text())[1])


def follow(page, what: str) -> None:
    """Clicks what leads to another page, and is there."""
    with page.expect_navigation():
        page.click(what)


def select_and_replay(page, what: str, *wanted: str) -> None:
    for text in wanted:
        page.locator("#result_list tbody tr", has_text=text).locator("input[type=checkbox]").check()
    page.select_option("select[name=action]", label=f"Replay selected {what}")
    follow(page, "button[name=index]")


def downloaded(page, link: str) -> bytes:
    with page.expect_download() as download:
        page.click(f"text={link}")
    return download.value.path().read_bytes()


# A page that is no list, or one that has rows.
FILLED = "!document.querySelector('#changelist') || !!document.querySelector('#result_list tbody tr')"

# --- Every page --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "viewport"),
    [
        ("registrar", surf.WIDE),
        ("operator", surf.NARROW),
        ("superuser", surf.WIDE),
        ("superuser", surf.NARROW),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value["width"]),
)
def test_every_page_opens_without_a_fault_and_fits(window, pages, person, viewport):
    opened = window(person, viewport=viewport)

    # Superusers see what the others see; of that their front page is looked at, with what it lists besides.
    names = SUPERUSERS | {"front"} if person == "superuser" else pages.keys() - SUPERUSERS

    for name in names:
        address = pages[name]
        page = opened.open(address)
        page.wait_for_selector("h1, h2")
        assert page.evaluate(FILLED), name
        assert page.url == opened.url + address, name
        assert page.evaluate(f"document.documentElement.scrollWidth <= {viewport['width']}"), name


@pytest.mark.parametrize("person", ["operator", "reader"])
def test_what_is_wrong_stands_whole_on_a_wide_page(window, person):
    page = window(person).open(MEND)

    cut = page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('.results'))")

    assert cut <= 0


def test_every_state_by_module_stands_whole_on_a_wide_page(window, pages):
    page = window("superuser").open(pages["health"])
    table = page.locator("section", has_text="By module, since").locator(".btec-scroll")

    assert "FAILED" in table.inner_text()  # the last of its columns
    assert table.evaluate("e => e.scrollWidth - e.clientWidth") <= 0


def test_light_and_dark(window, pages):
    grounds = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    seen = {}
    for scheme in ("light", "dark"):
        opened = window("registrar", color_scheme=scheme)
        for name in ("home", "front", "health", "mend"):
            seen[name, scheme] = opened.open(pages[name]).evaluate(grounds)
    page = opened.open(pages["health"])
    drawn = "document.getElementById('health-chart').toDataURL()"
    dark = page.evaluate(drawn)
    page.click("header button.theme-toggle")  # auto, which is dark here, to light
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")

    for name in ("home", "front", "health", "mend"):
        assert all(map(operator.ne, seen[name, "light"], seen[name, "dark"])), name
    assert page.evaluate(drawn) != dark


def test_the_documentation_is_drawn_from_the_schema(window):
    page = window().open("/v1/docs")

    page.wait_for_selector(".opblock")
    page.locator(".opblock", has_text="payments").click()
    page.locator("text=Amount").first.wait_for()  # a moment after the click

    assert page.locator(".opblock").count() == 6


# --- Who comes in ------------------------------------------------------------------------------------


def test_a_wrong_password_is_refused_and_says_so(window):
    opened = window()

    page = opened.log_in("registrar", "not-the-password")

    assert "Please enter the correct username and password" in page.locator(".errornote").inner_text()
    assert "/admin/login/" in opened.open("/admin/sync-health/").url


def test_a_member_of_another_tenant_sees_that_one_only(window, pages):
    opened = window("visitor")

    front = opened.open("/admin/").inner_text("body")
    health = opened.open(pages["health-30d"]).inner_text("body")
    mend = rows(opened.open(MEND))
    theirs = downloaded(opened.page, "Export CSV").decode()

    assert "1 record waits for its parent" in front
    assert "1 record was refused" in health
    assert len(mend) == 2
    assert all("zarqa_" in row for row in mend)
    assert "zarqa_pay" in theirs
    assert "pay_9" not in theirs
    # As if there were no such page: back to the front, with a sentence that says so.
    for name in ("student", "delivery", "mend-one"):
        page = opened.open(pages[name])
        assert page.url == f"{opened.url}/admin/", name
        assert "Perhaps it was deleted?" in page.inner_text(".messagelist"), name


# --- Sync health -------------------------------------------------------------------------------------


def test_each_kind_of_figure_leads_to_a_list_of_as_many(window):
    opened = window("superuser")
    followed = {}

    for period in ("24 hours", "7 days", "30 days"):
        page = opened.open("/admin/sync-health/")
        follow(page, f"nav a:text-is('last {period}')")
        assert page.locator("[aria-current]").first.inner_text() == f"last {period}"
        assert page.locator("#health-chart").is_visible()
        for address, text in page.evaluate(FIGURES):
            followed.setdefault(kind_of(address, period), (address, text))

    assert len(followed) > 40
    for (period, *_), (address, text) in followed.items():
        # One period's lists are looked at; of the others it is enough to read what the server says.
        listed = looked_at(opened, address) if period == "7 days" else read(opened, address)
        assert listed == number(re.search(r"[\d,]+", text)[0]), (text, address)


def looked_at(opened, address: str) -> int:
    page = opened.open(address)
    return unchanged_in(" ".join(rows(page))) if "records=UNCHANGED" in address else shown(page)


def read(opened, address: str) -> int:
    answer = opened.context.request.get(opened.url + address)
    assert answer.ok, address
    source = answer.text()
    if "records=UNCHANGED" in address:
        return unchanged_in(source)
    return number(re.search(r"([\d,]+) [a-z]", source.split('class="paginator"')[1])[1])


def unchanged_in(text: str) -> int:
    """UNCHANGED records have no result: the figure is the sum over the deliveries of the list."""
    return sum(number(n) for n in re.findall(r"([\d,]+) UNCHANGED", text))


# Links to a list whose text is, or begins with, a number.
FIGURES = r"""[...document.querySelectorAll("#content-main a[href*='/admin/btec_sync/']")]
    .map((a) => [a.getAttribute("href"), a.textContent])
    .filter(([href, text]) => href.includes("/?") && /^×?[\d,]+( |$)/.test(text))"""


def kind_of(address: str, period: str) -> tuple:
    """Links are of one kind when they differ in a module, a tenant, a time or an error only."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    words = {"state__exact", "records", "parked"}
    told = tuple((name, query[name][0] if name in words else "") for name in sorted(query))
    return period, parts.path, told


def test_a_click_on_the_front_page_leads_to_what_is_stuck(window):
    page = window("registrar").page

    follow(page, "text=4 records wait for their parents")

    assert shown(page) == 4


# --- Records to mend ---------------------------------------------------------------------------------


def taken(page, title: str, most: int | None = None) -> Iterator[str]:
    """Takes what a filter offers, one after the other, and is there."""
    links = f"#changelist-filter details:has(summary:text('By {title}')) a"
    choices = [text for text in page.locator(links).all_inner_texts() if text != "All"]
    assert choices, title
    for choice in choices[:most]:
        follow(page, f"{links}:text-is('{choice}')")
        yield choice


def test_the_filters_narrow_the_list_to_what_they_offer(window):
    opened = window("registrar")

    for title in ("missing parent", "error code", "field"):
        page = opened.open(MEND)
        for choice in taken(page, title, most=2):
            assert shown(page) == number(re.search(r"\((\d+)\)$", choice)[1]), choice


def test_the_filters_by_state_module_and_age_divide_the_list(window):
    opened = window("registrar")
    all_of_them = shown(opened.open(MEND))

    for title, column in (("state", "shown_state"), ("module", "record_id")):
        page, sizes = opened.open(MEND), []
        for choice in taken(page, title):
            cells = page.locator(f"#result_list tbody .field-{column}").all_inner_texts()
            assert {cell.split()[0] for cell in cells} <= {choice}
            assert shown(page) == len(cells), choice
            sizes.append(len(cells))
        assert sum(sizes) == all_of_them
        assert all_of_them not in sizes
    page = opened.open(MEND)
    less_than_a_day, day, week, month = [shown(page) for _ in taken(page, "how long")]
    assert less_than_a_day + day == all_of_them
    assert all_of_them > day > 0
    assert day >= week >= month == 0


def test_a_parked_record_leads_to_its_parent_and_its_timeline(window, pages):
    page = window("registrar").open(f"{MEND}?q=pay_912")

    follow(page, "text=parked itself")

    assert "stud_992" in page.inner_text("#content")
    page.goto(page.url.split("/admin/")[0] + pages["student"])
    timeline = page.locator(".field-timeline").inner_text()
    assert "Student created" in timeline


# --- Files -------------------------------------------------------------------------------------------


def test_exports_hold_the_tenants_own_rows_and_no_formula(window, pages):
    opened = window("operator")

    opened.open(pages["payments"])
    text = downloaded(opened.page, "Export CSV").decode("utf-8-sig")
    book = openpyxl.load_workbook(io.BytesIO(downloaded(opened.page, "Export XLSX")))

    of_csv = {row["Zoho id"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    titles, *cells = book.active.iter_rows()
    names = [cell.value for cell in titles]
    of_xlsx = {row[names.index("Zoho id")].value: row for row in cells}
    assert of_csv.keys() == of_xlsx.keys()
    assert len(of_csv) == shown(opened.page)
    assert not [zoho_id for zoho_id in of_csv if zoho_id.startswith("zarqa")]
    assert of_csv["pay_921"]["description"] == f"'{FORMULA}"
    cell = of_xlsx["pay_921"][names.index("description")]
    assert (cell.value, cell.data_type) == (FORMULA, "s")


def test_a_deliverys_body_is_downloaded_byte_for_byte(window, pages, server):
    (pk,) = re.findall(r"\d+", pages["delivery"])

    page = window("registrar").open(pages["delivery"])

    ((body,),) = server.query(f"SELECT body FROM btec_sync_delivery WHERE id = {pk}")
    assert downloaded(page, "Download, byte for byte") == bytes(body)


# --- Replay: last, as it changes what is there -------------------------------------------------------


@pytest.mark.parametrize("list_", [MEND, DELIVERIES])
def test_a_registrar_is_offered_no_replay(window, list_):
    page = window("registrar").open(list_)

    assert rows(page)
    assert "Replay" not in page.inner_text("#content")


def test_an_operator_replays_what_is_selected_after_a_confirmation(window, server):
    opened = window("operator")
    before = server.query("SELECT sum(attempts) FROM btec_sync_delivery")
    page = opened.open(MEND)
    select_and_replay(page, "records to mend", REFUSED["id"], "pay_912")
    asked = page.inner_text("#content")
    follow(page, "text=No, take me back")
    assert server.query("SELECT sum(attempts) FROM btec_sync_delivery") == before

    select_and_replay(opened.open(MEND), "records to mend", REFUSED["id"], "pay_912")
    follow(page, "input[value='Yes, replay']")

    assert "2 records: 1 ERROR, 1 parked" in asked
    assert "2 records replayed: 1 NEW, 1 still parked." in page.inner_text(".messagelist")
    assert not [row for row in rows(page) if REFUSED["id"] in row]
    assert server.query(f"SELECT unit_name FROM units_unit WHERE zoho_id = '{REFUSED['id']}'") == [
        (REFUSED["Unit_Name"],)
    ]


def test_an_operator_replays_deliveries(window, server):
    page = window("operator").open(f"{DELIVERIES}?state__exact=failed")

    select_and_replay(page, "deliveries", "students")
    assert "1 delivery: 1 failed" in page.inner_text("#content")
    follow(page, "input[value='Yes, replay']")

    assert "Replayed: 1 done." in page.inner_text(".messagelist")
    assert server.query("SELECT name FROM reference_student WHERE zoho_id = 'stud_993'") == [("Dana Aziz",)]
