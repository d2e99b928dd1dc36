"""`postrmagic doctor` in the tests' own process: what it finds, and that it changes and betrays nothing."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from postrmagic_core.cli.diagnosis.examining import examine
from postrmagic_core.cli.diagnosis.interface import Finding, State
from postrmagic_core.cli.doctor import doctor

CANARY = "c4n4ry"
KEY = f"{CANARY}_kX3v9_8QmZ1rT6yUw2pLs7NaBcDe"

command = typer.Typer()
command.command()(doctor)


class Patient:
    """An empty directory, with nothing of ours in the environment."""

    def __init__(self, directory: Path, patched: pytest.MonkeyPatch) -> None:
        self.directory = directory
        for name in list(os.environ):
            if name.startswith("POSTRMAGIC_") and not name.startswith("POSTRMAGIC_TEST_"):
                patched.delenv(name)
        patched.chdir(directory)
        patched.setenv("COLUMNS", "200")

    def run(self, *arguments: str) -> Result:
        """What the command says; never a secret, and every file is afterwards as it was."""
        before = snapshot(self.directory)
        done = CliRunner().invoke(command, arguments)
        assert CANARY not in done.output + repr(done.exception)
        assert snapshot(self.directory) == before
        return done

    def json(self, *arguments: str) -> Any:
        """What it answers programs."""
        return json.loads(self.run("--json", *arguments).stdout)

    def found(self, *areas: str, **options: Any) -> list[Finding]:
        """What is found there; never a secret, and every file is afterwards as it was."""
        before = snapshot(self.directory)
        found = examine(options.pop("app", None), areas, **options)
        assert CANARY not in repr(found)
        assert snapshot(self.directory) == before
        return found


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Each file with its mode and content; not the index in shared memory of who has a database open."""
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else b"")
        for path in sorted(directory.rglob("*"))
        if not path.name.endswith("-shm") and "__pycache__" not in path.parts
    }


def named(found: Iterable[Finding], state: State | None = None) -> str:
    """The findings of a state as one text, what to do included."""
    return "\n".join(f"{one.found} → {one.do}" for one in found if state in (None, one.state))


def finding(found: Iterable[Finding], pattern: str) -> Finding:
    """The one finding that says so."""
    (one,) = [each for each in found if re.search(pattern, each.found)]
    return one


# What takes the place of guards when faults are tried.


def opened_to_write(path: Path, **options: object) -> sqlite3.Connection:
    """A file as everybody opens it."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def whole_text(error: BaseException) -> str:
    """An error with all that it says."""
    return repr(error)


def nothing(*given: object, **options: object) -> tuple[()]:
    """No finding."""
    return ()
