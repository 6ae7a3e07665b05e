"""Templates that were compiled once are kept, where the disk takes them."""

import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine("sqlite")


def test_compiled_templates_are_kept_for_this_user_only(app, client) -> None:
    app.jinja_env.cache.clear()
    assert client.get("/pricing").status_code == 200
    folder = Path(app.jinja_env.bytecode_cache.directory)
    assert list(folder.glob("*.cache"))
    assert folder.stat().st_mode & 0o077 == 0


def test_a_disk_that_takes_nothing_costs_no_page(app, client) -> None:
    folder = Path(app.jinja_env.bytecode_cache.directory)
    shutil.rmtree(folder)
    folder.write_text("in the way")
    app.jinja_env.cache.clear()
    try:
        assert client.get("/pricing").status_code == 200
    finally:
        # The application is the next test's too.
        folder.unlink()
        folder.mkdir(mode=0o700)
