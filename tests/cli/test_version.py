"""``postrmagic --version`` says what is installed here, to people in words and to programs in JSON."""

from __future__ import annotations

import json
import platform
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from postrmagic_core.cli import version as asked
from postrmagic_core.cli.app import about

COMMAND = Path(sys.executable).with_name("postrmagic")
# The command alone, in this process: its parts are put into the one of the package, once.
app = typer.Typer()
app.callback(invoke_without_command=True)(about)


@app.command()
def something() -> None:
    """Be a command."""
    typer.echo("done")


def test_programs_are_told_all_versions() -> None:
    """Flat, each a text: the package, Python, the platform, SQLite's library and every extra that is whole."""
    done = CliRunner().invoke(app, ["--version", "--json"])
    told = json.loads(done.stdout)
    assert told["postrmagic-core"] == version("postrmagic-core")
    assert told["python"] == platform.python_version()
    assert told["implementation"] == platform.python_implementation()
    assert told["platform"] == platform.platform()
    assert told["sqlite"] == sqlite3.sqlite_version
    assert told["extra.redis"] == f"hiredis {version('hiredis')}, redis {version('redis')}"
    assert all(isinstance(value, str) for value in told.values())
    assert CliRunner().invoke(app, ["--json", "--version"]).stdout == done.stdout


def test_people_are_told_in_three_lines() -> None:
    """The package's version is the first; a program that cuts it out finds it where it is with others."""
    lines = CliRunner().invoke(app, ["--version"]).stdout.splitlines()
    assert lines[0] == f"postrmagic-core {version('postrmagic-core')}"
    assert f"SQLite {sqlite3.sqlite_version}" in lines[1]
    assert "redis" in lines[2].removeprefix("extras: ").split(", ")
    assert "all" not in lines[2].removeprefix("extras: ").split(", ")


def test_an_extra_of_which_anything_is_missing_is_not_told() -> None:
    """Whatever its lines look like; what belongs to no extra, and what is the others, is none."""
    lines = [
        "pytest>=9",
        "pytest<10,>=9; extra == 'here'",
        'ruff[some]>=0.1 ; python_version > "3" and extra == "half"',
        "no-such-thing>=1; extra == 'half'",
        "pytest>=9; extra == 'all'",
    ]
    assert asked.extras(lines) == {"here": f"pytest {version('pytest')}"}
    assert asked.extras([]) == {}


@pytest.mark.parametrize("arguments", [["--json"], ["--json", "something"]])
def test_json_without_its_question_is_a_mistake(arguments: list[str]) -> None:
    """It is said where the option of a command stands; nothing was done."""
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, "done" in done.stdout) == (2, False)
    assert "after" in done.stderr


def test_the_command_answers_without_loading_a_room() -> None:
    """By the entry point that is installed: whoever reports that nothing works can still say what is there."""
    code = "import sys; sys.argv[1:] = ['--version', '--json']; from postrmagic_core.cli import main\n"
    code += "try: main()\nfinally: print(sorted(name for name in sys.modules if 'sqlalchemy' == name), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["postrmagic-core"] == version("postrmagic-core")
    assert done.stderr == "[]\n"
