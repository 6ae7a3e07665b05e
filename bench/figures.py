"""What is measured, what it should be, and how it is said."""

import json
from dataclasses import asdict, dataclass, field
from statistics import median

STEADY_SPREAD = 0.25
"""A ratio whose rounds differ by more than this part of their median is no result."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One result. `goal` is ("<=" or ">=", limit), None for what is only told; `more` goes along unjudged."""

    name: str
    value: float
    unit: str
    goal: tuple[str, float] | None = None
    engine: str = ""
    size: str = ""
    spread: float | None = None
    more: dict[str, object] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        if self.spread is not None and self.spread > STEADY_SPREAD:
            return "unsteady"
        if self.goal is None:
            return ""
        sign, limit = self.goal
        return "met" if (self.value >= limit if sign == ">=" else self.value <= limit) else "MISSED"

    def line(self) -> str:
        facts = {key: value for key, value in asdict(self).items() if value not in ("", None, {})}
        goal = f"{self.goal[0]} {self.goal[1]:g}" if self.goal else None
        return json.dumps({**facts, "value": rounded(self.value), "goal": goal, "verdict": self.verdict})


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the rounds' ratios, and how far apart they lie: (largest - smallest) / median."""

    value: float
    spread: float

    @classmethod
    def of(cls, ours: list[float], bare: list[float]) -> "Ratio":
        ratios = [one / other for one, other in zip(ours, bare, strict=True)]
        middle = median(ratios)
        return cls(middle, (max(ratios) - min(ratios)) / middle)


def rounded(value: float) -> float:
    return round(value, 3 if abs(value) < 10 else 1)


def table(figures: list[Figure]) -> str:
    rows = [("figure", "engine", "size", "value", "goal", "")]
    for figure in figures:
        goal = f"{figure.goal[0]} {figure.goal[1]:g}" if figure.goal else ""
        value = f"{rounded(figure.value):g} {figure.unit}".strip()
        if figure.spread is not None:
            value += f" ± {figure.spread / 2:.0%}"
        rows.append((figure.name, figure.engine, figure.size, value, goal, figure.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in (lines[0], "-" * len(lines[0]), *lines[1:]))
