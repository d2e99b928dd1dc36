"""What importing the package, and each component alone, costs above starting Python.

Each import is measured in a new, isolated interpreter, in turns with one that imports nothing; the figure is the median
of the differences. The first round, which may still compile, is not kept.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import postrmagic_core

from ._harness import Bench, Case

TAKES: frozenset[str] = frozenset()
_NOT_COMPONENTS = {"cli", "testing"}


def run(bench: Bench) -> None:
    """Report ``import_ms`` and ``standalone_import_ms.<component>``."""
    imports = {"bare": "pass", "package": f"import {postrmagic_core.__name__}"}
    imports |= {room: f"import {postrmagic_core.__name__}.{room}" for room in components()}
    cases = [Case(name, partial(start, statement)) for name, statement in imports.items()]
    compared = bench.pair("import in a new interpreter", cases, rounds=bench.repeats(25, 3))
    bench.figure("import_ms", compared.above("package", "bare") * 1e3)
    for room in components():
        bench.figure(f"standalone_import_ms.{room}", compared.above(room, "bare") * 1e3)


def components() -> list[str]:
    """The public packages of the package, from their folders."""
    folder = Path(postrmagic_core.__path__[0])
    rooms = {path.parent.name for path in folder.glob("*/__init__.py")}
    return sorted(room for room in rooms - _NOT_COMPONENTS if not room.startswith("_"))


def start(statement: str) -> None:
    """Run ``statement`` in a new interpreter; raises :class:`subprocess.CalledProcessError` if it fails."""
    subprocess.run([sys.executable, "-I", "-c", statement], check=True, stdin=subprocess.DEVNULL)
