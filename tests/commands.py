"""Commands, each in a process of its own: forked from one that has imported what takes a command most of its time."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest  # noqa: F401 - what runs here is forked from a process that has it

import postrmagic_core.cli.app  # noqa: F401 - as above
from postrmagic_core.testing import spawn

WIDE = {"COLUMNS": "200", "TERM": "dumb"}


class Finished(NamedTuple):
    """How a command ended: its exit status, and what it wrote."""

    status: int
    stdout: str
    stderr: str


def run(
    *arguments: str,
    module: str = "postrmagic_core.cli",
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """``python -m MODULE ARGUMENTS`` in ``directory``, on a terminal that is wide enough for every table."""
    with TemporaryDirectory() as folder:
        written = [f"{folder}/{name}" for name in ("stdout", "stderr")]
        given = [module, *arguments]
        with spawn(_run, str(directory or Path.cwd()), given, *written, env=WIDE | {**(environment or {})}) as child:
            status = child.wait(100)
        return Finished(status, *(Path(name).read_text(encoding="utf-8") for name in written))


def _run(directory: str, command: list[str], *written: str) -> None:
    os.chdir(directory)
    for number, name in enumerate(written, start=1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600), number)
    # What another test had the process load that this one is forked from, no pytest has rewritten.
    for name in [name for name in sys.modules if name.startswith("postrmagic_core.testing.contracts")]:
        del sys.modules[name]
    sys.argv, sys.path[0] = command, directory
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
