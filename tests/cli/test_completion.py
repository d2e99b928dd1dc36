"""Shells complete the command by Typer's protocol, from the part alone in which the word stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from postrmagic_core.cli.app import _PARTS
from postrmagic_core.cli.completion import completing

COMMAND = Path(sys.executable).with_name("postrmagic")
TOP = {path for path in _PARTS if " " not in path} | {"plugins", "settings"}


def ran(*command: str | Path, **variables: str) -> str:
    """What it prints, called with these variables and this Python's folder first on PATH; it must end well."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("_POSTRMAGIC", "_TYPER"))}
    env["PATH"] = f"{COMMAND.parent}:{env['PATH']}"
    done = subprocess.run(command, env=env | variables, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


# The script that was installed, sourced, and asked as bash asks it at a press of the key.
PRESSED = """
source "$HOME/.bashrc"
complete -p postrmagic >/dev/null || exit 1
COMP_WORDS=(postrmagic db ""); COMP_CWORD=2; _postrmagic_completion postrmagic; printf '%s\\n' "${COMPREPLY[@]}"
echo --
COMP_WORDS=(postrmagic se); COMP_CWORD=1; _postrmagic_completion postrmagic; printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_bash_completes_what_was_installed_for_it(tmp_path: Path) -> None:
    """``--install-completion`` writes a file and a line; a shell that starts anew has the subcommands of ``db``."""
    told = ran("bash", "-c", "postrmagic --install-completion; true", HOME=str(tmp_path))
    assert told.startswith("bash completion installed in")
    within, _, begun = ran("bash", "--norc", "-c", PRESSED, HOME=str(tmp_path)).partition("--\n")
    below = {path.partition(" ")[2] for path in _PARTS if path.startswith("db ")}
    assert {"upgrade", "downgrade", "current"} | below <= set(within.split())
    assert not {"settings", "worker"} & set(within.split())
    assert set(begun.split()) == {"settings", "serve"}


# Who is asked says what it loaded as well.
ASKED = """
import sys
from postrmagic_core.cli import main
try:
    main()
finally:
    print([name for name in sys.modules if name.partition(".")[0] in {"sqlalchemy", "alembic", "dramatiq", "pydantic"}])
"""


def completed(shell: str, line: str) -> tuple[str, list[str]]:
    """What a shell is answered that asks by the line up to its cursor, and which heavy modules that took."""
    answer = ran(
        sys.executable,
        "-c",
        f"import sys; sys.argv = ['postrmagic']\n{ASKED}",
        _POSTRMAGIC_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_ARGS=line,
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    told, _, loaded = answer.rstrip().rpartition("\n")
    return told, json.loads(loaded.replace("'", '"'))


def test_fish_is_told_every_command() -> None:
    """At the first word, each by its name, without loading any room."""
    told, loaded = completed("fish", "postrmagic ")
    assert {line.split("\t")[0] for line in told.splitlines()} == TOP
    assert [name for name in loaded if name.partition(".")[0] != "pydantic"] == []


def test_zsh_is_told_the_options_of_a_command() -> None:
    """Of the one that is named, with what they are for."""
    told, _ = completed("zsh", "postrmagic plugins --")
    assert told.startswith("_arguments ")
    assert '"--json":"JSON instead of words' in told


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_of_a_shell_is_told(shell: str) -> None:
    """By the shell's own question, as from a package's build: nobody sits in that shell there."""
    told = ran(COMMAND, _POSTRMAGIC_COMPLETE=f"source_{shell}")
    assert f"_POSTRMAGIC_COMPLETE=complete_{shell}" in told
    assert "postrmagic" in told.split("\n\n")[0]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, None),
        ({"_POSTRMAGIC_COMPLETE": ""}, None),
        ({"_POSTRMAGIC_COMPLETE": "source_bash"}, []),
        ({"_POSTRMAGIC_COMPLETE": "complete_bash"}, []),
        ({"_POSTRMAGIC_COMPLETE": "complete_bash", "COMP_WORDS": "postrmagic\ndb\nup", "COMP_CWORD": "2"}, ["db"]),
        ({"_POSTRMAGIC_COMPLETE": "complete_bash", "COMP_WORDS": "postrmagic db ", "COMP_CWORD": "2"}, ["db"]),
        ({"_POSTRMAGIC_COMPLETE": "complete_bash", "COMP_WORDS": "postrmagic db x", "COMP_CWORD": "-1"}, ["db", "x"]),
        ({"_POSTRMAGIC_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "postrmagic db up"}, ["db"]),
        ({"_POSTRMAGIC_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "postrmagic db up "}, ["db", "up"]),
        ({"_POSTRMAGIC_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": "postrmagic"}, []),
    ],
)
def test_the_words_before_the_one_to_complete(variables: dict[str, str], words: list[str] | None) -> None:
    """As each shell gives them; what a shell does not give is nothing, and not an error."""
    assert completing(variables) == words
