"""What stands in a guard's place while its tests are run without it."""

from __future__ import annotations

import asyncio
from typing import Any

from postrmagic_core.observability.dashboard import Part


async def anew(self: Any, key: Any, make: Any) -> Any:
    """Each who asks has the page made."""
    return await make()


def bare(self: Any, name: str, call: Any) -> Any:
    """What a source raises is the whole page's."""
    return Part(name, call())


async def deaf(receive: Any) -> None:
    """Nobody hears that the client went."""
    await asyncio.Event().wait()


NO_SHARE = 0.0
"""What was dear is read again at once."""


async def patient(send: Any, message: Any) -> None:
    """Who takes nothing is waited for."""
    await send(message)


def kept_on(path: str, *, secure: bool) -> str:
    """Instead of :func:`postrmagic_core.observability.dashboard.messages.forget`: the message stays."""
    del secure
    return f"postrmagic-dashboard=kept; Path={path}"
