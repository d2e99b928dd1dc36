"""``postrmagic db …``: the how-to done line by line, and what a Stack does about a schema that is not its own."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from postrmagic_core.cli.schema import database
from postrmagic_core.errors import ConfigurationError, SchemaMismatch
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "migrate-your-schema.md"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with the guide's tables, in the working directory."""
    (block,) = re.findall(r"^```python\n(# tables\.py.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.DOTALL)
    (tmp_path / "tables.py").write_text(block)
    (tmp_path / "app.py").write_text(
        "from postrmagic_core.stack import Stack\nimport tables\nstack = Stack.from_env()\n"
        "stack.use_migrations('migrations', tables.metadata)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    for name in ("tables", "app"):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture
def _configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTRMAGIC_DATABASE__MIGRATIONS", "migrations")
    monkeypatch.setenv("POSTRMAGIC_DATABASE__METADATA", "tables:metadata")


def run(*arguments: str, answer: str | None = None) -> Result:
    """The command in this process; errors are raised as they are."""
    return CliRunner().invoke(database, arguments, input=answer, catch_exceptions=False)


@pytest.mark.usefixtures("_configured")
def test_the_guide_works_line_by_line() -> None:
    """Every `postrmagic db` line of the how-to, in its order, on the embedded default."""
    lines = re.findall(r"^\$ postrmagic db (.*)$", GUIDE.read_text(encoding="utf-8"), re.M)
    assert len(lines) == 13
    for line in lines:
        arguments = [found.strip('"') for found in re.findall(r'"[^"]*"|\S+', line)]
        assert run(*arguments).exit_code == 0, line
    assert len(list(Path("migrations/versions").glob("*.py"))) == 2


@pytest.mark.usefixtures("_configured")
def test_check_lists_what_differs() -> None:
    """Status 1 and a line for each difference; 0 when there is none."""
    run("revision", "-m", "Posters")
    behind = run("check")
    assert (behind.exit_code, behind.output.count("none")) == (1, 2)
    run("upgrade")
    assert run("check").exit_code == 0
    Path("tables.py").write_text(Path("tables.py").read_text() + "Table('tags', metadata, Column('id', Id()))\n")
    del sys.modules["tables"]
    differs = run("check")
    assert (differs.exit_code, differs.output) == (1, "add table tags\n")
    assert json.loads(run("check", "--json").stdout) == {"differences": ["add table tags"]}


@pytest.mark.usefixtures("_configured")
def test_programs_are_told_the_same() -> None:
    """Where each history is, what its revisions do, and what differs."""
    run("revision", "-m", "Posters [new]")
    newest, *_ = json.loads(run("history", "--json").stdout)
    package = json.loads(run("history", "--package", "--json").stdout)
    assert newest["title"] == "Posters [new]."
    assert package[-1]["revision"] == "0001"
    behind = {one["history"]: one for one in json.loads(run("current", "--json").stdout)}
    assert [one["state"] for one in behind.values()] == ["behind", "behind"]
    assert behind["application"] == {
        "history": "application",
        "database": [],
        "code": [newest["revision"]],
        "state": "behind",
    }
    differs = run("check", "--json")
    assert (differs.exit_code, len(json.loads(differs.stdout)["differences"])) == (1, 2)
    run("upgrade")
    assert [one["state"] for one in json.loads(run("current", "--json").stdout)] == ["current", "current"]
    current = run("check", "--json")
    assert (current.exit_code, json.loads(current.stdout)) == (0, {"differences": []})


@pytest.mark.usefixtures("_configured")
def test_a_downgrade_shows_what_it_drops_and_asks() -> None:
    """No is no."""
    run("revision", "-m", "Posters")
    run("upgrade")
    refused = run("downgrade", answer="n\n")
    assert refused.exit_code == 1
    assert "DROP TABLE posters" in refused.output
    assert run("check").exit_code == 0
    assert run("downgrade", answer="y\n").exit_code == 0
    assert run("downgrade").output == "nothing to take back\n"
    assert "jobs, events and outbox rows" in run("downgrade", "--package", answer="n\n").output


def test_migrations_named_in_code_are_found_by_the_stack() -> None:
    """`--app` for each command; without it there is no history to work on, and the error says where to set one."""
    assert run("revision", "-m", "Posters", "--app", "app:stack").exit_code == 0
    assert run("upgrade", "--app", "app:stack").exit_code == 0
    assert "application" in run("current", "--app", "app:stack").output
    assert "application" not in run("current").output
    with pytest.raises(ConfigurationError, match="POSTRMAGIC_DATABASE__MIGRATIONS"):
        run("revision", "-m", "Posters")


def test_a_stack_migrates_the_application_in_development_only(tmp_path: Path) -> None:
    """Production says which command to run, and tells a database that is behind from one that is ahead."""
    run("revision", "-m", "Posters", "--app", "app:stack")
    settings = embedded_settings(tmp_path / "data").replace(database={"migrations": str(tmp_path / "migrations")})
    production = settings.replace(
        stack={"environment": "production"}, security={"keys": ["k" * 32]}, sessions={"cookie_secure": True}
    )
    with pytest.raises(SchemaMismatch, match="run `postrmagic db upgrade` before starting"), opened(production):
        pass
    with opened(settings) as stack:
        assert stack.database.schema_current()
    with opened(production):
        pass
    (revision,) = (tmp_path / "migrations" / "versions").glob("*.py")
    revision.unlink()
    with pytest.raises(SchemaMismatch, match="newer than this code"), opened(production):
        pass
    with pytest.raises(SchemaMismatch, match="newer than this code"), opened(settings):
        pass


def opened(settings: Settings) -> Stack:
    """A Stack on these settings, to be entered."""
    return Stack(settings, configure_logging=False)
