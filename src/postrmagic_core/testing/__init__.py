"""Public test kit: private servers, fault injection, contracts, fakes. Lazy, since the pytest plugin lives here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .clock import FakeClock
    from .process import Child, spawn
    from .proxy import FaultProxy
    from .queries import assert_queries

__all__ = ["FakeClock", "FaultProxy", "assert_queries", "spawn", "Child"]

_HOMES = {
    "FakeClock": "clock",
    "FaultProxy": "proxy",
    "spawn": "process",
    "Child": "process",
    "assert_queries": "queries",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
