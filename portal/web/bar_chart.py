"""A chart of bars, measured here and drawn by ui.bar_chart: SVG alone, no script and no style of its own.

Widths are shares of whatever room there is, heights are pixels, so that letters keep their size on a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

PLOT_HEIGHT = 132
ROOM_ABOVE = 20
ROOM_BELOW = 38
SMALLEST_BAR = 2
GAP_SHARE = 4
"""One part in so many of a place is left free at each side of its bar."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One value, none below 0, with what is written about it.

    `short` and `letter` name its bar below, where there is room for the one or the other; `second` stands
    below them. `amount` is written above it, where there is room too; `title` says all of it.
    """

    value: int
    short: str
    letter: str
    second: str
    amount: str
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """`x`, `width` and `middle` are percentages as SVG writes them, `y` and `height` pixels."""

    of: Measured
    x: str
    width: str
    middle: str
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class BarChart:
    """`mark` begins the ids of its title and description."""

    mark: str
    title: str
    description: str
    height: int
    base: int
    bars: tuple[Bar, ...]


def bar_chart(values: Sequence[Measured], *, mark: str, title: str, description: str) -> BarChart:
    """The highest bar takes the whole height; what is not 0 can be seen."""
    highest = max((each.value for each in values), default=0)
    base = ROOM_ABOVE + PLOT_HEIGHT
    bars = []
    for place, each in enumerate(values):
        height = each.value * PLOT_HEIGHT // highest if highest else 0
        if each.value:
            height = max(height, SMALLEST_BAR)
        start, end = _share(place, len(values)), _share(place + 1, len(values))
        gap = (end - start) // GAP_SHARE
        bars.append(
            Bar(
                of=each,
                x=_percent(start + gap),
                width=_percent(end - start - 2 * gap),
                middle=_percent((start + end) // 2),
                y=base - height,
                height=height,
            )
        )
    return BarChart(mark, title, description, base + ROOM_BELOW, base, tuple(bars))


def _share(place: int, places: int) -> int:
    """In hundredths of a percent."""
    return place * 10_000 // places


def _percent(hundredths: int) -> str:
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}%"
