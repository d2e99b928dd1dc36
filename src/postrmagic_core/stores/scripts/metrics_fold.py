"""Add what a process counted to what those counted that ended before, once, whoever does it."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View

from ._whole import whole


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """``keys``: the list of names, the process's row, and what has ended. ``args``: its name; its row's first line as
    it was read, empty where there was no row; how what has ended began, empty where nothing was there; the new sums,
    empty where there is no row; the number of its last telling; microseconds for which it must have been silent; and
    milliseconds for which a late telling is to be refused.

    Answers ``[1]``, done; or ``[0]``: something is not as it was read, and nothing was changed.
    """
    index, line = view.get(keys[0]) or b"", args[0] + b"\n"
    row, ended = view.get(keys[1]), view.get(keys[2])
    place = index.find(line)
    if place < 0:
        return [0]
    if not args[1]:
        if row is not None:
            return [0]
    else:
        seen = whole(args[1].split(b" ")[0])
        if row is None or not row.startswith(args[1]) or (seen is not None and now_us - seen < int(args[5])):
            return [0]
        if (ended is not None) != bool(args[2]) or (ended is not None and not ended.startswith(args[2])):
            return [0]
        view.put(keys[2], args[3], None)
        view.put(keys[1], b"-" + args[4], int(args[6]))
    left = index[:place] + index[place + len(line) :]
    if left:
        view.put(keys[0], left, None)
    else:
        view.drop(keys[0])
    return [1]
