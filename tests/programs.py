"""Programs that the documentation shows, run as they stand: each in a process of its own, forked from one.

That one has imported what they all do: imports cost more than what most programs do themselves.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_FORKING = """
import importlib, json, os, signal, sys

order = json.load(sys.stdin)
for name in order["loaded"]:
    importlib.import_module(name)
codes = []
for folder, code in order["programs"]:
    child = os.fork()
    if not child:
        signal.alarm(60)
        os.chdir(folder)
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(f"{folder}.{name}", os.O_CREAT | os.O_WRONLY, 0o600), number)
        exec(compile(code, "shown.py", "exec"), {"__name__": "__main__"})
        break
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
else:
    print(json.dumps(codes))
"""


class Ran(NamedTuple):
    """How a program ended: its exit code, and all it wrote."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """What it printed; an ending that is no success fails the test."""
        assert self.code == 0, self.stderr
        return self.stdout.splitlines()


def blocks(page: Path) -> list[str]:
    """The blocks of Python of a page, in their order."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def files(page: Path) -> dict[str, str]:
    """Those of them whose first line names a module, by that name."""
    named = ((re.match(r"# (\w+)\.py\n", block), block) for block in blocks(page))
    return {found[1]: block for found, block in named if found is not None}


def run(programs: Sequence[tuple[Path, str]], loaded: Sequence[str] = ()) -> list[Ran]:
    """Run each program in its folder, warnings being errors; the modules ``loaded`` are imported once for all.

    Nothing that this process's environment says of postrmagic reaches them.
    """
    order = {"loaded": list(loaded), "programs": [(str(folder), code) for folder, code in programs]}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _FORKING],
        input=json.dumps(order),
        env={name: value for name, value in os.environ.items() if not name.startswith("POSTRMAGIC_")},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout)
    texts = [[Path(f"{folder}.{name}").read_text() for name in ("stdout", "stderr")] for folder, _ in programs]
    return [Ran(code, stdout, stderr) for code, (stdout, stderr) in zip(codes, texts, strict=True)]
