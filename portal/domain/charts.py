"""Bars of a chart in units of its drawing: whole numbers, so that a page draws the same everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, GAP = 480, 160, 8
"""Of the whole drawing, and between two bars."""


@dataclass(frozen=True, slots=True)
class Bar:
    """`x` and `y` are its upper left corner, from that of the drawing; `middle` is where its label stands."""

    x: int
    y: int
    width: int
    height: int

    @property
    def middle(self) -> int:
        return self.x + self.width // 2


def bars(values: Sequence[int]) -> list[Bar]:
    """One for each value, in proportion to the largest; what is below 0 or nothing has no height.

    The smallest amount that is not nothing is seen as one unit.
    """
    largest, width = max([*values, 1]), WIDTH // max(len(values), 1)
    heights = [max(value, 0) * HEIGHT // largest or int(value > 0) for value in values]
    return [
        Bar(x=place * width + GAP // 2, y=HEIGHT - height, width=max(width - GAP, 1), height=height)
        for place, height in enumerate(heights)
    ]
