"""The OpenAPI document: served to anybody, valid, complete, and as strict as the fields themselves."""

import json
import os
import subprocess
import sys
from io import StringIO
from typing import Any

import jsonschema_rs
import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from drf_spectacular.validation import validate_schema

from btec_sync import fields
from btec_sync.schema import answers, records
from btec_sync.schema.problems import CASES, OF_ANY_OTHER
from btec_sync.schema.views import document
from btec_sync.serializers import RecordSerializer, is_system_field
from btec_sync.services import services
from tests import live
from tests.conftest import payload
from tests.factories import RECORDS
from tests.test_docs import problem_codes, record_codes
from tests.test_fields import INVALID, KINDS, VALID, rows, shown

DOCUMENT = json.loads(document("json"))
COMPONENTS = DOCUMENT["components"]
OPERATIONS = {path.removeprefix("/v1/sync/"): methods["post"] for path, methods in DOCUMENT["paths"].items()}
PAYLOADS = {
    "students": "student",
    "programs": "program",
    "units": "unit",
    "registrations": "registration",
    "payments": "payment",
    "grades": "grade",
}


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Of this part of the document; formats count, and $ matches no line's end, as in JavaScript."""
    whole = {"allOf": [schema], "components": COMPONENTS}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def body_of(module: str) -> jsonschema_rs.Draft202012Validator:
    return validator(OPERATIONS[module]["requestBody"]["content"]["application/json"]["schema"])


def record_of(module: str) -> dict[str, Any]:
    return COMPONENTS["schemas"][f"{services()[module].model.__name__}Record"]


# --- Served ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/v1/schema", "/v1/schema/"])
def test_the_document_is_served_to_anybody(settings, address):
    settings.BTEC_REQUIRE_API_KEY = True

    response = Client().get(address)

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    validate_schema(response.json())


@pytest.mark.parametrize(
    ("query", "accept"),
    [("?format=yaml", "*/*"), ("", "application/yaml"), ("", "application/vnd.oai.openapi, */*;q=0.1")],
)
def test_it_is_yaml_where_that_is_asked_for(query, accept):
    response = Client().get(f"/v1/schema{query}", headers={"Accept": accept})

    assert response.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(response.content) == DOCUMENT


@pytest.mark.parametrize("accept", ["text/html", "nonsense", "", "*/*"])
def test_it_is_json_for_everybody_else(accept):
    response = Client().get("/v1/schema?format=xml", headers={"Accept": accept})

    assert response.json() == DOCUMENT


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("post", "/v1/schema", 405, "method_not_allowed"),
        ("delete", "/v1/schema/", 405, "method_not_allowed"),
        ("get", "/v1/schemas", 404, "not_found"),
        ("get", "/v1/schema/units", 404, "not_found"),
    ],
)
def test_what_is_refused_there_is_a_problem(method, address, status, code):
    response = getattr(Client(), method)(address)

    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == code
    assert response.headers.get("Allow") == ("GET, HEAD" if status == 405 else None)


def test_the_service_starts_without_what_makes_the_document():
    program = "import sys, config.wsgi, config.urls; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=live.ROOT, env=os.environ, stdout=subprocess.PIPE, check=True
    )

    assert not {b"btec_sync.schema.auto", b"drf_spectacular.openapi"} & set(loaded.stdout.split())


# --- Valid and complete ------------------------------------------------------------------------------


def test_the_document_is_made_and_validated_without_a_warning(capsys):
    made = StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=made)

    assert json.loads(made.getvalue()) == DOCUMENT
    assert capsys.readouterr().err == ""


def test_every_module_is_in_it_and_nothing_else():
    assert list(OPERATIONS) == [*services()]
    assert [operation["operationId"] for operation in OPERATIONS.values()] == [
        f"sync_{m}" for m in services()
    ]


def test_every_code_is_in_it_and_no_others():
    told = COMPONENTS["schemas"]["Problem"]["properties"]["code"]["enum"]
    of_records = COMPONENTS["schemas"]["RecordError"]["properties"]["code"]["enum"]

    assert sorted(told) == sorted({*problem_codes(), OF_ANY_OTHER})
    assert sorted(of_records) == sorted(record_codes())


@pytest.mark.parametrize("module", OPERATIONS)
def test_every_case_stands_under_its_status(module):
    told = {
        (int(status), code)
        for status, reference in OPERATIONS[module]["responses"].items()
        if status != "200"
        for code in resolved(reference)["content"]["application/problem+json"]["examples"]
    }

    assert told == {(case.status, case.code) for case in CASES}


def resolved(reference: dict[str, str]) -> dict[str, Any]:
    part = DOCUMENT
    for name in reference["$ref"].removeprefix("#/").split("/"):
        part = part[name]
    return part


@pytest.mark.parametrize("module", OPERATIONS)
def test_every_field_of_a_record_is_in_it(module):
    told = record_of(module)

    declared = services()[module].serializer_class().fields
    assert list(told["properties"]) == list(declared)
    assert told["required"] == [name for name, field in declared.items() if field.required]


@pytest.mark.parametrize("name", ["Owner", "Name", "$approved", "x__s", "Layout"])
@pytest.mark.parametrize("module", OPERATIONS)
def test_what_zoho_records_drag_along_is_allowed(module, name):
    record = {**RECORDS[module](), **({} if name in record_of(module)["properties"] else {name: {"id": 1}})}

    body_of(module).validate({"data": [record]})


@pytest.mark.parametrize(
    "name", ["Owner", "Names", "owner", "$", "a$", "x__s", "__s_", "Tag\n", "x", "", "é__s"]
)
def test_it_has_the_same_notion_of_what_is_dragged_along(name):
    told = validator({**record_of("units"), "required": []}).is_valid({name: 1})

    assert told == is_system_field(name)


# --- Examples ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", OPERATIONS)
def test_the_missions_payload_is_the_example(module):
    content = OPERATIONS[module]["requestBody"]["content"]["application/json"]

    assert content["examples"][module]["value"] == {"data": [payload(PAYLOADS[module])]}


def test_a_whole_record_of_zoho_is_allowed():
    body_of("registrations").validate({"data": [payload("full-zoho-record")]})


@pytest.mark.parametrize("module", OPERATIONS)
def test_every_example_is_valid(module):
    operation = OPERATIONS[module]
    responses = [resolved(r) if "$ref" in r else r for r in operation["responses"].values()]

    for content in [operation["requestBody"]["content"], *(response["content"] for response in responses)]:
        for media_type in content.values():
            for example in media_type["examples"].values():
                validator(media_type["schema"]).validate(example["value"])


@pytest.mark.parametrize("module", OPERATIONS)
def test_the_example_answers_are_what_the_service_answers(sender, module):
    example = records.example(services()[module])
    told = {name: shown["value"] for name, shown in answers.examples(services()[module]).items()}

    answered = {"parked": sender.post(module, example).json()}
    for parents in ("students", "programs", "units", "registrations"):
        sender.post(parents, {**RECORDS[parents](), "id": KNOWN_PARENTS[parents]})
    answered["new"] = sender.post(module, {**example, "id": "another"}).json()

    for name, answer in told.items():
        assert answered[name].keys() == answer.keys()
        assert answered[name]["summary"] == answer["summary"]
        assert answered[name]["status"] == answer["status"]
        [result] = answered[name]["results"]
        assert result.keys() == answer["results"][0].keys()
        assert result["message"].startswith(answer["results"][0]["message"])


KNOWN_PARENTS = {
    "students": "stud_456",
    "programs": "prog_789",
    "units": "unit_789",
    "registrations": "reg_456",
}


# --- As strict as the fields -------------------------------------------------------------------------

#: What no schema can tell: decimals (multipleOf: 0.01 refuses 19.99 in many a validator), that 1.0 was not
#: written as an integer, how a number was written, and that a calendar has a first and a last day.
BEYOND_A_SCHEMA = {
    ("version", "1.0"),
    ("version", "1e2"),
    ("money", "1e-99999999999999999999"),
    ("money", "0." + "1" * 5_000),
    ("date", '"0000-01-01"'),
    *(("time", f'"{edge}"') for edge in ("0000-01-01T00:00:00Z", "0001-01-01T23:59:59Z")),
    *(("time", f'"{edge}"') for edge in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00")),
    ("time", '"9999-12-31T00:00:00Z"'),
}


@pytest.mark.parametrize(("kind", "text", "_"), rows(VALID), ids=shown)
def test_what_a_field_takes_is_allowed(kind, text, _):
    assert allows(records.of_field(KINDS[kind]), text)


@pytest.mark.parametrize(("kind", "text", "code"), rows(INVALID), ids=shown)
def test_what_a_field_refuses_is_not_allowed(kind, text, code):
    beyond = code == "too_many_decimals" or (kind, text) in BEYOND_A_SCHEMA

    assert allows(records.of_field(KINDS[kind]), text) == beyond


def allows(schema: dict[str, Any], text: str) -> bool:
    # Python makes no int of a text of 5,000 digits.
    value = json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 100 else float(digits))
    try:
        return validator(schema).is_valid(value)
    except UnicodeEncodeError:
        return False  # a lone surrogate is no text, to the validator neither


@pytest.mark.parametrize("module", OPERATIONS)
@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"data": []},
        {"data": {}},
        {"data": [1]},
        {"data": None},
        {"data": [{}]},
        {"data": [{"id": "x"}]},
    ],
    ids=str,
)
def test_a_wrong_batch_is_not_allowed(module, wrong):
    assert not body_of(module).is_valid(wrong)


@pytest.mark.parametrize("module", OPERATIONS)
def test_a_batch_is_bounded(module, settings):
    record = RECORDS[module]()

    assert body_of(module).is_valid({"data": [record] * settings.BTEC_MAX_BATCH})
    assert not body_of(module).is_valid({"data": [record] * (settings.BTEC_MAX_BATCH + 1)})
    assert not body_of(module).is_valid({"data": [record], "more": 1})
    assert not body_of(module).is_valid({"data": [{**record, "Unknown": 1}]})


# --- A module that nobody has written yet ------------------------------------------------------------


class AttendanceSerializer(RecordSerializer):
    Student = fields.Lookup("student")
    Attendance_Date = fields.Date("attendance_date")
    Remarks = fields.Text("remarks", required=False)


class AttendanceSync(services()["grades"]):
    module = "attendance"
    serializer_class = AttendanceSerializer
    dependencies = {"student": services()["students"]}


def test_a_new_module_is_described_by_its_fields_alone():
    described = records.record(AttendanceSync)
    made = records.example(AttendanceSync)

    assert described["required"] == ["id", "Student", "Attendance_Date"]
    assert AttendanceSerializer().parse(made, ignore_unknown=False).errors == []
    validator(described).validate(made)
    for example in answers.examples(AttendanceSync).values():
        validator(answers.result(AttendanceSync)).validate(example["value"]["results"][0])
