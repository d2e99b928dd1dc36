"""Give a lease back, if it is still one's own."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: the lease; ``args``: the owner's token. Answers ``[1]``, or ``[0]``: it was another's, or nobody's."""
    held = view.get(keys[0])
    if held is None or held.split(b" ", 2)[2] != args[0]:
        return [0]
    view.drop(keys[0])
    return [1]
