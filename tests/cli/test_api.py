"""`postrmagic api`: the specification as a file, what changed in it, its client and its operations."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from postrmagic_core.cli.api import api as command
from postrmagic_core.errors import ConfigurationError

APPLICATION = """
DOCUMENT = {
    "openapi": "3.1.1",
    "info": {"title": "Shop", "version": "1.0.0"},
    "security": [{"bearer": []}, {"session": [], "csrf": []}],
    "paths": {
        "/posters": {
            "get": {"operationId": "list_posters", "summary": "List [all] posters", "responses": {"200": {
                "description": "The posters.",
                "content": {"application/json": {"schema": {"type": "object", "properties": {
                    "title": {"type": "string"}, "size": {"type": "integer"}}}}},
            }}},
            "post": {"operationId": "make", "x-access": "poster:create", "responses": {"204": {"description": "So."}}},
        },
        "/health": {"get": {"operationId": "health", "security": [], "responses": {"204": {"description": "Well."}}}},
    },
}


class Shop:
    def openapi(self):
        return DOCUMENT


shop = Shop()
empty = lambda: {"openapi": "3.1.0", "paths": {}}
wrong = lambda: [1]
nothing = 1
"""

REVIEW = """
[[reviewed]]
code = "response.field_removed"
place = "GET /posters 200 size"
reason = "it was always 0"
date = 2026-11-28
"""


def run(*arguments: object) -> Result:
    """The command in this directory."""
    sys.modules.pop("api_application", None)
    return CliRunner().invoke(command, list(map(str, arguments)))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with an application, and its specification as ``old.json``."""
    (tmp_path / "api_application.py").write_text(APPLICATION)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.chdir(tmp_path)
    assert run("describe", "--app", "api_application:shop", "-o", "old.json").exit_code == 0
    yield tmp_path
    sys.modules.pop("api_application", None)


@pytest.fixture
def changed(here: Path) -> Path:
    """With ``new.json``, which lacks a field and has a path more."""
    document: dict[str, Any] = json.loads((here / "old.json").read_text())
    answer = document["paths"]["/posters"]["get"]["responses"]["200"]
    del answer["content"]["application/json"]["schema"]["properties"]["size"]
    document["paths"]["/tags"] = {"get": {"responses": {}}}
    (here / "new.json").write_text(json.dumps(document))
    return here


def test_a_specification_is_written(here: Path) -> None:
    """To a file, or to standard output: the same JSON, with a line end; a function will do for an object."""
    said = run("describe", "--app", "api_application:shop")
    assert said.stdout == (here / "old.json").read_text()
    assert said.stdout.endswith("}\n")
    assert json.loads(said.stdout)["info"]["title"] == "Shop"
    assert json.loads(run("describe", "--app", "api_application:empty").stdout)["paths"] == {}


def test_a_file_that_says_something_else_is_told(here: Path) -> None:
    """With the lines that differ, and the command that mends it; a file that is absent says nothing."""
    assert run("describe", "--app", "api_application:shop", "--check", "old.json").exit_code == 0
    text = (here / "old.json").read_text()
    (here / "old.json").write_text(text.replace("list_posters", "list_\x1b[2Jall"))
    for name in ("old.json", "absent.json"):
        done = run("describe", "--app", "api_application:shop", "--check", name)
        assert done.exit_code == 1
        assert '+        "operationId": "list_posters"' in done.stderr or name == "absent.json"
        assert f"mend it: postrmagic api describe --app api_application:shop -o {name}" in done.stderr
        assert "\x1b[2J" not in done.output
        assert "more lines" in done.stderr or name == "old.json"
    assert not (here / "absent.json").exists()


def test_check_and_output_are_one_or_the_other(here: Path) -> None:
    """Nothing is written."""
    done = run("describe", "--app", "api_application:shop", "--check", "old.json", "-o", "other.json")
    assert done.exit_code == 2
    assert not (here / "other.json").exists()


@pytest.mark.parametrize("name", ["nothing", "wrong", "Shop", "absent"])
@pytest.mark.usefixtures("here")
def test_what_has_no_specification_is_refused(name: str) -> None:
    """With what was expected."""
    for what in ("describe", "routes"):
        assert isinstance(run(what, "--app", f"api_application:{name}").exception, ConfigurationError)


def test_a_breaking_change_fails_until_it_is_reviewed(changed: Path) -> None:
    """The change is shown with what it means; its review lets it pass, and fails when the change is gone."""
    done = run("compare", "old.json", "new.json")
    assert done.exit_code == 1
    assert "GET /posters 200 size" in done.stdout
    assert "1 breaking changes are not reviewed" in done.stdout
    assert "path.added" in done.stdout
    (changed / "reviewed.toml").write_text(REVIEW)
    done = run("compare", "old.json", "new.json", "--reviewed", "reviewed.toml")
    assert (done.exit_code, "reviewed" in done.stdout) == (0, True)
    done = run("compare", "old.json", "old.json", "--reviewed", "reviewed.toml")
    assert done.exit_code == 1
    assert "nothing changed" in done.stdout
    assert "stale: response.field_removed at GET /posters 200 size" in done.stdout


def test_a_comparison_is_told_to_programs(changed: Path) -> None:
    """As JSON, with the same exit status."""
    done = run("compare", "old.json", "new.json", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["passes"]) == (1, False)
    assert [one["code"] for one in found["changes"]] == ["response.field_removed", "path.added"]
    assert found["unreviewed"][0]["place"] == "GET /posters 200 size"
    (changed / "reviewed.toml").write_text(REVIEW)
    done = run("compare", "old.json", "new.json", "--json", "--reviewed", "reviewed.toml")
    assert (done.exit_code, json.loads(done.stdout)["passes"]) == (0, True)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read"),
        (b"\xff", "UTF-8"),
        (b"{", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "expected an object"),
        (b'{"openapi": "3.0.0"}', "3.1"),
    ],
)
def test_files_that_are_none_are_refused(here: Path, content: bytes | None, complaint: str) -> None:
    """With exit status 2, so that a script knows it from a breaking change."""
    if content is not None:
        (here / "bad.json").write_bytes(content)
    for arguments in (["compare", "bad.json", "old.json"], ["compare", "old.json", "bad.json"], ["client", "bad.json"]):
        done = run(*arguments)
        assert (done.exit_code, complaint in done.stderr) == (2, True), done.output


@pytest.mark.parametrize("content", [None, "[[reviewed]]\ncode = 1", "["])
def test_reviews_that_are_none_are_refused(here: Path, content: str | None) -> None:
    """As other files are."""
    if content is not None:
        (here / "reviewed.toml").write_text(content)
    assert run("compare", "old.json", "old.json", "--reviewed", "reviewed.toml").exit_code == 2


def test_what_cannot_be_written_is_refused(here: Path) -> None:
    """With the reason."""
    done = run("describe", "--app", "api_application:shop", "-o", here)
    assert (done.exit_code, "cannot be written" in done.stderr) == (2, True)


@pytest.mark.usefixtures("here")
def test_a_client_is_written_and_checked() -> None:
    """From the file, without the application."""
    assert run("client", "old.json", "-o", "client.py").exit_code == 0
    text = Path("client.py").read_text()
    compile(text, "client.py", "exec")
    assert "def list_posters(" in text
    assert run("client", "old.json").stdout == text
    assert run("client", "old.json", "--check", "client.py").exit_code == 0
    Path("client.py").write_text(text + "more = 1\n")
    done = run("client", "old.json", "--check", "client.py")
    assert done.exit_code == 1
    assert "-more = 1" in done.stderr
    assert "mend it: postrmagic api client old.json -o client.py" in done.stderr


@pytest.mark.usefixtures("here")
def test_operations_are_listed() -> None:
    """With who may call them; what an application wrote is no markup."""
    done = run("routes", "--app", "api_application:shop")
    assert "List [all] posters" in done.stdout
    assert json.loads(run("routes", "--app", "api_application:shop", "--json").stdout) == [
        {"method": "GET", "path": "/posters", "access": "bearer or csrf and session", "summary": "List [all] posters"},
        {"method": "POST", "path": "/posters", "access": "poster:create", "summary": ""},
        {"method": "GET", "path": "/health", "access": "public", "summary": ""},
    ]
    assert "no operations" in run("routes", "--app", "api_application:empty").stdout


@pytest.mark.parametrize("name", ["describe", "compare", "client", "routes"])
def test_each_command_explains_itself(name: str) -> None:
    """Every option and argument has its sentence."""
    from typer.main import get_command

    commands: Any = get_command(command)
    assert commands.commands[name].help
    assert all(parameter.help for parameter in commands.commands[name].params)
