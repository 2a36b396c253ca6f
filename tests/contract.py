"""What holds for every module. A module's test file supplies its data and inherits these tests."""

import copy
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from btec_sync.models import Delivery, RecordResult
from btec_sync.services import SyncService
from tests import factories
from tests.api import Sender


class ModuleContract:
    """The promises of DESIGN that no module makes for itself."""

    # Subclass declares

    service: ClassVar[type[SyncService]]
    #: The mission's example of one record, verbatim.
    record: ClassVar[dict]
    #: How that record is stored; lookups as Zoho ids.
    stored: ClassVar[dict[str, Any]]
    #: For each of Zoho's fields another valid value and how that is stored.
    changes: ClassVar[dict[str, tuple[Any, Any]]]
    #: Zoho's required fields, the id aside.
    required: ClassVar[list[str]]
    #: (module, record) of everything that a changed record points at besides the usual parents.
    other_parents: ClassVar[list[tuple[str, dict]]] = []

    # The machinery

    @pytest.fixture(autouse=True)
    def _parents(self, sender, parents):
        for module, record in self.other_parents:
            sender.post(module, record)

    @property
    def module(self) -> str:
        return self.service.module

    def copy(self, **changes: Any) -> dict:
        return {**copy.deepcopy(self.record), **changes}

    def rows(self) -> dict[str, dict[str, Any]]:
        """What is stored of this module: values by Zoho id."""
        names = list(self.stored)
        paths = [f"{name}__zoho_id" if name in self.service.dependencies else name for name in names]
        rows = self.service.model.objects.filter(tenant__slug="default").values_list("zoho_id", *paths)
        return {zoho_id: dict(zip(names, values, strict=True)) for zoho_id, *values in rows}

    def row(self) -> dict[str, Any]:
        return self.rows()[self.record["id"]]

    # NEW

    def test_a_record_that_was_not_there_is_new(self, sender):
        response = sender.post(self.module, self.record)

        answer = response.json()
        label = self.service.label()
        assert response.status_code == 200
        assert list(answer) == [
            *("status", "tenant_id", "idempotency_key", "delivery_id", "duplicate_of", "summary", "results")
        ]
        assert answer["status"] == "success"
        assert answer["tenant_id"] == "default"
        assert answer["duplicate_of"] is None
        assert answer["summary"] == {"NEW": 1, "UNCHANGED": 0, "UPDATED": 0, "INVALID": 0, "ERROR": 0}
        assert answer["results"] == [
            {self.service.id_key(): self.record["id"], "status": "NEW", "message": f"{label} created"}
        ]
        assert self.row() == self.stored

    def test_a_record_without_its_optional_fields_is_new(self, sender):
        bare = {name: self.record[name] for name in ["id", *self.required]}

        states = sender.states(self.module, bare)

        empty = {"", None}
        assert states == ["NEW"]
        assert all(
            value in empty if name not in self._required_columns() else value == self.stored[name]
            for name, value in self.row().items()
        )

    def _required_columns(self) -> set[str]:
        fields = self.service.serializer_class.data_fields()
        return {fields[name] for name in self.required}

    # UNCHANGED

    def test_the_same_record_again_is_unchanged(self, sender):
        sender.post(self.module, self.record)
        before = self.service.model.objects.get(zoho_id=self.record["id"]).updated_at

        results = sender.results(self.module, self.record)

        assert results == [
            {
                self.service.id_key(): self.record["id"],
                "status": "UNCHANGED",
                "message": "No changes detected",
            }
        ]
        assert self.service.model.objects.get(zoho_id=self.record["id"]).updated_at == before

    def test_key_order_and_system_fields_are_no_change(self, sender):
        sender.post(self.module, self.record)
        dragged_along = {"$state": "save", "Locked__s": False, "Owner": {"id": "1"}, "Tag": []}

        states = sender.states(
            self.module, {**dragged_along, **dict(reversed(self.record.items())), "Currency": "JOD"}
        )

        assert states == ["UNCHANGED"]

    def test_missing_null_and_empty_optional_fields_are_the_same(self, sender):
        optional = [name for name in self.changes if name not in self.required]
        bare = {name: self.record[name] for name in ["id", *self.required]}
        texts = {name: "" for name in optional if isinstance(self.changes[name][0], str)}
        texts = {name: "" for name in texts if self.stored[self._column(name)].__class__ is str}
        sender.post(self.module, bare)

        states = sender.states(self.module, {**bare, **dict.fromkeys(optional)})
        states += sender.states(self.module, {**bare, **texts})

        assert states == ["UNCHANGED", "UNCHANGED"]

    def _column(self, name: str) -> str:
        return self.service.serializer_class.data_fields()[name]

    # UPDATED

    def test_every_stored_field_has_a_change_to_be_tried(self):
        assert set(self.changes) == set(self.service.serializer_class.data_fields())
        assert set(self.stored) == set(self.service.serializer_class.data_fields().values())

    def test_a_change_of_any_field_alone_is_written_and_named_and_so_is_its_return(self, sender):
        sender.post(self.module, self.record)

        for name, (value, stored) in self.changes.items():
            column = self._column(name)

            there = sender.results(self.module, self.copy(**{name: value}))
            changed = self.row()
            back = sender.results(self.module, self.record)

            old, new = plain(self.stored[column]), plain(stored)
            label = self.service.label()
            assert there[0] == {
                self.service.id_key(): self.record["id"],
                "status": "UPDATED",
                "message": f"{label} updated",
                "changed_fields": {column: [old, new]},
            }
            assert changed == {**self.stored, column: stored}
            assert back[0]["changed_fields"] == {column: [new, old]}
            assert self.row() == self.stored

    def test_an_optional_field_can_be_emptied(self, sender):
        for name in self.changes:
            if name in self.required:
                continue
            sender.post(self.module, self.record)

            results = sender.results(self.module, self.copy(**{name: None}))

            assert results[0]["status"] == "UPDATED"
            assert self.row()[self._column(name)] in ("", None)

    def test_all_fields_can_change_at_once(self, sender):
        sender.post(self.module, self.record)

        results = sender.results(
            self.module, self.copy(**{name: value for name, (value, _) in self.changes.items()})
        )

        assert set(results[0]["changed_fields"]) == set(self.stored)
        assert self.row() == {self._column(name): stored for name, (_, stored) in self.changes.items()}

    # INVALID

    def test_a_missing_required_field_is_invalid(self, sender):
        for name in self.required:
            record = self.copy()
            del record[name]

            results = sender.results(self.module, record, self.copy(**{name: None}))

            for result in results:
                assert result["status"] == "INVALID"
                assert [(e["field"], e["code"]) for e in result["errors"]] == [(name, "required")]
        assert self.record["id"] not in self.rows()

    def test_all_errors_of_a_record_are_named_at_once(self, sender):
        record = {"id": self.record["id"], "Nonsense": 1}

        result = sender.results(self.module, record)[0]

        named = [(e["field"], e["code"]) for e in result["errors"]]
        assert named == [*((name, "required") for name in self.required), ("Nonsense", "unexpected_field")]
        assert "retryable" not in result

    def test_a_record_without_a_readable_id_is_invalid_with_null(self, sender):
        for bad in (5516116000138155159, "", None, "with blank", "${Registrations.id}", "null", "a" * 65):
            result = sender.results(self.module, self.copy(id=bad))[0]

            assert result[self.service.id_key()] is None
            assert result["status"] == "INVALID"
            assert result["errors"][0]["field"] == "id"

    def test_a_tenant_may_have_unknown_fields_ignored(self, sender, tenant):
        tenant.unknown_fields = "ignore"
        tenant.save()

        states = sender.states(self.module, self.copy(Nonsense=1))

        assert states == ["NEW"]

    def test_an_invalid_record_changes_nothing_that_is_stored(self, sender):
        sender.post(self.module, self.record)

        states = sender.states(self.module, self.copy(Nonsense=1))

        assert states == ["INVALID"]
        assert self.row() == self.stored

    # BATCH

    def test_a_batch_answers_in_its_order_whatever_becomes_of_its_records(self, sender):
        name, (value, _) = next(iter(self.changes.items()))
        sender.post(self.module, self.record)
        batch = [self.copy(id="b_new"), self.copy(Nonsense=1), self.copy(**{name: value}), 7, self.record]

        response = sender.post(self.module, *batch)

        answer = response.json()
        assert answer["status"] == "partial"
        assert [r["status"] for r in answer["results"]] == ["NEW", "INVALID", "UPDATED", "INVALID", "UPDATED"]
        ids = [r[self.service.id_key()] for r in answer["results"]]
        assert ids == ["b_new", self.record["id"], self.record["id"], None, self.record["id"]]
        assert answer["summary"] == {"NEW": 1, "UNCHANGED": 0, "UPDATED": 2, "INVALID": 2, "ERROR": 0}
        assert self.rows()["b_new"] == self.stored
        assert self.row() == self.stored

    def test_a_batch_of_nothing_but_invalid_records_has_failed(self, sender):
        response = sender.post(self.module, {}, {})

        assert response.status_code == 200
        assert response.json()["status"] == "failed"

    def test_the_same_id_twice_in_a_batch_is_like_two_posts(self, sender):
        name, (value, stored) = next(iter(self.changes.items()))

        results = sender.results(self.module, self.record, self.record, self.copy(**{name: value}))

        assert [r["status"] for r in results] == ["NEW", "UNCHANGED", "UPDATED"]
        assert self.row() == {**self.stored, self._column(name): stored}

    def test_a_thousand_records_take_a_bounded_number_of_queries(self, sender, django_assert_max_num_queries):
        name, (value, _) = next(iter(self.changes.items()))
        large = [self.copy(id=f"q{n}") for n in range(1_000)]
        # SQLite takes a bounded number of parameters, so its inserts come in several statements.
        most = 120 if factories.on_sqlite() else 26

        with django_assert_max_num_queries(most):
            new = sender.states(self.module, *large)
        with django_assert_max_num_queries(most):
            unchanged = sender.states(self.module, *large)
        with django_assert_max_num_queries(most):
            updated = sender.states(self.module, *[{**record, name: value} for record in large])
        with django_assert_max_num_queries(most):
            invalid = sender.states(self.module, *[{**record, "Nonsense": 1} for record in large])

        assert (set(new), set(unchanged)) == ({"NEW"}, {"UNCHANGED"})
        assert (set(updated), set(invalid)) == ({"UPDATED"}, {"INVALID"})

    # Order

    def test_an_older_modified_time_is_stale(self, sender):
        name, (value, _) = next(iter(self.changes.items()))
        sender.post(self.module, self.copy(Modified_Time="2026-01-15T12:00:00+04:00"))

        results = sender.results(
            self.module, self.copy(**{name: value}, Modified_Time="2026-01-15T07:59:59Z")
        )

        assert results[0]["status"] == "UNCHANGED"
        assert "stale" in results[0]["message"]
        assert self.row() == self.stored

    def test_an_older_version_is_stale(self, sender):
        name, (value, _) = next(iter(self.changes.items()))
        sender.post(self.module, self.copy(Version=2))

        results = sender.results(self.module, self.copy(**{name: value}, Version=1))

        assert results[0]["status"] == "UNCHANGED"
        assert self.row() == self.stored

    def test_modified_time_goes_before_version(self, sender):
        name, (value, stored) = next(iter(self.changes.items()))
        sender.post(self.module, self.copy(Version=2, Modified_Time="2026-01-15T12:00:00Z"))

        states = sender.states(
            self.module, self.copy(**{name: value}, Version=1, Modified_Time="2026-01-15T12:00:01Z")
        )

        assert states == ["UPDATED"]
        assert self.row()[self._column(name)] == stored

    def test_at_equal_times_the_later_arrival_wins(self, sender):
        name, (value, _) = next(iter(self.changes.items()))
        at = {"Modified_Time": "2026-01-15T12:00:00Z", "Version": 1}

        states = sender.states(self.module, self.copy(**at), self.copy(**at, **{name: value}))
        states += sender.states(self.module, self.copy(**at))

        assert states == ["NEW", "UPDATED", "UPDATED"]
        assert self.row() == self.stored

    def test_a_newer_time_alone_is_no_change_but_is_remembered(self, sender):
        name, (value, _) = next(iter(self.changes.items()))
        sender.post(self.module, self.copy(Modified_Time="2026-01-15T12:00:00Z"))

        states = sender.states(self.module, self.copy(Modified_Time="2026-01-15T14:00:00Z"))
        states += sender.states(self.module, self.copy(**{name: value}, Modified_Time="2026-01-15T13:00:00Z"))

        record = self.service.model.objects.get(zoho_id=self.record["id"])
        assert states == ["UNCHANGED", "UNCHANGED"]
        assert record.modified_time == datetime(2026, 1, 15, 14, tzinfo=UTC)
        assert self.row() == self.stored

    @pytest.mark.parametrize(
        ("newer", "older"),
        [
            ({"Version": 2}, {"Version": 1}),
            (
                {"Modified_Time": "2026-01-15T14:00:00Z"},
                {"Modified_Time": "2026-01-15T13:00:00Z"},
            ),
        ],
        ids=["Version", "Modified_Time"],
    )
    def test_a_mark_is_remembered_when_the_same_comes_without_it(self, sender, newer, older):
        name, (value, _) = next(iter(self.changes.items()))
        plain = {key: value for key, value in self.record.items() if key != "Version"}

        states = [
            *sender.states(self.module, {**plain, **newer}),
            *sender.states(self.module, plain),
            *sender.states(self.module, {**plain, **older, name: value}),
        ]

        assert states == ["NEW", "UNCHANGED", "UNCHANGED"]
        assert self.row() == self.stored

    def test_without_marks_the_last_arrival_wins_and_a_b_a_ends_in_a(self, sender):
        name, (value, _) = next(iter(self.changes.items()))
        a, b = self.copy(), self.copy(**{name: value})
        a.pop("Version", None), b.pop("Version", None)

        states = [sender.states(self.module, record)[0] for record in (a, b, a)]

        assert states == ["NEW", "UPDATED", "UPDATED"]
        assert self.row() == self.stored

    # Tenants

    def test_another_tenant_may_hold_the_same_id(self, sender):
        other = Sender(factories.TenantFactory(slug="other").slug)
        bare = self.copy()
        for parent_module, parent in PARENTS:
            other.post(parent_module, parent)
        sender.post(self.module, self.record)

        states = other.states(self.module, bare)

        assert states == ["NEW"]
        assert self.service.model.objects.filter(zoho_id=self.record["id"]).count() == 2

    # What is kept

    def test_what_came_in_and_what_became_of_it_is_kept(self, sender):
        body = json.dumps({"data": [self.record, self.copy(id="x", Nonsense=1)]}, indent=3)

        response = sender.post_body(self.module, body)

        delivery = Delivery.objects.get(uid=response.json()["delivery_id"])
        assert bytes(delivery.body) == body.encode()
        assert bytes(delivery.answer) == response.content
        assert (delivery.state, delivery.new, delivery.invalid) == ("incomplete", 1, 1)
        assert list(
            RecordResult.objects.filter(delivery=delivery)
            .order_by("position")
            .values_list("position", "attempt", "module", "zoho_id", "state")
        ) == [(0, 1, self.module, self.record["id"], "NEW"), (1, 1, self.module, "x", "INVALID")]


PARENTS = [
    ("students", factories.StudentRecord(id="stud_456")),
    ("programs", factories.ProgramRecord(id="prog_789")),
    ("units", factories.UnitRecord(id="unit_789")),
    ("registrations", factories.RegistrationRecord(id="reg_456")),
]


def plain(value: Any) -> Any:
    """A stored value as an answer shows it."""
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return value.isoformat() if hasattr(value, "isoformat") else value
