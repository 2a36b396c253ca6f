"""Requests that schemathesis makes of the service's own OpenAPI document, and the answers held against it.

BTEC_TEST_SCHEMATHESIS_EXAMPLES asks for a longer run: so many random requests to each address.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import override_settings

from btec_sync import keys
from btec_sync.models import ApiKey
from btec_sync.schema.views import document

pytestmark = pytest.mark.once

LONGER = os.environ.get("BTEC_TEST_SCHEMATHESIS_EXAMPLES")
KEY = "btec_of_the_schemathesis_tests"
#: Ids that are met again and again, so that records are found, changed and waited for.
KNOWN_IDS = ["stud_456", "prog_789", "unit_789", "reg_456", "a"]
#: As in production, but for the batch: what is one too many for 20 is so for 1,000.
SETTINGS = {"BTEC_REQUIRE_API_KEY": True, "BTEC_MAX_BATCH": 20}
NUMBERS = {"Program_Price", "Amount", "Credit_Hours", "Score"}
#: What no schema can tell, by code: the fields of records that the document allows, and INVALID for that.
BEYOND_A_SCHEMA = {
    "missing_dependency": {"id"},
    # Not said as multipleOf: 0.01, by which many validators refuse 19.99. Nor is a number so small that
    # its exponent alone is refused.
    "too_many_decimals": NUMBERS,
    "out_of_range": NUMBERS,
    # To JSON Schema, 2.0 is an integer.
    "invalid_type": {"Version"},
    # The calendar's first and last day.
    "invalid_time": {"Modified_Time"},
}

CHECKS = {
    # A batch that was processed is answered 200, whatever became of its records: INVALID says what is
    # wrong. A 4xx would have the sender repeat what a repetition cannot mend.
    "negative_data_rejection": {"enabled": False},
    # 422: the Idempotency-Key came before, with another body. No schema can tell.
    "positive_data_acceptance": {"expected-statuses": [200, 422]},
}
PHASES = {
    # ignored_auth sends two requests more for each; those of the other phases are enough.
    "coverage": {"checks": {"ignored_auth": {"enabled": False}}},
    # No learning from answers, nor below from the code: what is found must be found again.
    "fuzzing": {"extra-data-sources": {"responses": False}, "error-feedback": {"enabled": False}},
}
CONFIG = schemathesis.Config.from_dict(
    {
        "auth": {"openapi": {"ApiKey": {"bearer": KEY}}},
        "checks": CHECKS,
        "phases": PHASES,
        "analysis": {"constants": {"enabled": False}},
        # The same requests in every run; a longer one makes others each time.
        "generation": {
            "max-examples": int(LONGER or 25),
            "deterministic": not LONGER,
            "database": "none",
        },
    }
)


def document_to_test() -> dict[str, Any]:
    """The document as production serves it, made stricter on answers and more fruitful for requests."""
    with override_settings(**SETTINGS):
        found = json.loads(document.__wrapped__("json"))
    components = found["components"]
    # Senders must bear keys that they do not know; here, no answer may have one.
    for name, schema in components["schemas"].items():
        if name.endswith(("Answer", "Result", "Summary", "RecordError")):
            close(schema)
    for response in components["responses"].values():
        response["content"]["application/problem+json"]["schema"]["unevaluatedProperties"] = False
    components["parameters"]["TenantID"]["schema"] = {"const": "default"}
    components["schemas"]["ZohoId"] = {"anyOf": [{"enum": KNOWN_IDS}, components["schemas"]["ZohoId"]]}
    return found


def close(schema: Any) -> None:
    for part in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(part, dict | list):
            close(part)
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict) and "type" in schema:
        schema["additionalProperties"] = False


schema = schemathesis.openapi.from_dict(document_to_test(), config=CONFIG)
schema.app = get_wsgi_application()


@pytest.fixture
def service(parents, tenant, settings) -> Iterator[Counter]:
    """The service as in production, with the tenant `default` and its key."""
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    ApiKey.objects.create(tenant=tenant, prefix=KEY[: keys.PREFIX_LENGTH], digest=digest)
    # The test's transaction must outlive its requests.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield Counter()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def a_record_that_the_document_allows_is_not_invalid(context, response, case) -> None:
    if response.status_code != 200 or not case.meta.generation.mode.is_positive:
        return
    errors = [error for result in response.json()["results"] for error in result.get("errors", [])]
    told = {(error["code"], error["field"].rpartition(".")[2]) for error in errors}
    assert {(code, field) for code, field in told if field not in BEYOND_A_SCHEMA.get(code, ())} == set()


@schema.parametrize()
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_answers_are_as_the_document_says(service, case):
    forget_a_worn_key(case, service)

    case.call_and_validate(additional_checks=[a_record_that_the_document_allows_is_not_invalid])


def forget_a_worn_key(case, uses: Counter) -> None:
    """Most requests bring the same Idempotency-Key, and would be answered 422 whatever else they are."""
    key = (case.headers or {}).get("Idempotency-Key")
    uses[key] += 1
    if key is not None and uses[key] > 3:
        del case.headers["Idempotency-Key"]
