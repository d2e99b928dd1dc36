"""What takes the place of the events' guards when faults.toml is tried."""

from __future__ import annotations

from typing import Any

from postrmagic_core.events.interface import Envelope, context_of
from postrmagic_core.events.listener import Listener


def unguarded(self: Any, listener: Listener[Any], envelope: Envelope, depth: int) -> None:
    """A listener's error is everybody's."""
    self.call(listener, envelope, context_of(envelope, None, {}), depth)


def very_deep(depth: int, event: object) -> int:
    """As deep as memory allows, nearly."""
    if depth > 200:
        raise MemoryError
    return depth
