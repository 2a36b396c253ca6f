"""Registrations: a student's place on a program."""

from datetime import date

from btec_sync import fields, storing
from btec_sync.prepared import ask
from registrations.models import Registration
from registrations.serializers import RegistrationSerializer
from registrations.services import RegistrationSync
from tests import factories
from tests.conftest import payload
from tests.dependency_contract import DependencyContract


class OptionalProgram(RegistrationSerializer):
    """A registration that need not name a program, as a module of one's own may have it."""

    Program = fields.Lookup("program", required=False)


class OptionalProgramSync(RegistrationSync):
    serializer_class = OptionalProgram


def test_an_empty_optional_lookup_waits_for_nobody(parents, tenant):
    record = {name: value for name, value in payload("registration").items() if name != "Program"}
    service = OptionalProgramSync(tenant)

    [candidate] = service.parse([(1, 0, record)])
    *found, _ = ask(*service.questions([candidate]))
    parents = service._parents(found)

    assert candidate.errors == []
    assert service._missing(candidate, parents) == []
    _, row = service.compare(None, candidate)
    assert storing._values(service, parents, [row])["program"] == [None]


SEED_CURL = (
    '{"data": [{"id": "reg_123", "Student": {"id": "stud_456"}, "Program": {"id": "prog_789"},'
    ' "Enrollment_Status": "Active"}]}'
)


class TestRegistrations(DependencyContract):
    service = RegistrationSync
    record = {**payload("registration")}
    stored = {
        "student": "stud_456",
        "program": "prog_789",
        "enrollment_status": "Active",
        "registration_date": date(2026, 1, 15),
        "completion_date": date(2027, 1, 15),
    }
    changes = {
        "Student": ({"id": "stud_2"}, "stud_2"),
        "Program": ({"id": "prog_2", "name": None}, "prog_2"),
        "Enrollment_Status": ("Completed", "Completed"),
        "Registration_Date": ("2026-01-16", date(2026, 1, 16)),
        "Completion_Date": ("2028-02-29", date(2028, 2, 29)),
    }
    required = ["Student", "Program", "Enrollment_Status"]
    lookups = {"Student": ("students", "Student"), "Program": ("programs", "Program")}
    other_parents = [
        ("students", factories.StudentRecord(id="stud_2")),
        ("programs", factories.ProgramRecord(id="prog_2")),
    ]

    def test_the_seeds_curl_gives_the_seeds_answer(self, sender):
        answer = sender.post_body("registrations", SEED_CURL).json()

        assert answer["status"] == "success"
        assert answer["results"] == [
            {"zoho_registration_id": "reg_123", "status": "NEW", "message": "Registration created"}
        ]

    def test_both_missing_parents_are_named(self, sender):
        record = self.copy(Student={"id": "s"}, Program={"id": "p"})

        result = sender.results("registrations", record)[0]

        assert [e["field"] for e in result["errors"]] == ["Student.id", "Program.id"]
        assert result["message"] == (
            "Student s not found. Create student first. Program p not found. Create program first."
        )

    def test_a_record_waiting_for_two_parents_is_synced_after_the_second(self, sender):
        sender.post("registrations", self.copy(Student={"id": "s"}, Program={"id": "p"}))

        sender.post("students", factories.StudentRecord(id="s"))
        halfway = Registration.objects.filter(zoho_id="reg_123").exists()
        sender.post("programs", factories.ProgramRecord(id="p"))

        assert not halfway
        assert self.row()["student"] == "s"

    def test_a_whole_zoho_record_is_accepted_once_its_parents_are_there(self, sender):
        sender.post("students", factories.StudentRecord(id="5516116000138155135"))
        sender.post("programs", factories.ProgramRecord(id="5516116000138155140"))

        states = sender.states("registrations", payload("full-zoho-record"))

        assert states == ["NEW"]
        assert self.rows()["5516116000138155159"]["registration_date"] == date(2026, 1, 15)

    def test_a_bare_string_is_no_lookup(self, sender):
        results = sender.results(
            "registrations",
            self.copy(Student="stud_456"),
            self.copy(Student={"id": "stud_456", "email": "x"}),
        )

        assert [(e["field"], e["code"]) for r in results for e in r["errors"]] == [
            ("Student", "invalid_type"),
            ("Student.email", "unexpected_field"),
        ]
