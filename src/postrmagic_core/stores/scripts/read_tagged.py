"""Read an entry together with the generations of its tags, making those that are missing."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View

from ._whole import whole


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[bytes | int | None]:
    """``keys``: the entry, then its tags; ``args``: milliseconds a new generation lives.

    Answers the entry (or ``None``) and each tag's generation. One that is missing, or is no number, becomes the present
    time in microseconds: later than any that was lost, so that nothing stored under a lost generation is ever served.
    """
    generations: list[bytes | int | None] = []
    for tag in keys[1:]:
        known = whole(view.get(tag))
        if known is None:
            view.put(tag, b"%d" % now_us, int(args[0]))
        generations.append(now_us if known is None else known)
    return [view.get(keys[0]), *generations]
