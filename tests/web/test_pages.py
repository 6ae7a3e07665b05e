"""Templates that were compiled once are kept, where the disk takes them."""

import pytest

from portal.web.pages import TemplateCache

pytestmark = pytest.mark.engine("sqlite")


@pytest.fixture
def folder(app, tmp_path, monkeypatch):
    """The application is the next test's too: it gets its own cache back."""
    folder = tmp_path / "compiled"
    monkeypatch.setattr(app.jinja_env, "bytecode_cache", TemplateCache(folder))
    app.jinja_env.cache.clear()
    return folder


def test_compiled_templates_are_kept_for_this_user_only(client, folder) -> None:
    assert client.get("/pricing").status_code == 200
    assert list(folder.glob("*.cache"))
    assert folder.stat().st_mode & 0o077 == 0


def test_a_disk_that_takes_nothing_costs_no_page(client, folder) -> None:
    folder.rmdir()
    folder.write_text("in the way")
    assert client.get("/pricing").status_code == 200
