"""Students: what the others point at."""

from btec_sync.reference.services import StudentSync
from tests.conftest import payload
from tests.contract import ModuleContract


class TestStudents(ModuleContract):
    service = StudentSync
    # Not the mission's id: the student that every test starts with has that.
    record = {**payload("student"), "id": "stud_1"}
    stored = {
        "name": "Ahmed Mohamed",
        "academic_email": "ahmed.mohamed@college.example",
        "phone": "+962 6 555 0100",
        "status": "Active",
    }
    changes = {
        "Name": ("Ahmed Mohammed", "Ahmed Mohammed"),
        "Academic_Email": ("a.mohamed@college.example", "a.mohamed@college.example"),
        "Phone": (" 0100 ", " 0100 "),
        "Status": ("Withdrawn", "Withdrawn"),
    }
    required = ["Name"]

    def test_the_missions_example_is_stored(self, sender):
        assert StudentSync.model.objects.get(zoho_id="stud_456").name == "Ahmed Mohamed"
