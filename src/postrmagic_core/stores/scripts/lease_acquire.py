"""Take a lease that is free, or find it one's own already."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View

# The fence outlives the lease by far: should the clock go back meanwhile, numbers still grow.
FENCE_TTL_MS = 86_400_000


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: the lease and its fence; ``args``: the owner's token and milliseconds to hold.

    Answers ``[1, fence]``, or ``[0, milliseconds until it may be free]``. An owner who asks again (the first answer was
    lost) keeps the fence it has. The fence grows with each owner, and is at least the time in microseconds.
    The lease's value is ``fence SPACE end-in-ms SPACE owner``.
    """
    held, owner, ttl_ms = view.get(keys[0]), args[0], int(args[1])
    now_ms = now_us // 1000
    fence = max(int(view.get(keys[1]) or 0) + 1, now_us)
    if held is not None:
        number, ends, holder = held.split(b" ", 2)
        if holder != owner:
            return [0, max(int(ends) - now_ms, 1)]
        fence = int(number)
    view.put(keys[0], b"%d %d %s" % (fence, now_ms + ttl_ms, owner), ttl_ms)
    view.put(keys[1], b"%d" % fence, max(FENCE_TTL_MS, 4 * ttl_ms))
    return [1, fence]
