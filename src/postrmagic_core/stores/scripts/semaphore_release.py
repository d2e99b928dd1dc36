"""Give a place back, if it is still one's own."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View

from ._holders import holders, text


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: the semaphore; ``args``: the owner's token. Answers ``[1]``, or ``[0]``: its place had ended."""
    stored = holders(view.get(keys[0]))
    live = [(ends, who) for ends, who in stored if ends > now_us]
    held = [(ends, who) for ends, who in live if who != args[0]]
    if len(held) == len(live):
        return [0]
    if held:
        view.put(keys[0], text(held), (max(ends for ends, _ in held) - now_us) // 1000 + 2)
    else:
        view.drop(keys[0])
    return [1]
