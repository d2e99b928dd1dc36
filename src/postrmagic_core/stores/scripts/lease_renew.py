"""Hold a lease longer, if it is still one's own."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: the lease; ``args``: the owner's token and milliseconds from now. Answers ``[1]``, or ``[0]``: lost."""
    held = view.get(keys[0])
    if held is None:
        return [0]
    number, _, holder = held.split(b" ", 2)
    if holder != args[0]:
        return [0]
    ttl_ms = int(args[1])
    view.put(keys[0], b"%s %d %s" % (number, now_us // 1000 + ttl_ms, holder), ttl_ms)
    return [1]
