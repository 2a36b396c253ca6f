"""A record's timeline in the admin: every delivery that changed it, what from and what to."""

import re

import pytest
from django.contrib.auth.models import Permission

from btec_sync.models import Delivery
from btec_sync.reference.models import Student
from tests import factories, test_oracle
from tests.admin import links, page_of, staff, superuser, text
from tests.health import shown


@pytest.fixture
def client(db):
    return superuser()


def timeline(client, record) -> str:
    return text(client.get(page_of(record))).rsplit("Timeline:", 1)[1]


@pytest.mark.parametrize("missing", [None, "view_delivery", "view_recordresult"])
def test_who_may_not_look_at_deliveries_and_results_sees_no_timeline(tenant, sender, missing):
    sender.post("students", {"id": "s", "Name": "Layla"}, {"id": "s", "Name": "Sara"})
    client = staff(tenant)
    user = tenant.members.get()
    user.user_permissions.remove(*Permission.objects.filter(codename=missing))

    response = client.get(page_of(Student.objects.get()))

    assert response.status_code == 200
    assert "Where it comes from" in text(response)
    for part in ("Timeline", "Layla → Sara", "Student created"):
        assert (part in text(response)) == (missing is None), part


class TestTimeline:
    @pytest.fixture
    def student(self, sender):
        for name in ("Layla", "Sara", "Sara"):
            sender.post("students", {"id": "s", "Name": name})
        return test_oracle.services()["students"].model.objects.get()

    def test_it_begins_with_the_newest_delivery_though_that_changed_nothing(self, client, student):
        unchanged = Delivery.objects.latest("pk")

        said = timeline(client, student)

        assert page_of(unchanged) in links(client.get(page_of(student)))
        assert (
            said.index("No changes detected")
            < said.index("name: Layla → Sara")
            < said.index("Student created")
        )
        assert said.count("UNCHANGED") == 2  # its row, and the note below
        assert "the newest that spoke of it" in said

    def test_a_newer_result_stands_above_it(self, client, sender, student):
        sender.post("students", {"id": "s", "Name": 7})

        said = timeline(client, student)

        assert said.index("Name: expected a string") < said.index("No changes detected")

    def test_each_attempt_has_its_row(self, client, sender):
        sender.post("grades", factories.GradeRecord(id="g"))
        for module, record in (
            ("students", factories.StudentRecord(id="stud_456")),
            ("units", factories.UnitRecord(id="unit_789")),
        ):
            sender.post(module, record)
        grade = test_oracle.services()["grades"].model.objects.get()

        said = timeline(client, grade)

        assert re.search(r" 3 NEW Grade created .* 2 INVALID .* 1 INVALID ", said)

    def test_many_are_cut_and_lead_to_the_rest(self, client, sender, student):
        for n in range(101):
            sender.post("students", {"id": "s", "Name": f"Layla {n}"})

        response = client.get(page_of(student))

        assert "Only the first 100 are shown here." in text(response)
        everything = next(a for a in links(response) if "recordresult/?q=s&" in a)
        assert shown(client, everything) == 103
