"""Commands of one group, as users and programs give them, in the tests' own process."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer
from typer.testing import CliRunner, Result


class InProcess:
    """``command`` on the Stack that ``app`` names, whose module is loaded anew each time, as by a command."""

    def __init__(self, command: typer.Typer, app: str) -> None:
        self._command = command
        self._app = app

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        """How it ended, and what it said."""
        self.forget()
        return CliRunner().invoke(self._command, [*arguments, "--app", self._app], input=answer)

    def json(self, *arguments: str, status: int = 0) -> Any:
        """What it answers programs, with this exit status."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == status, done.output
        return json.loads(done.stdout)

    def forget(self) -> None:
        """Have the next test load a module of its own under that name."""
        sys.modules.pop(self._app.partition(":")[0], None)
