"""The package's modules, parsed."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def uncollected() -> Iterator[None]:
    """Have no garbage looked for: a million nodes are made and stay; looking through them takes twice their time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def trees(folder: Path) -> dict[str, ast.Module]:
    """Every module below ``folder`` by its path there."""
    with uncollected():
        return {
            path.relative_to(folder).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
            for path in sorted(folder.rglob("*.py"))
        }
