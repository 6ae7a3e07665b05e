"""The floors of the house, read from the source: who may import whom, and what may be done where.

commands, worker, routes → web, forms → services → {models, gateways, documents, mail, outbox} → words,
database → domain; and no circle anywhere.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from portal.words.i18n import lazy_gettext
from tools import lint_templates

ROOT = Path(__file__).resolve().parent.parent
PORTAL = ROOT / "portal"

# Each floor and those that it may import besides itself and the domain; "portal" is portal/__init__.py.
GROUND = {"clock", "logs", "runtime", "settings"}
DATA = {"database", "models", "words", *GROUND}
MAY_IMPORT: dict[str, set[str]] = {
    "domain": set(),
    "clock": set(),
    "logs": set(),
    "settings": set(),
    "runtime": {"clock", "gateways", "settings"},
    "gateways": {"clock"},
    "database": set(),
    "words": {"runtime"},
    "documents": {"words"},
    "models": {"database"},
    "outbox": DATA,
    "mail": DATA | {"outbox"},
    "services": DATA | {"documents", "gateways", "mail", "outbox"},
}
MAY_IMPORT["forms"] = MAY_IMPORT["services"] | {"services"}
MAY_IMPORT["web"] = MAY_IMPORT["services"] | {"services"}
MAY_IMPORT["worker"] = MAY_IMPORT["services"] | {"services", "portal"}
MAY_IMPORT["routes"] = MAY_IMPORT["services"] | {"services", "forms", "web"}
MAY_IMPORT["portal"] = MAY_IMPORT["routes"] | {"routes", "worker"}
MAY_IMPORT["commands"] = MAY_IMPORT["portal"] | {"portal"}
MOST_LOOSE_MODULES = 8

# One area, one word on every floor. The second set stands on some floors only.
AREAS = {
    "billing",
    "checkout",
    "invoices",
    "members",
    "operator",
    "payments",
    "people",
    "plans",
    "public",
    "requests",
    "sandbox",
    "subscriptions",
    "workspace",
}
WORDS_OF_A_FLOOR = {
    # What several areas stand on, and what no page shows.
    "services": {
        "audit",
        "catalogue",
        "demo",
        "exchange_rates",
        "ledger",
        "letters",
        "open_money",
        "orders",
        "places",
        "renewals",
        "request_ends",
        "tokens",
        "upkeep",
    },
    "routes": set(),
    # Pieces of forms that two areas share.
    "forms": {"addresses", "base", "billing_details", "cards", "contacts", "time_zones"},
    "templates": {"email", "error", "layout", "layout_plain", "ui"},
    "tests/services": {
        "exchange_rates",
        "ledger",
        "letters",
        "outbox",
        "renewals",
        "upkeep",
        "catalogue",
        "demo",
    },
    "tests/routes": {"card_numbers", "hostile_input", "query_counts"},
    "tests/forms": {"base", "conftest", "billing_details", "cards", "card_numbers"},
}
VIEW_DECORATORS = {"route", "get", "post"}
ACCESS_DECORATORS = {"public", "signed_in", "operators_only", "workspace_right", "token", "signature"}
MACHINE_TIME = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
}


class Module(NamedTuple):
    path: Path
    tree: ast.Module

    @property
    def name(self) -> str:
        """The dotted name below `portal`: `services.plans`; empty for portal/__init__.py itself."""
        return (
            ".".join(self.path.relative_to(PORTAL).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        )

    @property
    def floor(self) -> str:
        return self.name.partition(".")[0] or "portal"

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))


@cache
def modules() -> tuple[Module, ...]:
    return tuple(
        Module(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(PORTAL.rglob("*.py"))
    )


def found(module: Module, node: ast.AST, sentence: str) -> str:
    return f"{module}:{node.lineno}: {sentence}"


def imports(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """Each imported module with its full name, `portal.…` for our own, those inside functions too."""
    package = ["portal", *module.name.split(".")] if module.name else ["portal"]
    if module.path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            origin = ".".join(part for part in (base, node.module) if part)
            for alias in node.names:
                yield node, f"{origin}.{alias.name}"


@cache
def for_types_only(module: Module) -> set[int]:
    """Lines under `if TYPE_CHECKING:`, which import nothing when the program runs."""
    return {
        line
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Each call with what is called as it is written, `database.atomic`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


# --- floors ---------------------------------------------------------------------------------------


def floor_of(name: str) -> str:
    """The floor of a full name such as `portal.services.plans.usage_of`."""
    word = name.split(".")[1]
    return word if (PORTAL / word).is_dir() or (PORTAL / f"{word}.py").exists() else "portal"


def test_imports_point_downwards() -> None:
    wrong = [
        found(module, node, f"{module.floor} imports {name}")
        for module in modules()
        for node, name in imports(module)
        if name.startswith("portal.") and node.lineno not in for_types_only(module)
        if floor_of(name) not in MAY_IMPORT[module.floor] | {module.floor, "domain"}
    ]
    assert not wrong, "\n".join(wrong)


def test_every_module_stands_on_a_floor() -> None:
    strangers = {module.floor for module in modules()} - set(MAY_IMPORT)
    assert not strangers, f"say in tests/test_architecture.py where these stand: {sorted(strangers)}"


def test_few_modules_stand_loose() -> None:
    loose = sorted(path.name for path in PORTAL.glob("*.py"))
    assert len(loose) <= MOST_LOOSE_MODULES, f"give one of these a room: {loose}"


@cache
def imported_modules() -> dict[str, set[str]]:
    """Each module's full name and the modules that it imports, those for types and in functions too."""
    names = {f"portal.{module.name}".rstrip("."): module for module in modules()}
    return {
        name: {
            imported if imported in names else imported.rpartition(".")[0]
            for _node, imported in imports(module)
            if imported.startswith("portal.")
        }
        - {name}
        for name, module in names.items()
    }


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """The names on one circle of the arrows, in order; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        for after in sorted(arrows.get(name, ())):
            if found_circle := walk(after, [*path, name]):
                return found_circle
        done.add(name)
        return []

    return next(filter(None, (walk(name, []) for name in sorted(arrows))), [])


def test_no_two_files_import_each_other() -> None:
    assert circle(imported_modules()) == []


def test_no_two_folders_import_each_other() -> None:
    """In each folder: what its files and folders import of one another, files and folders alike."""
    folders = {name.rpartition(".")[0] for name in imported_modules()} - {""}
    for folder in sorted(folders):
        arrows: dict[str, set[str]] = {}
        for name, taken in imported_modules().items():
            if name.startswith(f"{folder}."):
                room = name.removeprefix(f"{folder}.").split(".")[0]
                rooms = {
                    other.removeprefix(f"{folder}.").split(".")[0]
                    for other in taken
                    if other.startswith(f"{folder}.")
                }
                arrows.setdefault(room, set()).update(rooms - {room})
        assert circle(arrows) == [], f"a circle in {folder}"


@pytest.mark.parametrize(
    ("arrows", "found_circle"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"a"}}, ["a", "b"]),
        ({"a": {"b", "c"}, "b": set(), "c": {"d"}, "d": {"c"}}, ["c", "d"]),
        ({"a": {"a"}}, ["a"]),
    ],
)
def test_a_circle_is_seen(arrows: dict[str, set[str]], found_circle: list[str]) -> None:
    assert circle(arrows) == found_circle


@pytest.mark.parametrize("floor", list(WORDS_OF_A_FLOOR))
def test_an_area_has_one_word_on_every_floor(floor: str) -> None:
    folder = ROOT / floor if floor.startswith("tests/") else PORTAL / floor
    rooms = {
        path.stem.removeprefix("test_") for path in folder.iterdir() if not path.name.startswith(("__", "."))
    }
    strangers = rooms - AREAS - WORDS_OF_A_FLOOR[floor]
    assert not strangers, f"{floor}: neither an area nor known to this floor: {sorted(strangers)}"


@pytest.mark.parametrize(
    ("floor", "foreign"),
    [
        (
            "domain",
            {"flask", "flask_babel", "flask_login", "peewee", "playhouse", "werkzeug", "sqlite3", "huey"},
        ),
        ("gateways", {"flask", "flask_babel", "flask_login", "peewee", "playhouse"}),
        ("documents", {"flask", "peewee", "playhouse"}),
        ("services", {"flask", "flask_babel", "flask_login", "flask_wtf", "werkzeug", "wtforms"}),
    ],
)
def test_a_pure_floor_knows_no_framework(floor: str, foreign: set[str]) -> None:
    wrong = [
        found(module, node, f"{floor} imports {name}")
        for module in modules()
        if module.floor == floor
        for node, name in imports(module)
        if name.partition(".")[0] in foreign or (floor == "domain" and name.startswith("portal.clock"))
    ]
    assert not wrong, "\n".join(wrong)


# --- transactions, time, money --------------------------------------------------------------------


def test_only_services_open_transactions() -> None:
    """The outbox has its own: taking and settling a lease is no act of a person."""
    wrong = [
        found(module, node, f"{called}() outside services/")
        for module in modules()
        if module.floor not in ("services", "outbox", "database")
        for node, called in calls(module)
        if called in ("transaction", "database.transaction", "database.atomic", "atomic")
    ]
    assert not wrong, "\n".join(wrong)


def test_services_open_transactions_through_transaction() -> None:
    wrong = [
        found(module, node, f"{called}() instead of transaction()")
        for module in modules()
        if module.floor == "services"
        for node, called in calls(module)
        if called.endswith((".atomic", ".savepoint", ".begin"))
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_clock_asks_the_machine_for_the_time() -> None:
    wrong = [
        found(module, node, f"{called}() instead of the clock")
        for module in modules()
        if module.floor != "clock"
        for node, called in calls(module)
        if tuple(called.split(".")[-2:]) in MACHINE_TIME
    ]
    assert not wrong, "\n".join(wrong)


def test_the_domain_counts_in_integers_and_fractions() -> None:
    """A float is refused, not read: `case float()` and isinstance are fine, making one is not."""
    wrong = []
    for module in modules():
        if module.floor != "domain" or module.name == "domain.money":
            continue
        for node, called in calls(module):
            if called in ("float", "round", "Decimal", "decimal.Decimal"):
                wrong.append(found(module, node, f"{called}()"))
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                wrong.append(found(module, node, f"{node.value} is a float"))
            annotation = getattr(node, "annotation", None) or getattr(node, "returns", None)
            if annotation is not None and re.search(r"\b(float|Decimal)\b", ast.unparse(annotation)):
                wrong.append(found(module, node, ast.unparse(annotation)))
    assert not wrong, "\n".join(wrong)


# --- errors, routes, templates --------------------------------------------------------------------


def test_nothing_swallows_every_exception() -> None:
    """`except Exception` raises again, or is a boundary that says so: `# The boundary: why`."""
    wrong = []
    for module in modules():
        lines = module.path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = ast.unparse(node.type) if node.type else "everything"
            if caught not in ("everything", "Exception", "BaseException"):
                continue
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            named = any("# The boundary:" in line for line in lines[node.lineno - 2 : node.lineno + 1])
            if not (raises or named):
                wrong.append(found(module, node, f"swallows {caught}"))
    assert not wrong, "\n".join(wrong)


QUERIES = {
    "create",
    "delete",
    "execute",
    "get_by_id",
    "get_or_create",
    "get_or_none",
    "insert",
    "insert_many",
    "raw",
    "select",
    "update",
}
MOST_NAMES_OF_A_PAGE = 5


def test_no_route_asks_the_database() -> None:
    """A query has a name, on a model or in a service."""
    models = {
        node.name
        for module in modules()
        if module.name == "models"
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
    }
    wrong = [
        found(module, node, f"{called}()")
        for module in modules()
        if module.floor in ("routes", "forms")
        for node, called in calls(module)
        if called.partition(".")[0] in models and called.rpartition(".")[2] in QUERIES | {"get"}
    ]
    assert not wrong, "\n".join(wrong)


def test_a_page_gets_one_object() -> None:
    """More than a few names are the fields of a frozen dataclass, and none of them is a function."""
    wrong = []
    for module in modules():
        if module.floor != "routes":
            continue
        for node, called in calls(module):
            names = [keyword.arg for keyword in node.keywords if keyword.arg != "status"]
            if called == "render" and len(names) > MOST_NAMES_OF_A_PAGE:
                wrong.append(found(module, node, f"{len(names)} names: {names}"))
            inner = (each for value in node.keywords for each in ast.walk(value))
            if called.endswith(("render", "Page", "View")) and any(
                isinstance(each, ast.Lambda) for each in inner
            ):
                wrong.append(found(module, node, "a function is not ready to print"))
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Page"):
                decorators = [ast.unparse(each) for each in node.decorator_list]
                if decorators != ["dataclass(frozen=True, slots=True)"]:
                    wrong.append(found(module, node, f"{node.name} can be changed"))
                if "Callable" in ast.unparse(node):
                    wrong.append(found(module, node, f"{node.name} holds a function"))
    assert not wrong, "\n".join(wrong)


def test_what_is_no_post_writes_nothing() -> None:
    """A HEAD is no GET, and carries no token: a view asks whether it is a POST."""
    wrong = [
        str(path.relative_to(ROOT))
        for path in (PORTAL / "routes").rglob("*.py")
        if 'request.method == "GET"' in path.read_text(encoding="utf-8")
    ]
    assert wrong == []


def test_a_lazy_sentence_is_escaped(app) -> None:
    """Flask-Babel's own would be taken for markup, with what somebody typed in it."""
    lazy = lazy_gettext("This is not the name of the workspace: %(name)s.", name="<script>")
    with app.test_request_context("/?lang=en"):
        assert "&lt;script&gt;" in app.jinja_env.from_string("{{ lazy }}").render(lazy=lazy)
    wrong = [
        str(path.relative_to(ROOT))
        for path in PORTAL.rglob("*.py")
        if re.search(r"from flask_babel import .*lazy", path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_every_view_declares_who_may_open_it() -> None:
    wrong = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.FunctionDef):
                continue
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            names = [re.split(r"[.(]", re.sub(r"\(.*", "", text, flags=re.DOTALL))[-1] for text in decorators]
            is_view = any(
                "(" in text and name in VIEW_DECORATORS for text, name in zip(decorators, names, strict=True)
            )
            if is_view and sum(name in ACCESS_DECORATORS for name in names) != 1:
                wrong.append(
                    found(module, node, f"{node.name} needs exactly one of {sorted(ACCESS_DECORATORS)}")
                )
    assert not wrong, "\n".join(wrong)


@pytest.mark.engine("sqlite")
def test_every_address_has_a_declared_access(app) -> None:
    """As the running application sees it: also for views that were added without a decorator."""
    undeclared = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not hasattr(app.view_functions[rule.endpoint], "access")
    }
    assert not undeclared


def test_templates_hold_nothing_that_the_policy_blocks() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {advice}"
        for path in sorted(lint_templates.TEMPLATES.rglob("*.html"))
        for line, advice in lint_templates.faults(path)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "template",
    [
        '<p style="color: red">',
        "<style>p { color: red }</style>",
        "<script>alert(1)</script>",
        '<a onclick="go()">',
        '<a\n   onclick="go()">',
        "<a hx-on:click='go()'>",
        '<div hx-vals="js:{a: 1}">',
        '<a href="javascript:go()">',
        '<div hx-trigger="click[ctrlKey]">',
        '<form hx-post="https://elsewhere.example/">',
        '<div hx-ext="morph">',
        '<button hx-disabled-elt="this">',
        '<button hx-delete="/contacts/1">',
        "{{ name | safe }}",
        "{{ name|safe }}",
        "{% if htmx %}",
    ],
)
def test_the_template_check_sees(template: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(f"<h1>Plans</h1>\n{template}\n")
    assert list(lint_templates.faults(path))


@pytest.mark.parametrize(
    "template",
    [
        "<script src=\"{{ asset('app.js') }}\" defer></script>",
        '{{ ui.button(_("Continue"), on=day, style="quiet") }}',
        '<td data-state="late">',
        "{# style= is blocked #}",
        '<form hx-post="{{ url_for("plans.order") }}" hx-trigger="change delay:300ms" hx-disable="this">',
        "<p>Turn renewal on = keep it going</p>",
    ],
)
def test_the_template_check_passes(template: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(template)
    assert list(lint_templates.faults(path)) == []


def test_a_mail_may_carry_a_style_sheet(tmp_path: Path) -> None:
    (tmp_path / "email").mkdir()
    path = tmp_path / "email" / "receipt.html"
    path.write_text("<style>p { color: red }</style>")
    assert list(lint_templates.faults(path)) == []
