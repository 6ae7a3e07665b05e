"""Stories take turns among their readers, and in every run each two choices of a reader still meet."""

import os
import re
import subprocess
import sys
from itertools import combinations, product
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
READER = re.compile(r"(en|fr)-(scripts|plain)-(1280|360)-(light|dark)")
CHOICES = (("en", "fr"), ("scripts", "plain"), ("1280", "360"), ("light", "dark"))


@pytest.fixture(autouse=True)
def watch() -> None:
    """No browser is opened here."""


def stories(**environment: str) -> list[str]:
    """The ids of the stories that a run would tell."""
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/browser"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**{name: value for name, value in os.environ.items() if name != "FULL"}, **environment},
    )
    return [line for line in listed.stdout.splitlines() if "::" in line]


def test_each_story_is_told_and_every_two_choices_meet() -> None:
    told, full = stories(), stories(FULL="1")
    assert {READER.sub("", story) for story in told} == {READER.sub("", story) for story in full}
    assert len(told) < len(full)
    readers = [found.groups() for story in told if (found := READER.search(story))]
    met = {pair for reader in readers for pair in combinations(reader, 2)}
    meant = {pair for one, other in combinations(CHOICES, 2) for pair in product(one, other)}
    assert met == meant
