"""Random sequences against the oracle: each answer, and at the end each row, must be what it says."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from django.db.models import F
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from btec_sync import deliveries
from btec_sync.models import Delivery, RecordResult, State
from btec_sync.replay import in_order, replay
from btec_sync.services import services
from tests import factories
from tests.api import Sender
from tests.oracle import LOOKUPS, MODULES, Oracle, newest

#: What a record holds besides its lookups, by Zoho's name; a few values, so that they meet often.
FIELDS = {
    "students": {"Name": ["A", "B"], "Phone": ["", "1", "2"]},
    "programs": {"Product_Name": ["A", "B"], "Program_Price": [None, "1.00", "2.50"]},
    "units": {"Unit_Name": ["A", "B"], "Level": ["", "L3"], "Unit_Code": ["U"], "Status": ["Active"]},
    "registrations": {"Enrollment_Status": ["A", "B"], "Completion_Date": [None, "2026-01-15"]},
    "payments": {"Amount": ["500.00", "0.01"], "Payment_Status": ["A"], "Description": ["", "x"]},
    "grades": {"Grade_Value": ["P", "M"], "Score": [None, "95.00"], "Comments": ["", "x"]},
}
#: The last letter of an id says which marks its sender sends: times, versions, none, or now these, now those.
KINDS = "tvnx"
START = datetime(2026, 1, 15, tzinfo=UTC)
# `make stress` asks for more of both.
EXAMPLES = int(os.environ.get("BTEC_TEST_ORACLE_EXAMPLES", "12"))
LARGEST_BATCH = int(os.environ.get("BTEC_TEST_ORACLE_BATCH", "5"))
runs = count()


@st.composite
def records(draw, module: str) -> dict:
    kind = draw(st.sampled_from(KINDS))
    zoho_id = f"1{kind}"
    values = {name: f"1{draw(st.sampled_from(KINDS))}" for name in LOOKUPS[module]}
    values |= {name: draw(st.sampled_from(options)) for name, options in FIELDS[module].items()}
    timed = kind == "t" or (kind == "x" and draw(st.booleans()))
    versioned = kind == "v" or (kind == "x" and draw(st.booleans()))
    return {
        "id": zoho_id,
        "values": values,
        "modified_time": START + timedelta(hours=draw(st.integers(0, 3))) if timed else None,
        "version": draw(st.integers(0, 3)) if versioned else None,
        "valid": draw(st.integers(0, 19)) > 0,
    }


def to_wire(record: dict, module: str) -> dict:
    """The record as Zoho sends it."""
    wire = {"id": record["id"]}
    for name, value in record["values"].items():
        if name in LOOKUPS[module]:
            wire[name] = {"id": value}
        elif name in ("Amount", "Score", "Program_Price") and value is not None:
            wire[name] = float(value)
        else:
            wire[name] = value
    if record["modified_time"]:
        wire["Modified_Time"] = record["modified_time"].isoformat()
    if record["version"] is not None:
        wire["Version"] = record["version"]
    return wire if record["valid"] else {**wire, "Nonsense": 1}


class Machine(RuleBasedStateMachine):
    """Two tenants, six modules, and whatever may come."""

    records_sent = 0

    @initialize()
    def start(self):
        run = next(runs)
        self.tenants = [factories.TenantFactory(slug=f"t{run}-{os.getpid()}-{n}") for n in range(2)]
        self.senders = {tenant.slug: Sender(tenant.slug) for tenant in self.tenants}
        self.oracle = Oracle()
        self.uids = {}
        self.last = {}
        self.bodies = {}

    def send(self, slug, module, batch, key):
        wire = [to_wire(record, module) for record in batch]
        holder = self.oracle.keys.get((slug, module, key))
        is_repeat = holder is not None and holder.final and holder.records == batch
        status, expected, target = self.oracle.post(slug, module, batch, key)

        response = self.senders[slug].post(module, *wire, key=key)

        newest_delivery = Delivery.objects.filter(tenant__slug=slug).latest("pk")
        self.uids[len(self.oracle.posts)] = newest_delivery.uid
        assert response.status_code == status, response.content
        assert (response.headers.get("Idempotent-Replayed") == "true") == is_repeat
        if status == 200:
            Machine.records_sent += len(batch)
            self.keep(target, response.content, is_repeat)
            self.compare(module, response.json(), expected)
            assert response.json()["delivery_id"] == str(self.uids[target.number])

    def keep(self, target, body, is_repeat):
        """What was answered for good is answered byte for byte again."""
        if is_repeat:
            assert body == self.bodies[target.number]
        elif target.final:
            self.bodies.setdefault(target.number, body)

    def compare(self, module, answer, expected):
        results = answer["results"]
        states = [e["status"] for e in expected]
        assert [r["status"] for r in results] == states
        assert answer["summary"] == {state: states.count(state) for state in State.values}
        bad = states.count("INVALID")
        assert answer["status"] == ("success" if not bad else "failed" if bad == len(states) else "partial")
        names = services()[module].serializer_class.data_fields()
        for result, wanted in zip(results, expected, strict=True):
            changed = {names[name]: pair for name, pair in wanted.get("changed", {}).items()}
            found = result.get("changed_fields", {})
            assert {name: list(map(str, pair)) for name, pair in found.items()} == {
                name: list(map(str, pair)) for name, pair in changed.items()
            }
            assert result.get("retryable", False) == wanted.get("waits", False)

    @rule(
        data=st.data(),
        which=st.integers(0, 1),
        module=st.sampled_from(MODULES),
        key=st.sampled_from([None, None, None, "a", "b"]),
    )
    def post(self, data, which, module, key):
        batch = data.draw(st.lists(records(module), min_size=1, max_size=LARGEST_BATCH))
        slug = self.tenants[which].slug
        self.last = {"slug": slug, "module": module, "batch": batch, "key": key}
        self.send(**self.last)

    @rule()
    def post_the_last_again(self):
        if self.last:
            self.send(**self.last)

    @rule(data=st.data())
    def replay_one(self, data):
        own = [p for p in self.oracle.posts if p.states]
        if not own:
            return
        post = data.draw(st.sampled_from(own))
        expected = self.oracle.run(post)

        answer = deliveries.process(Delivery.objects.get(uid=self.uids[post.number]))

        self.keep(post, answer.body, is_repeat=False)
        if not answer.replayed:
            self.compare(post.module, json.loads(answer.body), expected)

    def teardown(self):
        if not getattr(self, "oracle", None):
            return
        self.check_rows()
        before, changes = self.rows(), self.changes()
        self.check_promises(before)
        # The refused and the repeated as well.
        everything = in_order(Delivery.objects.filter(tenant__in=self.tenants))
        assert len(list(replay(everything))) == len(self.oracle.posts)
        assert self.rows() == before
        assert self.changes() == changes

    def changes(self):
        """How many records were NEW or UPDATED, ever."""
        return RecordResult.objects.filter(tenant__in=self.tenants, state__in=["NEW", "UPDATED"]).count()

    def rows(self):
        rows = {}
        for module, service in services().items():
            lookups = {f"{name}_zoho": F(f"{name}__zoho_id") for name in service.dependencies}
            columns = set(service.serializer_class.data_fields().values()) - set(service.dependencies)
            query = service.model.objects.filter(tenant__in=self.tenants).annotate(**lookups)
            for row in query.values(
                "tenant__slug", "zoho_id", "modified_time", "version", *columns, *lookups
            ):
                rows[row["tenant__slug"], module, row["zoho_id"]] = row
        return rows

    def check_rows(self):
        rows = self.rows()
        wanted = {
            (tenant, module, zoho_id): stored
            for (tenant, module), table in self.oracle.tables.items()
            for zoho_id, stored in table.items()
        }
        assert set(rows) == set(wanted)
        for place, stored in wanted.items():
            service = services()[place[1]]
            names = service.serializer_class.data_fields()
            row = rows[place]
            assert (row["modified_time"], row["version"]) == (stored.modified_time, stored.version)
            for name, value in stored.values.items():
                column = names[name]
                found = row[f"{column}_zoho" if column in service.dependencies else column]
                assert (value is None and found is None) or str(found) == str(value), (place, name)

    def check_promises(self, rows):
        for (tenant, module, zoho_id), stored in (
            ((t, m, z), s) for (t, m), table in self.oracle.tables.items() for z, s in table.items()
        ):
            if not zoho_id.endswith("x"):
                taken = [post for post in self.oracle.posts if post.states]
                assert newest(taken, tenant, module, zoho_id, self.oracle.tables) == stored.values
        parked = RecordResult.objects.filter(tenant__in=self.tenants, current=True).exclude(waits_for_id="")
        assert {(r.waits_for_module, r.waits_for_id, r.position) for r in parked} == {
            (*waits, position) for post in self.oracle.posts for position, waits in post.parked.items()
        }
        for post in self.oracle.posts:
            if post.states:
                delivery = Delivery.objects.get(uid=self.uids[post.number])
                counts = {state: post.states.count(state) for state in State.values}
                assert {state: getattr(delivery, state.lower()) for state in State.values} == counts


@pytest.mark.django_db
def test_the_service_does_what_the_oracle_says():
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            derandomize=EXAMPLES < 100,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )
    sys.stderr.write(f"\n{Machine.records_sent:,} records compared with the oracle without a difference\n")
