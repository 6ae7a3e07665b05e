"""What others wrote, run as processes or read as data: they are in an environment of their own.

`.venv-outside` at the root of the repository, by requirements-outside.lock; without it these tests are
skipped, by name.
"""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = ROOT / ".venv-outside"


@pytest.fixture(scope="session")
def outside():
    """`outside("mock-bank")`: the program of that name in the environment of others."""

    def program(name: str) -> str:
        found = shutil.which(name, path=str(OUTSIDE / "bin"))
        if found is None:
            pytest.skip(f"OUTSIDE NOT TESTED: {name} is not in .venv-outside (requirements-outside.lock)")
        return found

    return program
