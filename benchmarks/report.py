"""What a run found, as markdown: ratios against the goals first, then medians, then the machine."""

from dataclasses import dataclass, field

from benchmarks.measure import Sample

RATIOS = ["goal", "ratio", "median", "min to max", "of CPU time", "aim", ""]
MEDIANS = ["what", "median", "min to max", "CPU time", "n"]


@dataclass
class Report:
    """Filled by the scenarios, printed once."""

    goals: list[tuple[str, ...]] = field(default_factory=list)
    medians: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: Goals that had to be met.
    failed: list[str] = field(default_factory=list)

    def goal(
        self,
        number: int,
        what: str,
        found: Sample,
        *,
        most: float | None = None,
        least: float | None = None,
        must: bool = False,
    ) -> None:
        """A figure of a goal: at most, at least, or with no aim, for comparison.

        One that is no time, and so the same on every machine, must be met.
        """
        aim = verdict = ""
        if most is not None:
            aim, verdict = f"≤ {most:g}", "met" if found.median <= most else "missed"
        elif least is not None:
            aim, verdict = f"≥ {least:g}", "met" if found.median >= least else "missed"
        if must and verdict == "missed":
            self.failed.append(what)
        row = (str(number), what, figure(found.median), span(found), figure(found.cpu_median), aim, verdict)
        self.goals.append(row)

    def seconds(self, what: str, found: Sample) -> None:
        """A time, in milliseconds as most are."""
        self.median(what, found * 1_000, "ms")

    def median(self, what: str, found: Sample, unit: str) -> None:
        cpu = figure(found.cpu_median)
        row = (what, f"{figure(found.median)} {unit}", span(found), cpu and f"{cpu} {unit}")
        self.medians.append((*row, str(len(found.values))))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def markdown(self, machine: list[str]) -> str:
        parts = [table(RATIOS, sorted(self.goals, key=lambda row: row[0]))] if self.goals else []
        parts += [table(MEDIANS, self.medians)] if self.medians else []
        parts.append("\n".join(f"- {line}" for line in [*self.notes, *machine]))
        return "\n\n".join(parts) + "\n"


def figure(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def span(found: Sample) -> str:
    return f"{figure(min(found.values))} to {figure(max(found.values))}"


def table(head: list[str], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
