"""Give every tag a generation it never had."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View

from ._whole import whole


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: tags; ``args``: milliseconds a generation lives. Answers the new generations.

    ``max(previous + 1, now)``: it grows though the clock goes back, and though the previous one was evicted.
    """
    generations = []
    for tag in keys:
        generation = max((whole(view.get(tag)) or 0) + 1, now_us)
        view.put(tag, b"%d" % generation, int(args[0]))
        generations.append(generation)
    return generations
