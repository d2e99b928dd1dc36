"""Which benchmarks there are."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent


@cache
def available() -> dict[str, str]:
    """Each benchmark's name and the first line of its docstring, without importing any."""
    files = [*FOLDER.glob("[!_]*.py"), *FOLDER.glob("[!_]*/__init__.py")]
    return {
        path.parent.name if path.stem == "__init__" else path.stem: (
            ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        ).split("\n")[0]
        for path in sorted(files)
    }
