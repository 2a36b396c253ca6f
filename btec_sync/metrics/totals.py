"""The totals, read from the database at each scrape.

A counter in a process would be wrong here: it begins at nought with every start, each machine has another,
and the state of a delivery changes later, when it is replayed or its parked records go on.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator

from django.db import DatabaseError, InterfaceError
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric

from btec_sync import figures
from btec_sync.mending import PARKED
from btec_sync.models import Delivery, State
from btec_sync.services import services

from . import queries

#: What the alert on refused records looks at. A window in the database and not a difference between two
#: scrapes, as totals also fall: where old deliveries are pruned, and where parked records go on.
RECENT = datetime.timedelta(hours=1)


class Totals:
    """A collector of prometheus_client's."""

    def collect(self) -> Iterator[Metric]:
        try:
            totals = list(_totals())
        except (DatabaseError, InterfaceError):
            totals = []
        yield GaugeMetricFamily("btec_database_up", "1 while the database answers.", value=bool(totals))
        yield from totals


def _totals() -> Iterator[Metric]:
    now = timezone.now()
    tenants = queries.tenants()
    scope = figures.Scope(list(tenants), list(services()), now - RECENT)
    arrived = list(queries.arrived(tenants))
    recent = queries.recent(tenants, scope)
    newest = queries.newest(tenants, scope)
    parked = list(queries.parked(tenants))
    slugs = list(tenants.values())
    yield _deliveries(
        slugs, arrived, "btec_deliveries", "Deliveries that are stored, by the state they are in."
    )
    yield _records(
        slugs, arrived, State.values, "btec_records", "Records of these, by what became of them last."
    )
    yield _deliveries(slugs, recent, "btec_recent_deliveries", "The deliveries of the last hour.")
    yield _records(
        slugs,
        recent,
        [*State.values, PARKED],
        "btec_recent_records",
        "The records of the last hour. What waits for a parent is parked, and not INVALID.",
    )
    yield _last_delivery(newest, now)
    yield _parked(slugs, parked)
    yield _oldest_parked(parked, now)


def _deliveries(tenants: list[str], arrived: Iterable[queries.Arrived], name: str, says: str) -> Metric:
    counts = Counter({(row.tenant, row.module, row.state): row.deliveries for row in arrived})
    metric = GaugeMetricFamily(name, says, labels=LABELS)
    for series in _every(tenants, Delivery.State.values):
        metric.add_metric(series, counts[series])
    return metric


def _records(
    tenants: list[str], arrived: Iterable[queries.Arrived], states: Iterable[str], name: str, says: str
) -> Metric:
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in arrived:
        counts.update({(row.tenant, row.module, state): count for state, count in row.records.items()})
    metric = GaugeMetricFamily(name, says, labels=LABELS)
    for series in _every(tenants, states):
        metric.add_metric(series, counts[series])
    return metric


def _last_delivery(newest: dict[tuple[str, str], datetime.datetime], now: datetime.datetime) -> Metric:
    metric = GaugeMetricFamily(
        "btec_last_delivery_age_seconds",
        "Time since the last delivery that was no import. A module that nothing ever came for has none.",
        labels=LABELS[:2],
    )
    for pair, time in newest.items():
        metric.add_metric(pair, _age(time, now))
    return metric


def _parked(tenants: list[str], parked: Iterable[queries.Parked]) -> Metric:
    counts = {(row.tenant, row.module): row.records for row in parked}
    metric = GaugeMetricFamily(
        "btec_parked_records", "Records that wait for a parent, INVALID meanwhile.", labels=LABELS[:2]
    )
    for tenant in tenants:
        for module in services():
            metric.add_metric((tenant, module), counts.get((tenant, module), 0))
    return metric


def _oldest_parked(parked: Iterable[queries.Parked], now: datetime.datetime) -> Metric:
    metric = GaugeMetricFamily(
        "btec_oldest_parked_age_seconds",
        "Time since the oldest parked record was delivered. There is none where nothing is parked.",
        labels=LABELS[:2],
    )
    for row in parked:
        metric.add_metric((row.tenant, row.module), _age(row.oldest, now))
    return metric


LABELS = ("tenant", "module", "state")


def _every(tenants: Iterable[str], states: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Every series from the start, at nought: Prometheus does not see the first change of a new one."""
    modules = list(services())
    return ((tenant, module, state) for tenant in tenants for module in modules for state in states)


def _age(time: datetime.datetime, now: datetime.datetime) -> float:
    # The machine that stored it may have another clock.
    return max((now - time).total_seconds(), 0)
