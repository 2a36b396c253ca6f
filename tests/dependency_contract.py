"""What holds for every module with lookups, besides what holds for all."""

from typing import ClassVar

from btec_sync.models import Delivery, RecordResult
from tests import factories
from tests.api import Sender
from tests.contract import ModuleContract


class DependencyContract(ModuleContract):
    """What holds for the modules whose records point at others."""

    #: For each lookup: Zoho's field, the parent's module, its label.
    lookups: ClassVar[dict[str, tuple[str, str]]]

    def test_a_record_without_its_parent_is_parked(self, sender):
        for name, (module, label) in self.lookups.items():
            result = sender.results(self.module, self.copy(**{name: {"id": "nowhere"}}))[0]

            message = f"{label} nowhere not found. Create {label.lower()} first."
            assert result == {
                self.service.id_key(): self.record["id"],
                "status": "INVALID",
                "message": message,
                "errors": [{"field": f"{name}.id", "code": "missing_dependency", "message": message}],
                "retryable": True,
            }
            parked = RecordResult.objects.get(current=True, waits_for_id="nowhere", waits_for_module=module)
            assert parked.zoho_id == self.record["id"]
            assert self.record["id"] not in self.rows()

    def test_a_parked_record_is_synced_once_its_parent_arrives(self, sender):
        for name, (module, _) in self.lookups.items():
            zoho_id = f"late_{module}"
            parked = self.copy(id=f"for_{module}", **{name: {"id": zoho_id}})
            delivery_id = sender.post(self.module, parked).json()["delivery_id"]

            sender.post(module, factories.RECORDS[module](id=zoho_id))

            delivery = Delivery.objects.get(uid=delivery_id)
            column = self._column(name)
            assert self.rows()[parked["id"]] == {**self.stored, column: zoho_id}
            assert (delivery.state, delivery.attempts, delivery.new, delivery.invalid) == ("done", 2, 1, 0)
            assert list(delivery.results.order_by("attempt").values_list("attempt", "state", "current")) == [
                (1, "INVALID", False),
                (2, "NEW", True),
            ]
            assert sender.states(self.module, parked) == ["UNCHANGED"]

    def test_a_parents_name_is_no_change(self, sender):
        sender.post(self.module, self.record)
        name = next(iter(self.lookups))

        states = sender.states(self.module, self.copy(**{name: {"id": self.record[name]["id"], "name": "x"}}))
        states += sender.states(
            self.module, self.copy(**{name: {"id": self.record[name]["id"], "name": None}})
        )

        assert states == ["UNCHANGED", "UNCHANGED"]

    def test_another_tenants_parent_is_not_found(self, sender):
        other = Sender(factories.TenantFactory(slug="other").slug)

        result = other.results(self.module, self.record)[0]
        nowhere = other.results(self.module, self.copy(**{n: {"id": "nowhere"} for n in self.lookups}))[0]

        assert result["status"] == nowhere["status"] == "INVALID"
        assert [e["code"] for e in result["errors"]] == [e["code"] for e in nowhere["errors"]]
        assert not self.service.model.objects.filter(tenant__slug="other").exists()

    def test_a_parent_of_the_same_id_in_another_tenant_releases_nothing(self, sender):
        other = Sender(factories.TenantFactory(slug="other").slug)
        name, (module, _) = next(iter(self.lookups.items()))
        sender.post(self.module, self.copy(id="waiting", **{name: {"id": "late"}}))

        other.post(module, factories.RECORDS[module](id="late"))

        assert "waiting" not in self.rows()
        assert not self.service.model.objects.filter(zoho_id="waiting").exists()

    def test_an_older_parked_record_does_not_roll_back_a_newer_one(self, sender):
        name, (module, _) = next(iter(self.lookups.items()))
        sender.post(self.module, self.copy(**{name: {"id": "late"}}))
        sender.post(self.module, self.record)

        sender.post(module, factories.RECORDS[module](id="late"))

        assert self.row() == self.stored
        assert not RecordResult.objects.filter(current=True).exclude(waits_for_id="").exists()
