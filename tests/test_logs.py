"""What the log says of a request, a replay and a crash, and what it never says."""

import json
import logging
import re
from datetime import datetime, timedelta

import pytest
from django.test import Client
from structlog.contextvars import get_contextvars

from btec_sync import deliveries, problems
from btec_sync.models import Delivery
from tests import admin, factories, live
from tests.api import Sender, receive

pytestmark = pytest.mark.once

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def test_a_request_has_one_line_with_all_about_it(sender, log_lines):
    good = factories.UnitRecord()

    answer = sender.post("units", good, {"id": "u2"}, good).json()

    (line,) = log_lines()
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta()
    assert line.pop("timestamp").endswith("Z")
    assert 0 < line.pop("duration_ms") < 60_000
    assert UUID.fullmatch(line.pop("request_id"))
    assert line == {
        "level": "info",
        "logger": "django_structlog.middlewares.request",
        "event": "request_finished",
        "request": "POST /v1/sync/units",
        "code": 200,
        "tenant": "default",
        "module": "units",
        "delivery": answer["delivery_id"],
        "state": "incomplete",
        "attempt": 1,
        "records": {"NEW": 1, "UNCHANGED": 1, "INVALID": 1},
    }


def test_a_refused_request_says_why(sender, log_lines):
    sender.post_body("units", "no JSON")
    Sender("nobody").post("units", factories.UnitRecord())
    sender.client.post("/v1/sync/unit", headers=sender.headers)

    rejected, refused, nowhere = log_lines()
    assert (rejected["level"], rejected["code"], rejected["problem"]) == ("warning", 400, "malformed_json")
    assert (rejected["state"], rejected["delivery"]) == ("rejected", str(Delivery.objects.get().uid))
    assert (refused["code"], refused["problem"]) == (403, "tenant_refused")
    assert refused["request"] == "POST /v1/sync/units"
    assert (nowhere["code"], nowhere["problem"]) == (404, "not_found")


def test_a_repeated_key_names_the_delivery_that_answered(sender, log_lines):
    record = factories.UnitRecord()
    sender.post("units", record, key="k")

    sender.post("units", record, key="k")

    first, second = log_lines()
    assert "repeats" not in first
    assert second["repeats"] == Delivery.objects.earliest("pk").pk
    assert second["delivery"] == str(Delivery.objects.latest("pk").uid)


def test_what_is_released_has_a_line_of_its_own(sender, parents, log_lines):
    sender.post("payments", factories.PaymentRecord(Registration={"id": "late"}))

    response = sender.post("registrations", factories.RegistrationRecord(id="late"))

    released = log_lines()[-2]
    assert (released["event"], released["module"], released["records"]) == (
        "released",
        "payments",
        {"NEW": 1},
    )
    assert released["request_id"] == response.headers["X-Request-ID"]


# --- The id of a request -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent", ["a", "4bf92f3577b34da6a3ce929d0e0e4736", "Root=1-67891233-abc/def", "x" * 128]
)
def test_the_senders_id_is_taken_and_returned(sender, log_lines, sent):
    response = sender.post("units", factories.UnitRecord(), **{"X-Request-ID": sent})

    assert response.headers["X-Request-ID"] == sent
    assert log_lines()[0]["request_id"] == sent
    assert Delivery.objects.get().headers["X-Request-ID"] == sent


@pytest.mark.parametrize(
    "sent", ["", " ", "x" * 129, "two words", "a\x00b", 'a"b', "Ahméd", "-a", "<b>", "a\x1b[31m"]
)
def test_what_is_no_id_is_replaced(sender, log_lines, sent):
    response = sender.post("units", factories.UnitRecord(), **{"X-Request-ID": sent})

    assert UUID.fullmatch(response.headers["X-Request-ID"])
    assert log_lines()[0]["request_id"] == response.headers["X-Request-ID"]


def test_two_requests_have_two_ids_and_nothing_of_each_other(sender, log_lines):
    sender.post("units", factories.UnitRecord())
    sender.client.get("/")

    first, second = log_lines()
    assert first["request_id"] != second["request_id"]
    assert not {"tenant", "module", "delivery", "records"} & set(second)


# --- Other requests ----------------------------------------------------------------------------------


def test_a_search_in_the_admin_leaves_neither_the_words_nor_the_user(db, log_lines):
    client = admin.superuser()

    client.get("/admin/reference/student/?q=Ahmed", headers={"User-Agent": "Firefox of root"})
    client.get("/nowhere/Ahmed")

    searched, lost = log_lines()
    assert searched["request"] == "GET /admin/reference/student/"
    assert lost["request"] == "GET (no such address)"
    for word in ("Ahmed", "root", "127.0.0.1", "Firefox"):
        assert word not in str(searched) + str(lost)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_have_no_line_while_all_is_well(client, settings, log_lines, path):
    settings.DEBUG = True
    assert client.get(path).status_code == 200

    assert log_lines() == []


def test_a_probe_that_fails_has_one(client, log_lines):
    client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.1"})

    assert [line["code"] for line in log_lines()] == [404]


# --- Crashes -----------------------------------------------------------------------------------------

SECRET = "Failing row contains (Ahmed)"


def test_a_crash_leaves_its_class_and_place_and_not_its_text(monkeypatch, log_lines):
    def crash():
        personal = SECRET
        raise ValueError(personal)

    monkeypatch.setattr("btec_sync.health.condition", crash)

    response = Client(raise_request_exception=False).get("/")

    (line,) = log_lines()
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] == line["request_id"]
    assert (line["event"], line["level"], line["code"]) == ("request_failed", "error", 500)
    assert line["exception"].startswith("ValueError\n")
    assert "in crash" in line["exception"]
    assert "Ahmed" not in str(line)


def test_a_crash_in_processing_is_told_with_the_request(sender, monkeypatch, log_lines):
    def crash(*arguments, **options):
        raise RuntimeError(SECRET)

    monkeypatch.setattr("btec_sync.answers.render", crash)

    answer = sender.post("units", factories.UnitRecord()).json()

    failed, request = log_lines()
    assert (failed["event"], failed["error"]) == ("processing failed", "RuntimeError")
    assert failed["delivery"] == request["delivery"] == answer["delivery_id"]
    assert (request["code"], request["problem"]) == (500, "processing_failed")
    assert "records" not in request
    assert "Ahmed" not in str(failed) + str(request)


def test_what_others_log_is_a_line_of_the_same_kind(log_lines):
    try:
        raise KeyError(SECRET)
    except KeyError:
        logging.getLogger("django.utils").exception("it broke %s", "here")

    (line,) = log_lines()
    assert (line["event"], line["level"], line["logger"]) == ("it broke here", "error", "django.utils")
    assert line["exception"].startswith("KeyError\n")
    assert "Ahmed" not in str(line)


# --- Replays -----------------------------------------------------------------------------------------


def test_a_replay_in_the_admin_has_a_line_for_each_delivery_and_one_of_its_own(tenant, log_lines):
    deliveries = [receive(tenant, "units", factories.UnitRecord()), receive(tenant, "units", {"id": "u"})]
    chosen = [delivery.pk for delivery in deliveries]

    admin.superuser().post(
        admin.url(Delivery),
        {"action": "replay_selected", "_selected_action": chosen, "index": 0, "post": "yes"},
    )

    first, second, request = log_lines()
    assert [line["event"] for line in (first, second)] == ["replayed", "replayed"]
    assert [line["delivery"] for line in (first, second)] == [str(each.uid) for each in deliveries]
    assert (first["state"], first["records"]) == ("done", {"NEW": 1})
    assert (second["state"], second["records"]) == ("incomplete", {"INVALID": 1})
    assert first["request_id"] == second["request_id"] == request["request_id"]
    assert "delivery" not in request


# --- As it runs --------------------------------------------------------------------------------------


def test_in_production_every_line_of_the_server_is_json():
    with (
        live.database() as url,
        live.server(url, "--config", "deploy/gunicorn.conf.py", "--workers", "1") as server,
    ):
        server.request("POST", "/v1/sync/units", "{}", {"Content-Type": "application/json"})
        server.request("GET", "/no/such/address")
        log = server.log()

    lines = [json.loads(line) for line in log.splitlines()]
    requests = [line for line in lines if line["event"] == "request_finished"]
    assert [line["code"] for line in requests] == [401, 404]
    assert any(line["logger"] == "gunicorn.error" for line in lines)


def test_with_debug_lines_are_for_people():
    with live.database() as url, live.server(url, DJANGO_DEBUG="true") as server:
        server.request("GET", "/")
        log = server.log()

    (line,) = [line for line in log.splitlines() if "request_finished" in line]
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[info +\] request_finished", line)
    assert "request='GET /'" in line


def test_what_is_noted_outside_of_requests_and_replays_sticks_to_no_later_line(tenant):
    with pytest.raises(problems.Problem):
        deliveries.process(receive(tenant, "units"))

    assert get_contextvars() == {}
