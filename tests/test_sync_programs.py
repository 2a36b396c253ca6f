"""Programs: what students register for."""

from decimal import Decimal

from btec_sync.reference.services import ProgramSync
from tests.conftest import payload
from tests.contract import ModuleContract


class TestPrograms(ModuleContract):
    service = ProgramSync
    record = {**payload("program"), "id": "prog_1"}
    stored = {
        "product_name": "Business IT",
        "program_price": Decimal("3000.00"),
        "moodle_id": "42",
        "status": "Active",
    }
    changes = {
        "Product_Name": ("Business and IT", "Business and IT"),
        "Program_Price": (3000.01, Decimal("3000.01")),
        "MoodleID": ("43", "43"),
        "Status": ("Closed", "Closed"),
    }
    required = ["Product_Name"]

    def test_a_name_that_rides_along_is_left_out(self, sender):
        states = sender.states("programs", self.record, self.copy(Name="PROG-0001"))

        assert states == ["NEW", "UNCHANGED"]
