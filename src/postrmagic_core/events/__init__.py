"""Events: typed, heard now, before the commit, after it, by every process, or durably as jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily
from .interface import STOP, Delivery, Event, EventContext, EventRecord
from .listener import Listener, on

if TYPE_CHECKING:
    from .aio import AsyncEventManager
    from .background import ListenerLimits
    from .broadcast import BroadcastMissed
    from .channel import open_channel
    from .manager import EventManager
else:  # a module of listeners is imported by every process: declaring loads no SQLAlchemy
    __getattr__ = lazily(
        __name__,
        {
            "EventManager": "manager",
            "ListenerLimits": "background",
            "open_channel": "channel",
            "BroadcastMissed": "broadcast",
            "AsyncEventManager": "aio",
        },
    )

__all__ = [
    "Event",
    "on",
    "STOP",
    "Listener",
    "EventContext",
    "EventManager",
    "ListenerLimits",
    "open_channel",
    "BroadcastMissed",
    "AsyncEventManager",
    "EventRecord",
    "Delivery",
]
