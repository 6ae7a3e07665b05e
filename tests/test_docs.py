"""The pages about the project say what the code does: settings, commands, cards, decisions, words."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from portal import models
from portal.commands import cli
from portal.domain import vocabulary
from portal.gateways.sandbox.methods import MAGIC_CARDS, MAGIC_IBANS, MAGIC_PAYPAL
from portal.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
SECTIONS = ("## Context", "## Decision", "## Refused", "## Consequences")
WORDS_WE_AVOID = {"seat", "seats", "tenant", "wallet", "basket"}


class Asked(dict[str, str]):
    """An environment that is empty but for the secret key, and remembers what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.defaults: dict[str, str] = {}

    def get(self, name: str, default: str = "") -> str:
        self.defaults[name] = default
        return "only-for-tests-" * 4 if name == "PORTAL_SECRET_KEY" else default


def asked_settings() -> dict[str, str]:
    """Each variable that settings.py reads, with its default."""
    environ = Asked()
    read_settings(environ)
    return environ.defaults


def cells(page: str) -> Iterator[list[str]]:
    """The cells of each row of each table."""
    for line in page.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def commands(group: click.Group, name: str) -> Iterator[str]:
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")
        elif not command.hidden:
            yield f"{name} {word}"


# --- README ---------------------------------------------------------------------------------------


def test_readme_has_every_setting_with_its_default() -> None:
    told = {row[0].strip("`"): row[1] for row in cells(README) if row[0].startswith("`PORTAL_")}
    real = {
        name: f"`{default}`".replace("\n", "\\n") if default else "unset"
        for name, default in asked_settings().items()
    }
    assert told == real


def test_no_setting_is_read_elsewhere() -> None:
    named = {
        name
        for path in (ROOT / "portal").rglob("*.py")
        for name in re.findall(r"PORTAL_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))
    }
    assert named <= set(asked_settings())


def test_readme_has_every_command() -> None:
    told = [row[0].strip("`") for row in cells(README) if row[0].startswith("`portal ")]
    missing = [
        command
        for command in commands(cli.portal, "portal")
        if not any(f"{line} ".startswith(f"{command} ") for line in told)
    ]
    invented = [
        line
        for line in told
        if not any(f"{line} ".startswith(f"{command} ") for command in commands(cli.portal, "portal"))
    ]
    assert (missing, invented) == ([], [])


@pytest.mark.parametrize(
    "entry", [*MAGIC_CARDS, *MAGIC_PAYPAL, *MAGIC_IBANS], ids=lambda entry: entry.display
)
def test_readme_says_what_each_card_of_the_sandbox_does(entry) -> None:
    told = {row[-2]: row[-1] for row in cells(README) if len(row) > 1}
    assert told.get(f"`{entry.display}`") == entry.description


# --- decisions ------------------------------------------------------------------------------------


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{n:04d}" for n in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name[:4])
def test_a_decision_fits_a_page_and_says_what_was_refused(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if not path.name.startswith("0010"):
        assert [section for section in SECTIONS if section not in text] == []
    assert len(text.splitlines()) <= 80


def test_every_decision_that_is_named_exists() -> None:
    names = {path.name for path in DECISIONS}
    missing = []
    for folder in ("portal", "tools", "tests", "bench"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"docs/adr/(\d[\w.-]*\w)", path.read_text(encoding="utf-8")):
                if name not in names and name not in {known[:4] for known in names}:
                    missing.append(f"{path.relative_to(ROOT)}: {name}")
    assert missing == []


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    (page,) = (path for path in DECISIONS if path.name.startswith("0010"))
    told = {row[0].split(" ")[0] for row in cells(page.read_text(encoding="utf-8"))}
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in wanted}
    assert names - told == set()


# --- words ----------------------------------------------------------------------------------------


def spoken(name: str) -> str:
    """`BillingDetails` as it is said: billing details."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def test_the_glossary_has_every_table() -> None:
    words = {word.strip().lower() for row in cells(GLOSSARY) for word in row[0].split("/")}
    missing = {spoken(model.__name__) for model in models.ALL_MODELS} - words
    assert missing == set()


def test_the_glossary_has_every_value_that_is_stored() -> None:
    told = {row[0]: set(re.findall(r"`([\w.]+)`", row[-1])) for row in cells(GLOSSARY)}
    real = {
        name: {str(value) for value in words}
        for name, words in vars(vocabulary).items()
        if isinstance(words, type) and words.__module__ == vocabulary.__name__
    }
    assert {name: told.get(name) for name in real} == real


def test_no_name_in_the_code_is_a_word_that_we_avoid() -> None:
    wrong = []
    for path in (ROOT / "portal").rglob("*.py"):
        for name in re.findall(r"(?:class|def) (\w+)", path.read_text(encoding="utf-8")):
            if WORDS_WE_AVOID & set(spoken(name).replace("_", " ").split()):
                wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []


# --- pages ----------------------------------------------------------------------------------------


def test_links_between_the_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if not target.startswith("https://") and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []
