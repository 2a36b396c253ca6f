"""How large a run is, and the databases that its scenarios share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from benchmarks.databases import DATABASES, Database
from benchmarks.measure import Cost, Sample, in_turns
from benchmarks.noise import Noise


@dataclass
class Stage:
    """What the command line asked for."""

    length: str  # short, default or full
    names: list[str]
    rounds: int
    noise: Noise = field(default_factory=Noise)
    opened: dict[str, Database] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)

    def size(self, *, short: int, default: int, full: int | None = None) -> int:
        sizes = {"short": short, "default": default, "full": default if full is None else full}
        return sizes[self.length]

    @property
    def is_short(self) -> bool:
        return self.length == "short"

    @property
    def warm_up(self) -> int:
        """Rounds that do not count. A smoke run's figures mean nothing anyway."""
        return 0 if self.is_short else 1

    @property
    def turns(self) -> int:
        return self.warm_up + self.rounds

    def in_turns(self, calls: dict[Any, Callable[[int], Cost]]) -> dict[Any, Sample]:
        return in_turns(calls, self.rounds, warm_up=self.warm_up)

    def databases(self) -> Iterator[Database]:
        return map(self.database, self.names)

    def database(self, name: str = "postgresql") -> Database:
        """Made when first asked for, removed at the end of the run."""
        if name not in self.opened:
            self.opened[name] = self.stack.enter_context(DATABASES[name]())
        return self.opened[name]
