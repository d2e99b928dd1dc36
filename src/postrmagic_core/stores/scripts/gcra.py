"""Admit a call or say when to come back: the generic cell rate algorithm (ITU-T I.371, virtual scheduling)."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: the bucket; ``args``: microseconds per call (period / limit) and how many calls may come at once.

    Answers ``[1, calls left now]``, or ``[0, microseconds until one is admitted]``. The bucket holds the theoretical
    arrival time; one further ahead than a full bucket was written before a clock went back, and is made full as of now.
    """
    emission, burst = int(args[0]), int(args[1])
    stored, full = int(view.get(keys[0]) or 0), now_us + emission * burst
    due = min(max(stored, now_us), full) - emission * (burst - 1)
    if due > now_us:
        if stored > full:
            view.put(keys[0], b"%d" % full, (full - now_us) // 1000 + 1)
        return [0, due - now_us]
    after = max(stored, now_us) + emission
    view.put(keys[0], b"%d" % after, (after - now_us) // 1000 + 1)
    return [1, (full - after) // emission]
