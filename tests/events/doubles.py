"""What takes the place of the events' guards when faults.toml is tried."""

from __future__ import annotations

from typing import Any

from postrmagic_core.events.journal import Place
from postrmagic_core.events.listener import Listener


def unguarded(self: Any, listener: Listener[Any], event_id: str, error: Exception) -> None:
    """A listener's error is everybody's."""
    raise error


def very_deep(depth: int, event: object) -> int:
    """As deep as memory allows, nearly."""
    if depth > 200:
        raise MemoryError
    return depth


def all_at_once(tx: Any, listener: str, stream: str | None) -> Place:
    """Every delivery is the first of its stream."""
    return Place()


async def for_ever(self: Any, listener: Listener[Any], because: Any, ctx: Any) -> object:
    """An async listener may take as long as it likes."""
    return await listener.function(because.event, ctx)  # type: ignore[misc]  # is_async says so
