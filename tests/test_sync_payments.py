"""Payments: money for a registration."""

from datetime import date
from decimal import Decimal

import pytest

from payments.models import Payment
from payments.services import PaymentSync
from tests import factories
from tests.conftest import payload
from tests.dependency_contract import DependencyContract


class TestPayments(DependencyContract):
    service = PaymentSync
    record = payload("payment")
    stored = {
        "registration": "reg_456",
        "amount": Decimal("500.00"),
        "payment_date": date(2026, 1, 20),
        "payment_method": "Credit Card",
        "payment_status": "Completed",
        "description": "Course fees",
    }
    changes = {
        "Registration": ({"id": "reg_2"}, "reg_2"),
        "Amount": (500.01, Decimal("500.01")),
        "Payment_Date": ("2026-01-21", date(2026, 1, 21)),
        "Payment_Method": ("Cash", "Cash"),
        "Payment_Status": ("Refunded", "Refunded"),
        "Description": ("Course fees ", "Course fees "),
    }
    required = ["Registration", "Amount", "Payment_Status"]
    lookups = {"Registration": ("registrations", "Registration")}
    other_parents = [("registrations", factories.RegistrationRecord(id="reg_2"))]

    @pytest.mark.parametrize("spelling", ["500", "500.0", "5e2", "500.00", "0.5E+3", "500.000000"])
    def test_one_amount_in_many_spellings(self, sender, spelling):
        sender.post("payments", self.record)

        response = sender.post_body("payments", body_with_amount(spelling))

        assert response.json()["summary"]["UNCHANGED"] == 1

    @pytest.mark.parametrize(
        ("spelling", "code"),
        [
            ('"500.00"', "invalid_type"),
            ("true", "invalid_type"),
            ("-0.01", "out_of_range"),
            ("10000000000", "out_of_range"),
            ("1e999999999", "out_of_range"),
            ("1e99999999999999999999", "out_of_range"),
            ("9" * 5_000, "out_of_range"),
            ("500.001", "too_many_decimals"),
        ],
    )
    def test_what_is_no_amount_is_invalid(self, sender, spelling, code):
        response = sender.post_body("payments", body_with_amount(spelling))

        errors = response.json()["results"][0]["errors"]
        assert [(e["field"], e["code"]) for e in errors] == [("Amount", code)]
        assert not Payment.objects.exists()

    def test_the_largest_amount_is_stored_to_the_cent(self, sender):
        sender.post_body("payments", body_with_amount("9999999999.99"))

        assert Payment.objects.get().amount == Decimal("9999999999.99")

    def test_a_chain_of_parked_records_unwinds_by_itself(self, sender):
        sender.post("payments", self.copy(id="p", Registration={"id": "r"}))
        sender.post("registrations", factories.RegistrationRecord(id="r", Student={"id": "s"}))

        sender.post("students", factories.StudentRecord(id="s"))

        assert self.rows()["p"]["registration"] == "r"
        assert sender.states("payments", self.copy(id="p", Registration={"id": "r"})) == ["UNCHANGED"]


def body_with_amount(spelling: str) -> str:
    return (
        '{"data": [{"id": "pay_123", "Registration": {"id": "reg_456", "name": "..."}, "Amount": AMOUNT,'
        ' "Payment_Date": "2026-01-20", "Payment_Method": "Credit Card", "Payment_Status": "Completed",'
        ' "Description": "Course fees"}]}'
    ).replace("AMOUNT", spelling)
