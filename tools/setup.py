"""Make this checkout ready to run or to test, with nothing but Python's own library.

    python3 tools/setup.py [run | dev] [--browser] [--postgresql] [--exim] [--outside] [--recreate]

A second run with the same lock file does nothing and takes a tenth of a second.
"""

import argparse
import contextlib
import functools
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time

# An older Python only looks for a newer one.
if sys.version_info < (3, 11):  # noqa: UP036
    for newer in ("python3.14", "python3.13", "python3.12", "python3.11"):
        found = shutil.which(newer)
        if found and subprocess.call([found, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execv(found, [found, *sys.argv])
    version = platform.python_version()
    sys.exit(
        f"Portal needs Python 3.11 or newer, not {version}: install one, then `make PYTHON=python3.11 …`."
    )

import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "portal-setup.json"
OUTSIDE = ROOT / ".venv-outside"
OUTSIDE_LOCK = "requirements-outside.lock"
LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
SERIES = f"{sys.version_info.major}.{sys.version_info.minor}"
# Raise it when an environment made by an older version of this file must be finished again.
LAYOUT = 1

NO_NETWORK_SIGNS = (
    "connection refused",
    "connecttimeout",
    "could not resolve",
    "dns error",
    "failed to establish",
    "name or service not known",
    "network is unreachable",
    "no route to host",
    "temporary failure in name resolution",
    "error sending request",
    "cannot connect to proxy",
)
CONSOLE_SCRIPT = """\
#!/bin/sh
'''exec' "$(dirname -- "$(realpath -- "$0")")/python" "$0" "$@"
' '''
import sys

from {module} import {function}

sys.exit({function}())
"""


class SetupError(Exception):
    """What is wrong and what to do about it, in one sentence for the person at the terminal."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="setup.py", description="Make this checkout ready to run or to test."
    )
    parser.add_argument("group", nargs="?", choices=tuple(LOCKS), default="run")
    parser.add_argument("--browser", action="store_true", help="find or install a browser for the tests")
    parser.add_argument("--postgresql", action="store_true", help="find or install PostgreSQL's programs")
    parser.add_argument("--exim", action="store_true", help="find or install the mail server of the tests")
    parser.add_argument("--outside", action="store_true", help="install what others wrote as judges")
    parser.add_argument("--recreate", action="store_true", help="throw .venv away first")
    chosen = parser.parse_args(arguments)
    try:
        with one_at_a_time():
            install(chosen.group, recreate=chosen.recreate)
            compile_translations()
            if chosen.browser:
                ensure_browser()
            if chosen.postgresql:
                ensure_postgresql()
            if chosen.exim:
                ensure_exim()
            if chosen.outside:
                ensure_outside()
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two `make` in one checkout wait for each other; the lock dies with its process."""
    import fcntl

    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


# --- the environment ----------------------------------------------------------------------------


def install(group: str, *, recreate: bool = False) -> None:
    """Bring .venv to what the group's lock file says; nothing is done where it is there already."""
    wanted = fingerprints(group)
    stamp = read_stamp()
    if not recreate and VENV_PYTHON.exists() and wanted.items() <= stamp.items():
        return
    started = time.monotonic()
    STAMP.unlink(missing_ok=True)
    if recreate or not is_usable_venv():
        make_venv()
    say(f"installing {LOCKS[group]} into .venv …")
    install_packages(ROOT / LOCKS[group])
    link_project()
    compile_bytecode()
    STAMP.write_text(json.dumps(wanted))
    say(f"ready in {time.monotonic() - started:.1f} s.")


def fingerprints(group: str) -> dict[str, str]:
    """What the stamp says once `group` is installed. The development lock holds the other one too."""
    facts = {"layout": str(LAYOUT), "python": SERIES, "root": str(ROOT)}
    for name in LOCKS if group == "dev" else (group,):
        facts[name] = hashlib.sha256((ROOT / LOCKS[name]).read_bytes()).hexdigest()
    return facts


def read_stamp() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def is_usable_venv() -> bool:
    """An environment of the Python that runs this file, whoever made it."""
    return VENV_PYTHON.exists() and site_packages().is_dir()


def site_packages() -> Path:
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(VENV), "platbase": str(VENV)}))


def make_venv() -> None:
    if VENV.exists():
        say(f"making .venv anew for Python {SERIES} …")
        shutil.rmtree(VENV)
    installer = uv()
    if installer:
        finish([installer, "venv", "--quiet", "--python", sys.executable, str(VENV)], "making .venv")
        return
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{SERIES}-venv"
        if not apt_install(package):
            raise SetupError(
                f"Python has no venv module here: install it (`apt-get install {package}`), or install uv."
            )
    finish([sys.executable, "-m", "venv", str(VENV)], "making .venv")


def install_packages(lock: Path) -> None:
    """Wheels only, each with the hash that the lock names; no dependency is added to it."""
    exact = ["--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)]
    installer = uv()
    if installer:
        finish([installer, "pip", "install", "--python", str(VENV_PYTHON), *exact], f"installing {lock.name}")
        return
    if not (site_packages() / "pip").is_dir():
        finish([str(VENV_PYTHON), "-m", "ensurepip"], "adding pip to .venv")
    pip = [str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check"]
    finish([*pip, "install", "--no-compile", *exact], f"installing {lock.name}")


def link_project() -> None:
    """Put this checkout on the environment's path and its commands beside Python.

    Stands in for `pip install --editable`, which would need the build backend in every installation.
    """
    (site_packages() / "portal-checkout.pth").write_text(f"{ROOT}\n")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    for name, target in scripts.items():
        module, _, function = target.partition(":")
        script = VENV_PYTHON.with_name(name)
        script.write_text(CONSOLE_SCRIPT.format(module=module, function=function))
        script.chmod(0o755)


def compile_bytecode() -> None:
    """Three times faster starts where PYTHONDONTWRITEBYTECODE is exported, which `make` also drops.

    A file that does not compile is no fault: packages carry some for other versions of Python.
    """
    folders = [str(site_packages()), str(ROOT / "portal")]
    subprocess.run(
        [str(VENV_PYTHON), "-m", "compileall", "-qq", "-j", "0", *folders],
        env=clean_environment(),
        check=False,
    )


def compile_translations() -> None:
    """The catalogs that Babel reads at run time, where a translation is newer than its own."""
    folder = ROOT / "portal" / "translations"
    for catalog in folder.glob("*/LC_MESSAGES/*.po"):
        compiled = catalog.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < catalog.stat().st_mtime:
            pybabel = [str(VENV_PYTHON), "-m", "babel.messages.frontend"]
            finish(
                [*pybabel, "--quiet", "compile", "-i", str(catalog), "-o", str(compiled)],
                f"compiling {catalog}",
            )


# --- programs that are no Python packages -------------------------------------------------------


HEADLESS_SHELL = "chromium-headless-shell"
"""Chromium without windows, as Playwright's own is: it takes a third less of the processor."""


def chromium() -> str | None:
    """The whole browser for the benchmark, unless Playwright's own is used."""
    return (
        os.environ.get("CHROMIUM")
        or shutil.which("chromium")
        or shutil.which("google-chrome")
        or shutil.which(HEADLESS_SHELL)
    )


def chromium_for_tests() -> str | None:
    """The browser for the tests, unless Playwright's own is used."""
    return os.environ.get("CHROMIUM") or shutil.which(HEADLESS_SHELL) or chromium()


def has_playwright_chromium() -> bool:
    default = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or f"{default}/ms-playwright"
    return any(Path(folder).expanduser().glob("chromium-*/INSTALLATION_COMPLETE"))


def ensure_browser() -> None:
    """A browser, and Playwright's driver able to start it; looked at once for each installation."""
    browser = chromium_for_tests()
    if browser and shutil.which(browser) is None:
        raise SetupError(f"CHROMIUM names {browser}, which is no program that can be run.")
    if browser and read_stamp().get("browser") == browser:
        return
    playwright = [str(VENV_PYTHON), "-m", "playwright"]
    is_settled = "CHROMIUM" in os.environ or shutil.which(HEADLESS_SHELL) is not None
    if not (
        is_settled
        or (browser is None and has_playwright_chromium())
        or apt_install(HEADLESS_SHELL, "fonts-liberation")
        or browser
        or apt_install("chromium", "fonts-liberation")
    ):
        say("fetching Playwright's Chromium …")
        with_libraries = ["--with-deps"] if is_root() else []
        if run([*playwright, "install", *with_libraries, "chromium"]).returncode != 0:
            raise SetupError("No browser for the page tests: install Chromium, or set CHROMIUM to its path.")
    # The driver is a Node of its own, which minimal systems lack a library for.
    if run([*playwright, "--version"]).returncode != 0:
        apt_install("libatomic1")
    finish([*playwright, "--version"], "starting Playwright's driver")
    STAMP.write_text(json.dumps(read_stamp() | {"browser": chromium_for_tests() or "playwright"}))


def postgresql_binaries() -> Path | None:
    """The folder of initdb and postgres: the newest that Debian's packages hold, else the PATH's."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def ensure_postgresql() -> None:
    if postgresql_binaries() is not None:
        return
    with no_main_cluster():
        apt_install("postgresql")
    if postgresql_binaries() is not None:
        return
    sentence = "PostgreSQL's programs (initdb, postgres) are missing: install the package postgresql"
    if os.environ.get("CI") == "true":
        raise SetupError(f"{sentence}; with CI=true its tests may not be skipped.")
    say(f"{sentence}. Until then its tests are SKIPPED.")


def ensure_exim() -> None:
    """The mail server whose reports the tests read; not installed beside another, which it would replace."""
    program, another = Path("/usr/sbin/exim4"), Path("/usr/sbin/sendmail")
    if program.exists():
        return
    if is_root() and not another.exists():
        with no_services():
            apt_install("exim4-daemon-light")
    if program.exists():
        return
    sentence = "exim4 is missing: install the package exim4-daemon-light"
    if os.environ.get("CI") == "true":
        raise SetupError(f"{sentence}; with CI=true its test may not be skipped.")
    say(f"{sentence}. Until then its test is SKIPPED.")


@contextlib.contextmanager
def no_services() -> Iterator[None]:
    """Debian starts what it installs, unless this file says no."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def ensure_outside() -> None:
    """The judges of documents that others wrote: an environment of their own, qpdf and pdftoppm."""
    missing = []
    try:
        install_outside()
    except SetupError as error:
        missing.append(f"the judges of documents cannot be installed ({error})")
    for program, package in (("qpdf", "qpdf"), ("pdftoppm", "poppler-utils")):
        if shutil.which(program) is None and not apt_install(package):
            missing.append(f"{program} is missing: install the package {package}")
    for sentence in missing:
        if os.environ.get("CI") == "true":
            raise SetupError(f"{sentence}; with CI=true their tests may not be skipped.")
        say(f"{sentence}. Until then their tests are SKIPPED.")


def install_outside() -> None:
    """Bring .venv-outside to what its lock file says; nothing is done where it is there already."""
    lock, stamp, python = ROOT / OUTSIDE_LOCK, OUTSIDE / "portal-setup.json", OUTSIDE / "bin" / "python"
    wanted = json.dumps({"python": SERIES, "lock": hashlib.sha256(lock.read_bytes()).hexdigest()})
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    say(f"installing {OUTSIDE_LOCK} into {OUTSIDE.name} …")
    shutil.rmtree(OUTSIDE, ignore_errors=True)
    exact = ["--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(lock)]
    if installer := uv():
        finish(
            [installer, "venv", "--quiet", "--python", sys.executable, str(OUTSIDE)], "making .venv-outside"
        )
        finish([installer, "pip", "install", "--python", str(python), *exact], f"installing {OUTSIDE_LOCK}")
    else:
        finish([sys.executable, "-m", "venv", str(OUTSIDE)], f"making {OUTSIDE.name}")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
        finish([*pip, "install", *exact], f"installing {OUTSIDE_LOCK}")
    stamp.write_text(wanted)


@contextlib.contextmanager
def no_main_cluster() -> Iterator[None]:
    """Debian's package starts a server of its own unless told not to; the tests start theirs."""
    if not (is_root() and shutil.which("apt-get")):
        yield
        return
    folder = Path("/etc/postgresql-common/createcluster.d")
    folder.mkdir(parents=True, exist_ok=True)
    switch = folder / "no-main-cluster.conf"
    switch.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        switch.unlink()


def apt_install(*packages: str) -> bool:
    """True if Debian's packages are installed now; False where this person or system cannot."""
    if not (is_root() and shutil.which("apt-get")):
        return False
    say(f"installing {' '.join(packages)} with apt-get …")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], quiet)
    return (
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], quiet).returncode == 0
    )


# --- small parts --------------------------------------------------------------------------------


def say(sentence: str) -> None:
    print(f"setup: {sentence}", flush=True)


@functools.cache
def uv() -> str | None:
    """uv's path, where it is there and runs (a version manager's shim may be a stub)."""
    path = shutil.which("uv")
    return path if path and run([path, "--version"]).returncode == 0 else None


def is_root() -> bool:
    return os.geteuid() == 0


def clean_environment() -> dict[str, str]:
    """The environment without what another Python installation put there."""
    foreign = ("PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in foreign}


def run(
    command: list[str], more_environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**clean_environment(), **(more_environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )


def finish(command: list[str], act: str) -> None:
    """Run `command` to its end without a word. Raises SetupError with its last words."""
    done = run(command)
    if done.returncode == 0:
        return
    if any(sign in done.stdout.lower() for sign in NO_NETWORK_SIGNS):
        raise SetupError(f"{act} failed because the package index cannot be reached: is this machine online?")
    last_words = "\n".join(done.stdout.strip().splitlines()[-8:])
    raise SetupError(f"{act} failed:\n{last_words}")


if __name__ == "__main__":
    sys.exit(main())
