"""How long requests took: a histogram over all processes of this machine.

Each process counts in a file of its own in the folder of PROMETHEUS_MULTIPROC_DIR, which gunicorn's
configuration sets (config/processes.py), and a scrape adds them up. Without that folder a scrape would
see the one process that happened to answer it, so nothing is counted at all.
"""

import os
import struct
from collections.abc import Iterator
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from prometheus_client import Histogram, Metric

log = structlog.get_logger(__name__)

#: Seconds. A request of a few records takes some 20 ms, one of a thousand a second or two.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


def folder() -> str | None:
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR")


def observe(route: str, status: int, seconds: float) -> None:
    """Counts a request. Whatever is wrong with the folder costs the count, never the answer."""
    if not folder():
        return
    try:
        _histogram().labels(_area(route), f"{status // 100}xx").observe(seconds)
    except OSError as error:
        log.warning("duration not counted", error=type(error).__name__)


def _area(route: str) -> str:
    """The route, where records come in; of all others only the part of the service."""
    if route.startswith("/v1/sync/"):
        return route
    return "/admin/" if route.startswith("/admin/") else "other"


def _histogram() -> "Histogram":
    with _one_at_a_time:  # two histograms in one process would write over each other's counts
        return _make_histogram()


_one_at_a_time = Lock()


@cache
def _make_histogram() -> "Histogram":
    from prometheus_client import Histogram  # only now: the start of the service has no need of it

    return Histogram(
        "btec_request_duration_seconds",
        "Time from a request to its answer.",
        labelnames=("route", "code"),
        buckets=BUCKETS,
        registry=None,
    )


class Durations:
    """A collector of prometheus_client's: what all processes have counted."""

    def collect(self) -> Iterator["Metric"]:
        if not folder():
            return
        from prometheus_client.multiprocess import MultiProcessCollector

        try:
            metrics = list(MultiProcessCollector(None, path=folder()).collect())
        # Another process may be making its file at this moment.
        except (OSError, ValueError, RuntimeError, struct.error) as error:
            log.warning("durations not read", error=type(error).__name__)
            return
        yield from metrics
