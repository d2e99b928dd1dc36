"""Names of a package that are loaded when they are first asked for, so that importing it stays cheap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """What ``package`` has as its ``__getattr__``: it gives each name of ``homes`` out of its module in there.

    A package says ``if TYPE_CHECKING: from .manager import Manager``, so that type checkers know its names, and
    ``else: __getattr__ = lazily(__name__, {"Manager": "manager"})``: where they saw that, every misspelt name would
    pass for one.
    """

    def found(name: str) -> Any:
        if name in homes:
            return getattr(import_module(f"{package}.{homes[name]}"), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return found
