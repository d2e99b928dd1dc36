"""The functions that are run in processes of their own, by the names under which those find them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


def load(target: str) -> Callable[..., Any]:
    """The function that ``"package.module:function"`` or ``"/path/file.py:function"`` names."""
    place, _, name = target.rpartition(":")
    found: Any = _module(place)
    for part in name.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{target} is a {type(found).__name__}, expected a function")
    return found  # type: ignore[no-any-return]  # callable() does not narrow Any


def _module(place: str) -> ModuleType:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    specification = importlib.util.spec_from_file_location(f"_spawned_{Path(place).stem}", place)
    if specification is None or specification.loader is None:
        raise ImportError(f"cannot load {place}")
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    specification.loader.exec_module(module)
    return module
