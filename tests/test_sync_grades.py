"""Grades: a student's result in a unit."""

from datetime import date
from decimal import Decimal

from grades.models import Grade
from grades.services import GradeSync
from tests import factories
from tests.conftest import payload
from tests.dependency_contract import DependencyContract


class TestGrades(DependencyContract):
    service = GradeSync
    record = payload("grade")
    stored = {
        "student": "stud_456",
        "unit": "unit_789",
        "grade_value": "A",
        "score": Decimal("95.00"),
        "grade_date": date(2026, 6, 15),
        "comments": "Excellent performance",
    }
    changes = {
        "Student": ({"id": "stud_2"}, "stud_2"),
        "Unit": ({"id": "unit_2"}, "unit_2"),
        "Grade_Value": ("D", "D"),
        "Score": (0, Decimal("0.00")),
        "Grade_Date": ("2026-06-16", date(2026, 6, 16)),
        "Comments": ("Excellent performance.", "Excellent performance."),
    }
    required = ["Student", "Unit", "Grade_Value"]
    lookups = {"Student": ("students", "Student"), "Unit": ("units", "Unit")}
    other_parents = [
        ("students", factories.StudentRecord(id="stud_2")),
        ("units", factories.UnitRecord(id="unit_2")),
    ]

    def test_a_score_is_from_0_to_100(self, sender):
        results = sender.results(
            "grades",
            self.copy(Score=100.01),
            self.copy(Score=-1),
            self.copy(Score="95"),
            self.copy(Score=99.999),
        )

        assert [r["errors"][0]["code"] for r in results] == [
            *("out_of_range", "out_of_range", "invalid_type", "too_many_decimals")
        ]
        assert not Grade.objects.exists()

    def test_long_comments_are_kept_whole_and_longer_ones_refused(self, sender):
        states = sender.states("grades", self.copy(Comments="ü" * 32_000))
        longer = sender.results("grades", self.copy(Comments="ü" * 32_001))[0]

        assert states == ["NEW"]
        assert longer["errors"][0]["code"] == "too_long"
        assert Grade.objects.get().comments == "ü" * 32_000
