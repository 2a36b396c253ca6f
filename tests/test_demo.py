"""manage.py load_demo and the data that it loads."""

import json
import os
import re
import subprocess
import sys
from io import StringIO

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Count, F, Sum
from django.test import TestCase, override_settings
from django.test.utils import CaptureQueriesContext

from btec_sync import deliveries, demo
from btec_sync.demo.college import units
from btec_sync.models import Arrival, Delivery, IdempotencyKey, RecordResult, State, SyncedRecord, Tenant
from btec_sync.reference.models import Program, Student
from config.environment import BASE_DIR
from grades.models import Grade
from payments.models import Payment
from registrations.models import Registration
from tests.api import Sender
from tests.conftest import payload
from units.models import Unit

COUNTS = {Student: 60, Program: 3, Unit: 20, Registration: 80, Payment: 154, Grade: 396}

# A slow hash would only cost time here.
FIRST_RUN = {"DEBUG": True, "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"]}


@pytest.fixture(autouse=True)
def first_run(settings, monkeypatch):
    """As on a first run, and no password chosen."""
    for name, value in FIRST_RUN.items():
        setattr(settings, name, value)
    monkeypatch.delenv("BTEC_DEMO_PASSWORD", raising=False)


def load_demo() -> str:
    output = StringIO()
    call_command("load_demo", stdout=output)
    return output.getvalue()


def everything() -> dict[str, list]:
    """All that is stored of the service and its users, column by column."""
    own = [*(m for m in apps.get_models() if issubclass(m, SyncedRecord)), Tenant, Delivery]
    own += [RecordResult, IdempotencyKey, get_user_model()]
    return {model.__name__: list(model.objects.order_by("pk").values_list()) for model in own}


def stored_values() -> list:
    """The records' data, without when and by which delivery it came."""
    return [list(model.objects.order_by("zoho_id").values_list("zoho_id", "fingerprint")) for model in COUNTS]


# --- The requests ------------------------------------------------------------------------------------


def test_the_requests_are_the_same_bytes_each_time():
    assert list(demo.requests()) == list(demo.requests())


def test_the_requests_are_the_same_bytes_under_another_hash_seed_and_time_zone():
    script = "from btec_sync import demo; print(repr(list(demo.requests())))"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}

    other = subprocess.run(
        [sys.executable, "-c", script],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout.strip() == repr(list(demo.requests()))


def test_no_two_requests_are_alike():
    requests = list(demo.requests())

    assert len(set(requests)) == len(requests)


def test_what_the_examples_make_is_not_in_the_requests():
    text = b"".join(request.body for request in demo.requests()).decode()

    assert not re.findall(r'"(reg|pay|unit|grade)_123"', text)


def test_some_requests_bring_whole_records_of_zoho_and_some_do_not():
    bodies = [request.body for request in demo.requests()]

    whole = [body for body in bodies if b"$layout_id" in body]
    assert 5 < len(whole) < len(bodies) / 2
    assert payload("full-zoho-record").keys() <= {
        key for body in whole for record in json.loads(body)["data"] for key in record
    }


# --- What is loaded ----------------------------------------------------------------------------------


class DemoCollege(TestCase):
    """What is there after load_demo, and what happens to it. Loaded once for all of these."""

    @classmethod
    def setUpTestData(cls):
        with override_settings(**FIRST_RUN):
            load_demo()

    @pytest.fixture(autouse=True)
    def take(self, settings, monkeypatch):
        self.settings, self.monkeypatch = settings, monkeypatch

    def test_it_loads_a_small_college(self):
        assert {model: model.objects.filter(tenant__slug="default").count() for model in COUNTS} == COUNTS
        assert Tenant.objects.get().name == "Demo College"
        assert set(Unit.objects.order_by().values_list("level", flat=True)) == {"L3", "L4", "L5"}

    def test_the_records_that_the_examples_point_at_are_as_these_say(self):
        sender = Sender()

        assert sender.states("students", payload("student")) == ["UNCHANGED"]
        assert sender.states("programs", payload("program")) == ["UNCHANGED"]
        assert Unit.objects.filter(zoho_id="unit_789").exists()
        registration = Registration.objects.get(zoho_id="reg_456")
        assert (registration.student.name, registration.program.product_name) == (
            "Ahmed Mohamed",
            "Business IT",
        )

    def test_the_examples_are_new(self):
        sender = Sender()
        curl = {"id": "reg_123", "Student": {"id": "stud_456"}, "Program": {"id": "prog_789"}}

        assert sender.states("registrations", {**curl, "Enrollment_Status": "Active"}) == ["NEW"]
        assert sender.states("payments", payload("payment")) == ["NEW"]
        assert sender.states("units", payload("unit")) == ["NEW"]
        assert sender.states("grades", payload("grade")) == ["NEW"]
        # Ahmed's example payment is the last instalment of his program's price.
        paid = Payment.objects.filter(registration__zoho_id="reg_456").aggregate(total=Sum("amount"))
        assert paid["total"] == Program.objects.get(zoho_id="prog_789").program_price

    def test_every_payment_belongs_to_a_registration_and_comes_after_it(self):
        tenant = Tenant.objects.get()
        registrations = dict(
            Registration.objects.filter(tenant=tenant).values_list("pk", "registration_date")
        )

        for payment in Payment.objects.all():
            assert payment.tenant_id == tenant.pk
            assert registrations[payment.registration_id] < payment.payment_date

    def test_students_complete_after_they_registered(self):
        completed = Registration.objects.filter(enrollment_status="Completed")

        assert completed.count() > 30
        assert not completed.filter(completion_date=None).exists()
        assert not Registration.objects.filter(completion_date__lte=F("registration_date")).exists()

    def test_students_are_graded_on_units_of_their_programs_after_they_registered(self):
        programs = {unit: program for unit, program, _ in units()}
        registered = {
            (student, program): day
            for student, program, day in Registration.objects.values_list(
                "student_id", "program__zoho_id", "registration_date"
            )
        }

        for grade in Grade.objects.select_related("unit"):
            assert registered[grade.student_id, programs[grade.unit.zoho_id]] < grade.grade_date
        assert not Grade.objects.values("student", "unit").annotate(n=Count("pk")).filter(n__gt=1).exists()

    def test_most_registrations_are_paid_in_full_and_some_in_instalments(self):
        due = Payment.objects.filter(payment_status__in=["Completed", "Pending"]).order_by()
        sums = due.values("registration", price=F("registration__program__program_price")).annotate(
            paid=Sum("amount"), parts=Count("pk")
        )

        assert sum(row["paid"] == row["price"] for row in sums) >= 0.8 * COUNTS[Registration]
        assert {row["parts"] for row in sums} >= {1, 2, 3}
        statuses = set(Payment.objects.order_by().values_list("payment_status", flat=True))
        assert statuses == {"Completed", "Pending", "Failed", "Refunded"}

    def test_resubmitted_grades_have_a_history(self):
        updated = RecordResult.objects.filter(module="grades", state=State.UPDATED)

        assert updated.count() > 20
        for result in updated:
            assert result.changed_fields.get("grade_value", ["R"])[0] == "R"
        assert updated.values("zoho_id").annotate(n=Count("pk")).filter(n__gt=1).exists()
        assert Grade.objects.filter(grade_value="R").exists()
        assert Grade.objects.filter(comments__startswith="Resubmitted").exists()

    def test_students_have_names_of_their_own_and_addresses_of_nobody(self):
        students = Student.objects.all()

        assert len({student.name for student in students}) == 60
        assert len({student.academic_email for student in students}) == 60
        for student in students:
            assert re.fullmatch(r"[a-z]+\.[a-z]+@college\.example", student.academic_email)
            assert re.fullmatch(r"(\+962 6 555 01\d\d)?", student.phone)

    def test_invalid_records_say_what_to_mend(self):
        invalid = RecordResult.objects.filter(current=True, state=State.INVALID, waits_for_id="")

        found = {(error["field"], error["code"]) for result in invalid for error in result.errors}
        assert found == {
            ("Amount", "invalid_type"),
            ("Payment_Date", "invalid_date"),
            ("Discount_Code", "unexpected_field"),
            ("Enrollment_Status", "required"),
            ("Student", "invalid_type"),
            ("Score", "out_of_range"),
        }

    def test_four_records_stay_parked_two_of_them_in_a_chain(self):
        parked = RecordResult.objects.filter(current=True).exclude(waits_for_id="")

        assert set(parked.values_list("module", "zoho_id", "waits_for_id")) == {
            ("grades", "grade_1911", "stud_991"),
            ("payments", "pay_911", "reg_991"),
            ("payments", "pay_912", "reg_482"),
            ("registrations", "reg_482", "stud_992"),
        }
        assert not Arrival.objects.exists()

    def test_the_chain_unwinds_when_its_student_comes(self):
        assert Sender().states("students", {"id": "stud_992", "Name": "Nour Saleh"}) == ["NEW"]

        assert Payment.objects.get(zoho_id="pay_912").registration.student.zoho_id == "stud_992"

    def test_payments_that_overtook_their_registrations_were_released(self):
        released = Delivery.objects.filter(module="payments", state=Delivery.State.DONE, attempts=2)

        assert released.get().results.filter(current=False).exclude(waits_for_id="").count() > 10

    def test_one_delivery_is_rejected_and_none_failed(self):
        states = dict(Delivery.objects.order_by().values_list("state").annotate(Count("pk")))

        assert set(states) == {"done", "incomplete", "rejected"}
        assert states["rejected"] == 1
        rejected = Delivery.objects.get(state=Delivery.State.REJECTED)
        assert json.loads(bytes(rejected.answer))["code"] == "malformed_json"
        assert RecordResult.objects.filter(state=State.ERROR).count() == 0

    def test_a_second_run_changes_nothing(self):
        before = everything()

        assert load_demo().startswith("The demo data is there already: ")

        assert everything() == before

    def test_a_second_run_asks_the_database_a_handful_of_things(self):
        with CaptureQueriesContext(connection) as queries:
            load_demo()

        assert len(queries) <= 5

    def test_a_second_run_brings_nothing_back_that_was_changed_since(self):
        changed = {**payload("student"), "Phone": "+962 6 555 0199"}
        assert Sender().states("students", changed) == ["UPDATED"]

        load_demo()

        assert Student.objects.get(zoho_id="stud_456").phone == "+962 6 555 0199"

    def test_replaying_everything_leaves_the_records_as_they_are(self):
        before = stored_values()

        with pytest.raises(SystemExit):  # the parked and the invalid are still not done
            call_command("replay", "--all", stdout=StringIO(), stderr=StringIO())

        assert stored_values() == before

    # Whom it lets in

    def test_a_registrar_and_an_operator_of_the_college_are_let_in(self):
        get_user_model().objects.all().delete()
        self.monkeypatch.setenv("BTEC_DEMO_PASSWORD", "chosen")

        output = load_demo()

        for name, group in (("registrar", "Registrar"), ("operator", "Operator")):
            user = get_user_model().objects.get(username=name)
            assert user.check_password("chosen")
            assert user.is_staff
            assert not user.is_superuser
            assert [group.name for group in user.groups.all()] == [group]
            assert [tenant.slug for tenant in user.tenants.all()] == ["default"]
        assert "Users admin, registrar, operator created, with the password in BTEC_DEMO_PASSWORD." in output

    def test_admin_gets_the_password_of_the_environment(self):
        get_user_model().objects.all().delete()
        self.monkeypatch.setenv("BTEC_DEMO_PASSWORD", "$chosen by the operator")

        output = load_demo()

        admin = get_user_model().objects.get(username="admin")
        assert admin.is_superuser
        assert admin.is_staff
        assert admin.check_password("$chosen by the operator")
        assert "$chosen by the operator" not in output

    def test_they_get_a_random_password_that_is_shown_once(self):
        get_user_model().objects.all().delete()
        self.monkeypatch.setenv("BTEC_DEMO_PASSWORD", "")

        output = load_demo()

        password = re.search(r"password (\S+), shown only now", output).group(1)
        assert len(password) >= 16
        users = get_user_model().objects.all()
        assert len(users) == 3
        assert all(user.check_password(password) for user in users)
        assert "password" not in load_demo()

    def test_who_is_there_is_left_alone(self):
        get_user_model().objects.all().delete()
        for name in ("admin", "registrar"):
            get_user_model().objects.create_user(name, password="own")
        self.monkeypatch.setenv("BTEC_DEMO_PASSWORD", "another")

        output = load_demo()

        for name in ("admin", "registrar"):
            user = get_user_model().objects.get(username=name)
            assert user.check_password("own")
            assert not user.is_staff
            assert not user.tenants.exists()
        assert "User operator created, with" in output

    def test_in_production_no_user_is_made(self):
        get_user_model().objects.all().delete()
        self.settings.DEBUG = False
        self.monkeypatch.setenv("BTEC_DEMO_PASSWORD", "fixed somewhere")

        output = load_demo()

        assert not get_user_model().objects.exists()
        assert "createsuperuser" in output

    def test_in_production_nobody_is_asked_to_make_a_superuser_who_is_there(self):
        self.settings.DEBUG = False

        assert "createsuperuser" not in load_demo()


# --- Loading it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [1, 18])
def test_a_run_that_was_interrupted_is_completed_by_the_next(db, whole):
    tenant = Tenant.objects.create(slug="default")
    requests = list(demo.requests())
    headers = {"Content-Type": "application/json"}
    for request in requests[:whole]:
        deliveries.process(deliveries.receive(tenant, request.module, request.body, headers))
    # Stored, and then somebody pulled the plug.
    deliveries.receive(tenant, requests[whole].module, requests[whole].body, headers)

    output = load_demo()

    assert f"{len(requests) - whole} of {len(requests)} deliveries" in output
    assert {model: model.objects.count() for model in COUNTS} == COUNTS
    assert Delivery.objects.count() == len(requests)
    assert not Delivery.objects.filter(state__in=["received", "failed"]).exists()


def test_it_says_in_three_lines_what_was_loaded(db):
    deliveries_line, records_line, user_line = load_demo().splitlines()

    assert deliveries_line == "Demo data: 47 of 47 deliveries sent to tenant default, 1 rejected."
    assert records_line.startswith("Records: 713 NEW, 25 UNCHANGED, ")
    assert records_line.endswith(" 10 INVALID (4 of the INVALID are parked).")
    assert user_line.startswith("Users admin, registrar, operator created")


def test_its_deliveries_are_not_logged_one_by_one(db, log_lines):
    load_demo()

    assert not log_lines()
    Sender().post("students", payload("student"))
    assert log_lines()


def test_in_production_a_colleges_own_data_is_not_mixed_with_it(sender, settings):
    settings.DEBUG = False
    sender.post("students", payload("student"))

    with pytest.raises(CommandError, match="deliveries of its own"):
        load_demo()

    assert Delivery.objects.count() == 1
    assert Student.objects.count() == 1
