"""The list of plug-ins without its guard: ``make guards`` puts this in its place (tests/faults.toml)."""

from __future__ import annotations

from typing import NoReturn


def raised(kind: str, name: str, target: str, origin: str, error: Exception) -> NoReturn:
    """What one module raises reaches whoever lists all of them."""
    raise error
