"""Colours that can be read: the contrast of WCAG 2.2, and a brand's accent fitted to both themes."""

import re
from dataclasses import dataclass
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]
"""Red, green and blue, each from 0 to 255."""

HEX = re.compile(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", re.ASCII | re.IGNORECASE)
ENOUGH_CONTRAST = 4.5
"""For text (WCAG 2.2, 1.4.3)."""
STEPS = 64

# The worst grounds of accent-coloured text in static/css/tokens.css (a little beyond --sunk in the light
# theme and --accent-soft in the dark one), and the text on an accent-coloured button (--on-accent).
LIGHT_GROUND: Colour = (0xE9, 0xE8, 0xE5)
DARK_GROUND: Colour = (0x34, 0x38, 0x3C)
ON_LIGHT_ACCENT: Colour = (0xFF, 0xFF, 0xFF)
ON_DARK_ACCENT: Colour = (0x0B, 0x14, 0x24)
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Accent:
    """The same hue for both themes, as `#rrggbb`."""

    light: str
    dark: str


def read_colour(text: str) -> Colour:
    """Of `#rrggbb`. Raises ValueError."""
    found = HEX.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not like #1752c4")
    red, green, blue = (int(part, 16) for part in found.groups())
    return red, green, blue


def accent(colour: Colour) -> Accent:
    """`colour`, darkened for the light theme and lightened for the dark one as little as reading needs."""
    return Accent(
        light=_text(_until_readable(colour, towards=BLACK, on=(LIGHT_GROUND, ON_LIGHT_ACCENT))),
        dark=_text(_until_readable(colour, towards=WHITE, on=(DARK_GROUND, ON_DARK_ACCENT))),
    )


def contrast(one: Colour, other: Colour) -> float:
    """From 1 (the same) to 21 (black and white)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _until_readable(colour: Colour, *, towards: Colour, on: tuple[Colour, ...]) -> Colour:
    for step in range(STEPS):
        mixed = _mix(colour, towards, step)
        if all(contrast(mixed, ground) >= ENOUGH_CONTRAST for ground in on):
            return mixed
    return towards


def _mix(colour: Colour, other: Colour, step: int) -> Colour:
    red, green, blue = (
        (mine * (STEPS - step) + its * step) // STEPS for mine, its in zip(colour, other, strict=True)
    )
    return red, green, blue


def _luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2, glossary)."""
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _text(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
