"""docs/zoho.md holds: its examples are answered as it says, its fields are ours, and its Deluge is run."""

import hashlib
import json
import re
from textwrap import dedent
from types import SimpleNamespace

import pytest

from btec_sync import fields
from btec_sync.models import Delivery
from btec_sync.reference.models import Student
from btec_sync.serializers import RecordSerializer, is_system_field
from btec_sync.services import services
from tests import factories
from tests.conftest import payload
from tests.deluge import List, Map, python
from tests.test_docs import ROOT, column

PAGE = ROOT / "docs/zoho.md"
# These differ from one machine to the next, and the page shows … for them.
VARYING = dict.fromkeys(("idempotency_key", "delivery_id"), "…")


# --- The examples ------------------------------------------------------------------------------------

EXAMPLES = re.findall(
    r"^`POST /v1/sync/(\w+)`\n.*?^```json\n(.*?)^```\n.*?^```json\n(.*?)^```", PAGE.read_text(), re.M | re.S
)


def test_the_page_has_examples():
    # Each is a request with its answer, and no other JSON stands on the page.
    assert len(EXAMPLES) == 3
    assert PAGE.read_text().count("```json") == 2 * len(EXAMPLES)


@pytest.mark.parametrize(("module", "body", "answer"), EXAMPLES, ids=[example[0] for example in EXAMPLES])
def test_an_example_is_answered_as_the_page_says(sender, parents, module, body, answer):
    response = sender.post_body(module, body)

    assert response.status_code == 200
    assert {**response.json(), **VARYING} == json.loads(answer)


# --- The fields --------------------------------------------------------------------------------------

KINDS = {
    fields.Text: "text",
    fields.Lookup: "lookup",
    fields.Money: "money",
    fields.Date: "date",
    fields.Number: "a number",
}


def told_fields() -> dict[str, dict[str, tuple[str, str]]]:
    """For each module of the page's table: its fields, each with whether it is required, and of what kind."""
    told, module = {}, ""
    for name, cell, required, kind in column(PAGE, "module", "field", "needed", "takes"):
        module = name or module
        for field in re.findall(r"\w+", cell):
            told.setdefault(module, {})[field] = (required, kind)
    return told


def kind_of(field: fields.StrictField) -> str:
    if isinstance(field, fields.Text) and field.max_length > 255:
        return "long text"
    return next(word for kind, word in KINDS.items() if type(field) is kind)


@pytest.mark.parametrize("module", services())
def test_the_fields_of_a_module_are_those_of_its_serializer(module):
    declared = services()[module].serializer_class._declared_fields
    own = {name: field for name, field in declared.items() if name not in RecordSerializer._declared_fields}

    told = told_fields()[module]

    assert {name: required for name, (required, _) in told.items()} == {
        name: "required" if field.required else "optional" for name, field in own.items()
    }
    for name, field in own.items():
        assert told[name][1].startswith(kind_of(field)), name


def test_the_fields_of_every_module_are_those_of_the_base():
    told = {name: required for name, (required, _) in told_fields()["every"].items()}

    assert told == {
        name: "required" if field.required else "optional"
        for name, field in RecordSerializer._declared_fields.items()
    }


def test_every_module_has_its_address_and_what_it_needs():
    rows = dict(column(PAGE, "address", "needs"))

    assert rows == {
        f"/v1/sync/{name}": ", ".join(
            parent.module.removesuffix("s") for parent in service.dependencies.values()
        )
        for name, service in services().items()
    }


# --- The functions -----------------------------------------------------------------------------------

CODE = "\n".join(re.findall(r"^```deluge\n(.*?)^```", PAGE.read_text(), re.M | re.S))
FUNCTIONS = {
    "automation_btecStudent": ("BTEC_Students", "students", payload("student")),
    "automation_btecProgram": ("Products", "programs", payload("program")),
    "automation_btecUnit": ("BTEC", "units", payload("unit")),
    "automation_btecRegistration": ("BTEC_Registrations", "registrations", payload("registration")),
    "automation_btecPayment": ("BTEC_Payments", "payments", payload("payment")),
    "automation_btecGrade": ("BTEC_Grades", "grades", payload("grade")),
}


# What CRM gives with a record besides: what every record has, what custom modules and the standard module
# Products have, and what a college has added.
SYSTEM = {name: value for name, value in payload("full-zoho-record").items() if is_system_field(name)}
BESIDES = {
    "Email": "ahmed@home.example",
    "Secondary_Email": None,
    "Email_Opt_Out": False,
    "Unsubscribed_Mode": None,
    "Unsubscribed_Time": None,
    "Shoe_Size": 42,
    "Discount_Code": "EARLY-2026",
    "Tutor": {"name": "Front Office", "id": "5516116000097441001"},
    "Emergency_Contacts": [{"id": "5516116000138155900", "Contact": "Mona", "Parent_Id": {"id": "stud_456"}}],
}
PRODUCT = {
    "Product_Code": "BUS-IT",
    "Product_Category": None,
    "Product_Active": True,
    "Unit_Price": 3000,
    "Taxable": True,
    "Tax": [],
    "Vendor_Name": None,
    "Manufacturer": None,
    "Commission_Rate": None,
    "Qty_in_Stock": 0,
    "Qty_in_Demand": 0,
    "Qty_Ordered": 0,
    "Reorder_Level": None,
    "Usage_Unit": None,
    "Sales_Start_Date": "2026-01-01",
    "Sales_End_Date": None,
    "Support_Start_Date": None,
    "Support_Expiry_Date": None,
    "Handler": None,
}


def whole(crm_module: str, record: dict) -> Map:
    """The record as getRecordById gives it."""
    more = PRODUCT if crm_module == "Products" else {}
    return Map({**SYSTEM, **BESIDES, **more, "Modified_Time": "2026-01-15T11:15:13+04:00", **record})


@pytest.fixture
def crm(parents, tenant, settings, client):
    """The page's functions, in a CRM of two dicts, posting to the service as it is in production."""
    settings.BTEC_REQUIRE_API_KEY = True
    tenant.slug = "north"
    tenant.save()
    key = factories.api_key(tenant)
    crm = SimpleNamespace(records={}, pages={}, answers=[], log=[])

    def invokeurl(*, url, type, parameters, headers, detailed):
        path = url.removeprefix("https://sync.college.example")
        content_type = headers.pop("Content-Type")
        response = client.generic(type, path, parameters, content_type=content_type, headers=headers)
        crm.answers.append(response)
        return Map(responseCode=response.status_code, responseText=response.content.decode())

    crm.functions = {
        "Map": Map,
        "List": List,
        "POST": "POST",
        "true": True,
        "info": crm.log.append,
        "invokeurl": invokeurl,
        "zoho": SimpleNamespace(
            crm=SimpleNamespace(
                getRecordById=lambda module, number: crm.records[module, number],
                getRecords=lambda module, page, size, options: List(crm.pages.get((module, page), [])),
                getOrgVariable=lambda name: {"btec_sync_key": key}[name],
            ),
            encryption=SimpleNamespace(sha256=lambda text: hashlib.sha256(text.encode()).hexdigest()),
        ),
    }
    exec(python(dedent(CODE)), crm.functions)
    return crm


@pytest.mark.parametrize("name", FUNCTIONS)
def test_of_a_whole_record_a_function_of_the_page_posts_what_is_taken(crm, name):
    crm_module, module, record = FUNCTIONS[name]
    record = {**record, "id": "new"}
    crm.records[crm_module, 1] = whole(crm_module, record)

    crm.functions[name](1)

    (answer,) = crm.answers
    assert answer.status_code == 200, answer.content
    assert answer.json()["tenant_id"] == "north"
    assert [result["status"] for result in answer.json()["results"]] == ["NEW"]
    delivery = Delivery.objects.latest("pk")
    (posted,) = json.loads(bytes(delivery.body))["data"]
    sent = {key: value for key, value in record.items() if key != "Version"}
    assert (delivery.module, posted) == (module, {"Modified_Time": "2026-01-15T11:15:13+04:00", **sent})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_posted_untouched_a_whole_record_is_invalid_unless_the_tenant_ignores(sender, tenant, parents, name):
    crm_module, module, record = FUNCTIONS[name]
    record = whole(crm_module, {**record, "id": "new"})

    refused = sender.post(module, record).json()["results"][0]
    tenant.unknown_fields = tenant.UnknownFields.IGNORE
    tenant.save()
    taken = sender.post(module, record).json()["results"][0]

    assert refused["status"] == "INVALID"
    assert {error["code"] for error in refused["errors"]} == {"unexpected_field"}
    assert taken["status"] == "NEW"


@pytest.mark.parametrize("module", services())
def test_the_fields_that_are_sent_are_those_of_the_serializer(crm, module):
    assert sorted(crm.functions["standalone_btecFields"](module)) == sorted(
        services()[module].serializer_class.data_fields()
    )


def test_a_field_that_crm_has_not_is_told_in_the_log(crm):
    crm.records["BTEC_Students", 1] = Map(
        id="s1", Name="A", Mail="a@college.example", Phone=None, Status=None
    )

    crm.functions["automation_btecStudent"](1)

    told = [line for line in crm.log if isinstance(line, str) and line.startswith("No field")]
    assert told == ["No field Academic_Email in students"]


def test_the_page_has_a_function_for_every_module(crm):
    defined = {name for name in crm.functions if name.startswith("automation_")}

    assert defined == set(FUNCTIONS)
    assert {module for _, module, _ in FUNCTIONS.values()} == set(services())
    assert [f"automation_{name}" for (name,) in column(PAGE, "function")] == list(FUNCTIONS)


def test_quotation_marks_and_every_script_arrive_as_they_are(crm):
    crm.records["BTEC_Students", 1] = Map(id="s1", Name='Ahmed "Al" Mohamed \\ أحمد 😀')

    crm.functions["automation_btecStudent"](1)

    assert crm.answers[0].json()["summary"]["NEW"] == 1


def test_run_again_a_function_gets_the_first_answer_and_an_edit_is_stored(crm):
    run = crm.functions["automation_btecStudent"]
    crm.records["BTEC_Students", 1] = Map(id="s1", Name="A", Modified_Time="2026-01-15T11:15:13+04:00")
    run(1)
    run(1)
    # In the same second: a key of id and Modified_Time alone would refuse this with 422.
    crm.records["BTEC_Students", 1]["Name"] = "B"
    run(1)

    assert [answer.status_code for answer in crm.answers] == [200, 200, 200]
    assert [answer.headers.get("Idempotent-Replayed") for answer in crm.answers] == [None, "true", None]
    assert crm.answers[2].json()["results"][0]["changed_fields"] == {"name": ["A", "B"]}


def test_what_was_mended_here_comes_in_by_a_replay_or_a_save_and_not_by_the_same_text(crm, tenant, replay):
    crm.functions["standalone_btecFields"] = lambda module: List(["Name", "Shoe_Size"])
    for number in (1, 2):
        crm.records["BTEC_Students", number] = Map(
            id=f"s{number}", Name="A", Shoe_Size=42, Modified_Time="2026-01-15T11:15:13+04:00"
        )
        crm.functions["automation_btecStudent"](number)
    tenant.unknown_fields = tenant.UnknownFields.IGNORE
    tenant.save()
    stored = Student.objects.filter(zoho_id__in=["s1", "s2"]).values_list("zoho_id", flat=True)

    crm.functions["automation_btecStudent"](1)
    assert crm.answers[-1].headers["Idempotent-Replayed"] == "true"
    assert crm.answers[-1].json()["summary"]["INVALID"] == 1
    assert not stored.all()

    crm.records["BTEC_Students", 1]["Modified_Time"] = "2026-01-15T12:00:00+04:00"
    crm.functions["automation_btecStudent"](1)
    assert set(stored.all()) == {"s1"}

    replay("--tenant", "north", "--state", "incomplete")
    assert set(stored.all()) == {"s1", "s2"}
    crm.functions["automation_btecStudent"](2)
    assert crm.answers[-1].json()["summary"]["INVALID"] == 1

    _, told = PAGE.read_text().split("### When it was mended here\n")
    assert "`Idempotent-Replayed: true`" in told
    assert "`manage.py replay --tenant north --state incomplete`" in told


def test_a_page_that_is_the_same_as_the_night_before_gets_that_nights_answer(crm):
    crm.pages = {("BTEC_Registrations", 1): [whole("BTEC_Registrations", payload("registration"))]}

    for _ in range(2):
        crm.functions["schedule_btecNightly"]()

    assert [answer.headers.get("Idempotent-Replayed") for answer in crm.answers] == [None, "true"]
    assert crm.answers[0].content == crm.answers[1].content


def test_the_nightly_function_sends_every_page_that_holds_something(crm):
    record = payload("registration")
    records = [whole("BTEC_Registrations", {**record, "id": f"r{n}"}) for n in range(3)]
    crm.pages = {("BTEC_Registrations", 1): records[:2], ("BTEC_Registrations", 2): records[2:]}

    crm.functions["schedule_btecNightly"]()

    assert [answer.json()["summary"]["NEW"] for answer in crm.answers] == [2, 1]
