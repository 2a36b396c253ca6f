"""How much of what was measured is the machine's noise."""

import os

from benchmarks.measure import Sample, cost


class Noise:
    """The same loop of plain Python, before every scenario and in some: it should always take as long."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.loads: list[float] = []

    def sample(self) -> None:
        self.times += [cost(_loop).wall for _ in range(5)]
        self.loads.append(os.getloadavg()[0])

    @property
    def factor(self) -> float:
        """How much longer than at its best the machine takes, in the median."""
        return self._loop.median

    @property
    def _loop(self) -> Sample:
        return Sample(tuple(self.times)) * (1 / min(self.times))

    def described(self) -> str:
        loop = self._loop
        return (
            f"noise: a fixed loop of Python took {loop.median:.2f} (median) to {max(loop.values):.2f} times "
            f"its best; load between scenarios {min(self.loads):.1f} to {max(self.loads):.1f}"
        )


def _loop() -> None:
    total = 0
    for number in range(500_000):
        total += number * number
