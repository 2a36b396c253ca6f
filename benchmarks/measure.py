"""Samples, taken in turns: A B C A B C …, so that a slow minute of the machine is everybody's."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.processes import cpu_seconds


class Cost(NamedTuple):
    """Seconds on the wall, and what worker and database have computed for it (0 where not asked)."""

    wall: float
    cpu: float = 0.0


@dataclass(frozen=True)
class Sample:
    """The same thing measured several times, once in each round."""

    values: tuple[float, ...]
    cpu: tuple[float, ...] = ()

    @classmethod
    def of(cls, costs: Sequence[Cost]) -> "Sample":
        cpu = tuple(cost.cpu for cost in costs)
        return cls(tuple(cost.wall for cost in costs), cpu if all(cpu) else ())

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def cpu_median(self) -> float | None:
        return statistics.median(self.cpu) if self.cpu else None

    def combined(self, other: "Sample", what: Callable[[float, float], float]) -> "Sample":
        """Round by round, as both sides of a round saw the same machine."""
        pairs = zip(self.values, other.values, strict=True)
        cpu = zip(self.cpu, other.cpu, strict=False)
        return Sample(tuple(what(*pair) for pair in pairs), tuple(what(*pair) for pair in cpu))

    def __truediv__(self, other: "Sample") -> "Sample":
        return self.combined(other, lambda ours, theirs: ours / theirs)

    def __sub__(self, other: "Sample") -> "Sample":
        return self.combined(other, lambda ours, theirs: ours - theirs)

    def __mul__(self, factor: float) -> "Sample":
        return Sample(tuple(v * factor for v in self.values), tuple(v * factor for v in self.cpu))


def cost(call: Callable[[], Any], pids: Callable[[], list[int]] | None = None) -> Cost:
    """What a call takes, and these processes for it."""
    before = cpu_seconds(pids()) if pids else 0.0
    began = time.perf_counter()
    call()
    wall = time.perf_counter() - began
    return Cost(wall, cpu_seconds(pids()) - before if pids else 0.0)


def in_turns(calls: dict[Any, Callable[[int], Cost]], rounds: int, *, warm_up: int = 1) -> dict[Any, Sample]:
    """What each call cost in each round; the rounds that warm up do not count."""
    costs: dict[Any, list[Cost]] = {name: [] for name in calls}
    for number in range(warm_up + rounds):
        for name, call in calls.items():
            costs[name].append(call(number))
    return {name: Sample.of(found[warm_up:]) for name, found in costs.items()}


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[math.ceil(share * len(ordered)) - 1]
