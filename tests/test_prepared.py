"""What is asked often and written once: it asks the same as the ORM would, whatever it is asked for."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from btec_sync import writing
from btec_sync.models import Delivery
from btec_sync.prepared import Prepared
from btec_sync.statements import execute
from tests import factories
from tests.test_writing import AWKWARD
from units.models import Unit

IDS = [*AWKWARD, "{NULL}", ""]


@pytest.fixture
def units(tenant):
    now = timezone.now()
    alike = {"unit_code": "c", "unit_name": "n", "status": "s", "fingerprint": "", "place": 1, "seen": 1}
    return Unit.objects.bulk_create(
        Unit(tenant=tenant, zoho_id=zoho_id, created_at=now, updated_at=now, **alike) for zoho_id in IDS
    )


def test_any_list_of_texts_can_be_asked_for(tenant, units):
    query = Prepared(
        lambda tenant, ids: Unit.objects.filter(tenant=tenant, zoho_id__in=ids).values_list("zoho_id")
    )

    for asked in [[IDS[0]], IDS, IDS[::2], ["not there"], IDS[:3]]:
        assert sorted(query(tenant.pk, asked)) == sorted((one,) for one in set(asked) & set(IDS))


def test_any_list_of_numbers_can_be_asked_for(units):
    query = Prepared(lambda numbers: Unit.objects.filter(pk__in=numbers).order_by("pk").values_list("pk"))

    for asked in [[units[0].pk], [unit.pk for unit in units], [0, 2**63 - 1]]:
        assert query(asked) == [(unit.pk,) for unit in units if unit.pk in asked]


def test_any_text_can_be_asked_for_and_constants_of_the_query_stay_what_they_are(tenant, units):
    query = Prepared(
        lambda zoho_id: Unit.objects.filter(unit_code="c", zoho_id=zoho_id, seen__lt=2).values_list(
            "zoho_id"
        )[:1]
    )

    assert [query(one) for one in IDS] == [[(one,)] for one in IDS]
    assert query("not there") == []


def test_it_asks_for_the_tenant_that_it_is_given_and_not_for_the_first(tenant, units):
    query = Prepared(lambda tenant: Unit.objects.filter(tenant=tenant).values_list("pk"))

    assert len(query(tenant.pk)) == len(units)
    assert query(factories.TenantFactory(slug="north").pk) == []


@pytest.mark.postgresql
def test_the_orm_writes_it_once(db):
    built = []

    def build(number):
        built.append(number)
        return Unit.objects.filter(pk=number).values_list("pk")

    query = Prepared(build)
    with CaptureQueriesContext(connection) as queries:
        query(1), query(2)

    assert len(built) == 1
    assert len(queries) == 2


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 15, 7, 15, 13, tzinfo=UTC),
        datetime(2026, 1, 15, 7, 15, 13, 1, tzinfo=UTC),
        datetime(2026, 1, 15, 7, 15, 13, 120_000, tzinfo=UTC),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
)
def test_a_time_is_read_as_it_was_written_to_the_microsecond(tenant, moment):
    delivery = Delivery.objects.create(tenant=tenant, module="units", body=b"", received_at=moment)

    assert Delivery.objects.get(pk=delivery.pk).received_at == moment
    assert Delivery.objects.values_list("received_at", flat=True).get(pk=delivery.pk).utcoffset() is not None


def test_a_row_of_its_own_is_written_as_the_model_writes_it(tenant):
    values = {
        "tenant": tenant,
        "module": "units",
        "body": bytes(range(256)),
        "digest": "0" * 64,
        "headers": {"User-Agent": '"\\ %s أحمد'},
        "traceback": "\n".join(AWKWARD),
        "answer_status": None,
    }

    ours, theirs = writing.create(Delivery(**values)), Delivery.objects.create(**values)
    names = ["answer", "processed_at", "repeats"]
    for delivery in ours, theirs:
        delivery.answer, delivery.processed_at, delivery.repeats = b"\0{}", tenant.created_at, ours
    execute(writing.save(ours, names))
    theirs.save(update_fields=names)

    kept = [Delivery.objects.filter(pk=one.pk).values().get() for one in (ours, theirs)]
    odd = {name for name in kept[0] if kept[0][name] != kept[1][name]}
    assert odd == {"id", "uid", "received_at"}
    assert ours.uid == kept[0]["uid"]
    assert ours.received_at == kept[0]["received_at"]
