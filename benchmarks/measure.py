"""Samples, taken in turns: A B C A B C …, so that a slow minute of the machine is everybody's."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sample:
    """The same thing measured several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __truediv__(self, other: "Sample") -> "Sample":
        """Round by round, as both sides of a round saw the same machine."""
        return Sample(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def scaled(self, factor: float) -> "Sample":
        return Sample(tuple(value * factor for value in self.values))


def seconds(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def in_turns(calls: dict[str, Callable[[int], float]], rounds: int) -> dict[str, Sample]:
    """What each call returned for each round; one round before them warms up and does not count."""
    values = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            values[name].append(call(number))
    return {name: Sample(tuple(found[1:])) for name, found in values.items()}


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
