"""What a run found, as markdown: ratios against the goals first, then medians, then the machine."""

from dataclasses import dataclass, field

from benchmarks.measure import Sample


@dataclass
class Report:
    """Filled by the scenarios, printed once."""

    goals: list[tuple[str, ...]] = field(default_factory=list)
    medians: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def goal(
        self, number: int, what: str, found: Sample, *, most: float | None = None, least: float | None = None
    ) -> None:
        """A figure that has an aim: at most, at least, or none where nobody set one."""
        if most is not None:
            aim, met = f"≤ {most:g}", found.median <= most
        elif least is not None:
            aim, met = f"≥ {least:g}", found.median >= least
        else:
            aim, met = "", None
        verdict = {True: "met", False: "missed", None: ""}[met]
        self.goals.append((str(number), what, figure(found.median), span(found), aim, verdict))

    def median(self, what: str, found: Sample, unit: str) -> None:
        self.medians.append((what, f"{figure(found.median)} {unit}", span(found), str(len(found.values))))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def markdown(self, machine: list[str]) -> str:
        parts = []
        if self.goals:
            parts.append(table(["goal", "figure", "median", "min to max", "aim", ""], self.goals))
        if self.medians:
            parts.append(table(["what", "median", "min to max", "n"], self.medians))
        parts.append("\n".join(f"- {line}" for line in [*self.notes, *machine]))
        return "\n\n".join(parts) + "\n"


def figure(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def span(found: Sample) -> str:
    return f"{figure(min(found.values))} to {figure(max(found.values))}"


def table(head: list[str], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
