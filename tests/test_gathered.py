"""What stands on a student's page: registrations, payments and grades, and what was paid."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from btec_sync.reference.models import Program, Student
from grades.models import Grade
from payments.models import Payment
from registrations.models import Registration
from tests import factories
from tests.admin import links, logged_in, page_of, superuser, text, url
from tests.api import Sender


@pytest.fixture
def client(db):
    return superuser()


def pay(sender, *amounts, registration="reg_456", status="Completed"):
    records = [
        factories.PaymentRecord(
            Registration={"id": registration}, Amount=amount, Payment_Status=status, Payment_Date="2026-01-15"
        )
        for amount in amounts
    ]
    assert set(sender.states("payments", *records)) <= {"NEW"}


def student_page(client):
    return client.get(page_of(Student.objects.get(zoho_id="stud_456")))


def test_a_students_page_gathers_registrations_payments_and_grades(client, sender, parents):
    pay(sender, 500)
    sender.post("grades", factories.GradeRecord(id="g", Grade_Value="Merit"))

    response = student_page(client)

    for model in (Registration, Payment, Grade):
        assert page_of(model.objects.get()) in links(response)
    assert page_of(Program.objects.get()) in links(response)
    said = text(response)
    assert said.index("Registrations:") < said.index("Payments:") < said.index("Grades:")
    assert "Merit" in said


def test_payments_are_summed_up_for_each_registration_and_status(client, sender, parents):
    sender.post("registrations", factories.RegistrationRecord(id="reg_2"))
    pay(sender, 500, 250.50)
    pay(sender, 99, status="Refunded")
    pay(sender, 1, registration="reg_2")

    said = text(student_page(client))

    assert "reg_456 (Active) Completed 2 750.50" in said
    assert "reg_456 (Active) Refunded 1 99.00" in said
    assert "reg_2 (Active) Completed 1 1.00" in said


def test_a_sum_is_exact(client, sender, parents):
    pay(sender, *[9_999_999_999.99] * 30, 0.01)

    assert "Completed 31 299,999,999,999.71" in text(student_page(client))


def test_a_registrations_page_sums_up_its_own_payments(client, sender, parents):
    sender.post("registrations", factories.RegistrationRecord(id="reg_2"))
    pay(sender, 500, 0.25)
    pay(sender, 7, registration="reg_2")

    said = text(client.get(page_of(Registration.objects.get(zoho_id="reg_456"))))

    assert "Completed 2 500.25" in said
    assert "7.00" not in said


def test_a_student_with_nothing_says_so(client, sender):
    sender.post("students", factories.StudentRecord(id="stud_456"))

    assert text(student_page(client)).count("None.") == 3


def test_hundreds_of_rows_are_cut_lead_to_the_rest_and_cost_no_more_queries(client, sender, parents):
    pay(sender, 1)
    sender.post("grades", factories.GradeRecord())
    student_page(client)
    with CaptureQueriesContext(connection) as few:
        student_page(client)
    pay(sender, *range(1, 300))
    sender.post("units", *(factories.UnitRecord(id=f"u{n}") for n in range(300)))
    sender.post("grades", *(factories.GradeRecord(Unit={"id": f"u{n}"}) for n in range(300)))
    sender.post("registrations", *(factories.RegistrationRecord(id=f"r{n}") for n in range(300)))
    for n in range(30):
        pay(sender, 5, registration=f"r{n}", status=f"Status {n}")

    with CaptureQueriesContext(connection) as many:
        response = student_page(client)

    assert len(many) == len(few)
    assert len(response.content) < 100_000
    assert text(response).count("Only the newest 25 are shown here.") == 3
    assert "and 6 more" in text(response)
    student = Student.objects.get(zoho_id="stud_456")
    everything = f"{url(Payment)}?registration__student__id__exact={student.pk}"
    assert everything in links(response)
    listed = client.get(everything)
    assert "330 payments" in text(listed)
    assert f"By student All {student}" in text(listed)


def test_who_may_not_look_at_payments_sees_none_on_a_students_page(sender, parents):
    pay(sender, 12_345)
    user = User.objects.create_user("assessor", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_student", "view_grade"]))
    Student.objects.get().tenant.members.add(user)

    response = student_page(logged_in(user))

    assert "Grades" in text(response)
    assert "12,345" not in text(response)
    assert "12345" not in text(response)


@pytest.mark.parametrize(
    ("may_view", "said"),
    [
        (["registration", "grade"], "What points at it: 1 registration , 2 grades"),
        (["grade"], "What points at it: 2 grades"),
        ([], None),
    ],
)
def test_a_students_page_counts_what_the_user_may_look_at(sender, parents, may_view, said):
    sender.post("units", *(factories.UnitRecord(id=f"u{n}") for n in range(2)))
    sender.post("grades", *(factories.GradeRecord(Unit={"id": f"u{n}"}) for n in range(2)))
    user = User.objects.create_user("assessor", is_staff=True)
    codenames = [f"view_{name}" for name in ("student", *may_view)]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    Student.objects.get().tenant.members.add(user)

    response = student_page(logged_in(user))

    page = text(response)
    assert page.count("What points at it") == (said is not None)
    assert said is None or said in page
    lists = {model._meta.model_name: url(model) for model in (Registration, Grade)}
    linked = {
        name for name, address in lists.items() if any(link.startswith(address) for link in links(response))
    }
    assert linked == set(may_view)


def test_what_nothing_can_point_at_says_nothing_of_it(client, sender, parents):
    pay(sender, 500)

    assert "What points at it" not in text(client.get(page_of(Payment.objects.get())))


def test_another_students_and_another_tenants_rows_are_not_there(client, sender, parents, db):
    sender.post("students", factories.StudentRecord(id="other"))
    factories.TenantFactory(slug="zarqa")
    theirs = Sender("zarqa")
    theirs.post("students", factories.StudentRecord(id="stud_456"))
    theirs.post("programs", factories.ProgramRecord(id="prog_789"))
    theirs.post("registrations", factories.RegistrationRecord(id="reg_456"))
    pay(theirs, 77)

    said = text(client.get(page_of(Student.objects.get(zoho_id="stud_456", tenant__slug="default"))))

    assert "77.00" not in said
    assert text(client.get(page_of(Student.objects.get(zoho_id="other")))).count("None.") == 3
