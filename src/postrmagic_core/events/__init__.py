"""Events: typed, heard now, before the commit, after it, by every process, or durably as jobs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .interface import STOP, Delivery, Event, EventContext, EventRecord
from .listener import Listener, on

if TYPE_CHECKING:
    from .aio import AsyncEventManager
    from .background import Limits
    from .broadcast import BroadcastMissed
    from .channel import open_channel
    from .manager import EventManager

__all__ = [
    "Event",
    "on",
    "STOP",
    "Listener",
    "EventContext",
    "EventManager",
    "Limits",
    "open_channel",
    "BroadcastMissed",
    "AsyncEventManager",
    "EventRecord",
    "Delivery",
]

# A module of listeners is imported by every process: declaring loads no SQLAlchemy.
_LAZY = {
    "EventManager": "manager",
    "Limits": "background",
    "open_channel": "channel",
    "BroadcastMissed": "broadcast",
    "AsyncEventManager": "aio",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
