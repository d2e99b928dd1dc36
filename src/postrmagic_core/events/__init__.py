"""Events: typed, heard before the commit, after it, or durably as jobs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .interface import STOP, Delivery, Event, EventContext, EventRecord
from .listener import Listener, on

if TYPE_CHECKING:
    from .aio import AsyncEventManager
    from .background import Limits
    from .manager import EventManager

__all__ = [
    "Event",
    "on",
    "STOP",
    "Listener",
    "EventContext",
    "EventManager",
    "Limits",
    "AsyncEventManager",
    "EventRecord",
    "Delivery",
]

# A module of listeners is imported by every process: declaring loads no SQLAlchemy.
_LAZY = {"EventManager": "manager", "Limits": "background", "AsyncEventManager": "aio"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
