"""Units: they depend on nothing."""

from decimal import Decimal

from tests.conftest import payload
from tests.contract import ModuleContract
from units.models import Unit
from units.services import UnitSync


class TestUnits(ModuleContract):
    service = UnitSync
    record = payload("unit")
    stored = {
        "unit_code": "UNIT001",
        "unit_name": "Introduction to Business",
        "description": "...",
        "credit_hours": Decimal("30.00"),
        "level": "L3",
        "status": "Active",
    }
    changes = {
        "Unit_Code": ("UNIT002", "UNIT002"),
        "Unit_Name": ("Introduction to Businesses", "Introduction to Businesses"),
        "Description": ("…\n\tTwo lines", "…\n\tTwo lines"),
        "Credit_Hours": (30.5, Decimal("30.50")),
        "Level": ("L4", "L4"),
        "Status": ("Closed", "Closed"),
    }
    required = ["Unit_Code", "Unit_Name", "Status"]

    def test_credit_hours_are_a_number(self, sender):
        results = sender.results("units", self.copy(Credit_Hours="30"), self.copy(Credit_Hours=10_000))

        assert [r["errors"][0]["code"] for r in results] == ["invalid_type", "out_of_range"]
        assert not Unit.objects.filter(zoho_id="unit_123").exists()

    def test_thirty_is_thirty_however_it_is_written(self, sender):
        sender.post("units", self.record)

        response = sender.post_body(
            "units",
            '{"data": [{"id": "unit_123", "Unit_Code": "UNIT001", "Unit_Name": "Introduction to Business",'
            ' "Description": "...", "Credit_Hours": 3.00e1, "Level": "L3", "Status": "Active"}]}',
        )

        assert response.json()["summary"]["UNCHANGED"] == 1
