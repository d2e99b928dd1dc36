"""Let a number grow, once for each: compare and set by size."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View

from ._whole import whole


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: all names of the number, the newest first; ``args``: the number, and milliseconds to keep it.

    Answers ``[1]``: it is larger than what stood under any of the names, and stands under the newest now; or ``[0]``:
    as large a number was there before, and nothing was changed. What is no number counts as none.
    """
    number = int(args[0])
    for key in keys:
        stored = whole(view.get(key))
        if stored is not None and stored >= number:
            return [0]
    view.put(keys[0], b"%d" % number, int(args[1]))
    return [1]
