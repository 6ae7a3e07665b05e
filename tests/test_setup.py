"""The two commands: what the lock files promise, and what setup does on machines unlike this one."""

import json
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from tools import check_tracked, setup

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
OUTSIDE_LOCK = "requirements-outside.lock"


def pins(lock: str) -> dict[str, str]:
    """Each package of the lock with its version."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("lock", [*LOCKS, OUTSIDE_LOCK])
def test_a_lock_names_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert " @ " not in text
    assert not re.search(r"^\s*-", text, flags=re.MULTILINE) or set(
        re.findall(r"^\s*(-[-\w]+)", text, re.MULTILINE)
    ) == {"--hash"}
    entries = re.split(r"\n(?=[a-z])", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert len(entries) == len(pins(lock))


def test_the_development_lock_holds_the_other_one() -> None:
    """`make run` after `make test` has nothing to install."""
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()


def test_every_declared_package_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = [name for names in project["project"]["optional-dependencies"].values() for name in names]
    for declared, lock in (
        (project["project"]["dependencies"] + extras, "requirements.lock"),
        (project["dependency-groups"]["outside"], OUTSIDE_LOCK),
        (project["dependency-groups"]["dev"] + project["build-system"]["requires"], "requirements-dev.lock"),
    ):
        names = {re.match(r"[\w.-]+", line)[0].lower() for line in declared}
        assert names <= pins(lock).keys(), "run `make lock`"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no git checkout")
def test_nothing_tracked_names_a_registry_or_a_machine() -> None:
    found = check_tracked.faults(check_tracked.tracked_files())
    assert not [f"{path.relative_to(ROOT)}:{line}: {sentence}" for path, line, sentence in found]


@pytest.mark.parametrize(
    "line", ["index-url" + " = https://mirror.example/", "see /ho" + "me/jeanne/portal", "py" + "pi.org"]
)
def test_the_check_of_tracked_files_sees(line: str, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text(f"one\n{line}\n")
    assert [number for _path, number, _sentence in check_tracked.faults([path])] == [2]


# --- setup ------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what setup reads, and setup looking at it."""
    for name in (*LOCKS, "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup, "VENV_PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(setup, "STAMP", tmp_path / ".venv" / "portal-setup.json")
    return tmp_path


@pytest.fixture
def installed(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An installation that writes down what it would install."""
    locks: list[str] = []

    def make_venv() -> None:
        setup.VENV_PYTHON.parent.mkdir(parents=True)
        setup.VENV_PYTHON.touch()
        setup.site_packages().mkdir(parents=True)

    monkeypatch.setattr(setup, "make_venv", make_venv)
    monkeypatch.setattr(setup, "install_packages", lambda lock: locks.append(lock.name))
    monkeypatch.setattr(setup, "compile_bytecode", lambda: None)
    return locks


def test_a_second_setup_installs_nothing(installed: list[str]) -> None:
    setup.install("run")
    setup.install("run")
    assert installed == ["requirements.lock"]


def test_a_run_after_the_tests_installs_nothing(installed: list[str]) -> None:
    setup.install("dev")
    setup.install("run")
    assert installed == ["requirements-dev.lock"]


def test_a_changed_lock_is_installed_again(installed: list[str], checkout: Path) -> None:
    setup.install("run")
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    setup.install("run")
    assert installed == ["requirements.lock", "requirements.lock"]


def test_a_setup_that_was_cut_short_is_done_again(
    installed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(setup, "compile_bytecode", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            setup.install("run")
    setup.install("run")
    assert len(installed) == 2


def test_the_portal_command_is_there(installed: list[str], checkout: Path) -> None:
    setup.install("run")
    command = checkout / ".venv" / "bin" / "portal"
    assert os.access(command, os.X_OK)
    assert "from portal.commands.cli import main" in command.read_text()
    assert (setup.site_packages() / "portal-checkout.pth").read_text() == f"{checkout}\n"


def test_no_network_is_said_in_one_sentence() -> None:
    script = "import sys; sys.exit('error sending request: dns error: Name or service not known')"
    with pytest.raises(setup.SetupError, match=r"cannot be reached: is this machine online\?$"):
        setup.finish([sys.executable, "-c", script], "installing requirements.lock")


def test_a_missing_venv_module_names_the_package(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "uv", lambda: None)
    monkeypatch.setattr(setup, "apt_install", lambda *packages: False)
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(setup.SetupError, match=r"apt-get install python3\.\d+-venv"):
        setup.make_venv()


def test_missing_postgresql_stops_ci_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup, "postgresql_binaries", lambda: None)
    monkeypatch.setattr(setup, "apt_install", lambda *packages: False)
    monkeypatch.setattr(setup, "is_root", lambda: False)
    monkeypatch.delenv("CI", raising=False)
    setup.ensure_postgresql()
    assert "SKIPPED" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    with pytest.raises(setup.SetupError, match="may not be skipped"):
        setup.ensure_postgresql()


def test_missing_judges_stop_ci_and_nobody_else(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(command: list[str], act: str) -> None:
        raise setup.SetupError(f"{act} failed: there is no wheel")

    (checkout / OUTSIDE_LOCK).write_bytes((ROOT / OUTSIDE_LOCK).read_bytes())
    monkeypatch.setattr(setup, "OUTSIDE", checkout / ".venv-outside")
    monkeypatch.setattr(setup, "finish", fail)
    monkeypatch.setattr(setup.shutil, "which", lambda program: None)
    monkeypatch.setattr(setup, "apt_install", lambda *packages: False)
    monkeypatch.delenv("CI", raising=False)
    setup.ensure_outside()
    told = capsys.readouterr().out
    assert told.count("SKIPPED") == 3
    assert all(missing in told for missing in ("there is no wheel", "qpdf", "poppler-utils"))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(setup.SetupError, match="may not be skipped"):
        setup.ensure_outside()


def test_the_judges_are_installed_once(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def note(command: list[str], act: str) -> None:
        done.append(act)
        (checkout / ".venv-outside" / "bin").mkdir(parents=True, exist_ok=True)
        (checkout / ".venv-outside" / "bin" / "python").touch()

    (checkout / OUTSIDE_LOCK).write_text("one\n")
    monkeypatch.setattr(setup, "OUTSIDE", checkout / ".venv-outside")
    monkeypatch.setattr(setup, "finish", note)
    setup.install_outside()
    setup.install_outside()
    assert done == ["making .venv-outside", f"installing {OUTSIDE_LOCK}"]
    (checkout / OUTSIDE_LOCK).write_text("two\n")
    setup.install_outside()
    assert len(done) == 4


def test_a_browser_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    with pytest.raises(setup.SetupError, match="CHROMIUM names /nowhere/chromium"):
        setup.ensure_browser()


def test_the_tests_take_the_browser_without_windows_and_the_benchmark_the_whole_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.chromium_for_tests() is None
    whole, shell = tmp_path / "chromium", tmp_path / "chromium-headless-shell"
    whole.touch(mode=0o755)
    assert setup.chromium_for_tests() == str(whole)
    shell.touch(mode=0o755)
    assert setup.chromium_for_tests() == str(shell)
    assert setup.chromium() == str(whole)
    monkeypatch.setenv("CHROMIUM", "/mine/chromium")
    assert setup.chromium() == setup.chromium_for_tests() == "/mine/chromium"


@pytest.mark.skipif(not setup.STAMP.exists(), reason="this environment was not made by setup")
def test_setup_takes_no_time_when_there_is_nothing_to_do() -> None:
    stamp = json.loads(setup.STAMP.read_text())
    if not setup.fingerprints("dev").items() <= stamp.items():
        pytest.skip("the lock changed since setup ran")
    started = time.monotonic()
    subprocess.run([sys.executable, ROOT / "tools" / "setup.py", "dev"], check=True)
    assert time.monotonic() - started < 2


def test_help_names_every_target() -> None:
    shown = subprocess.run(
        ["make", "--silent", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert all(f"make {target} " in shown for target in targets)
