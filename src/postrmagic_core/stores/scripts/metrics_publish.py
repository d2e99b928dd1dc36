"""Tell what a process counted, under its name in a list of all that tell."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[bytes | int]:
    """``keys``: the list, the process's row. ``args``: its name (16 letters), the number of this telling, the figures,
    and how many processes there may be.

    Answers ``[1, names]``, stored; ``[0, number]``: it was taken for dead, when its telling of that number was the
    last; or ``[2, names]``: there is no room for another process. The list is a line a name; the row the time in
    microseconds, a blank, the number, a line's end and the figures, or a minus and the number for the dead.
    """
    index, row, line = view.get(keys[0]) or b"", view.get(keys[1]), args[0] + b"\n"
    if not index.endswith(b"\n"):
        index = b""
    if row is not None and row.startswith(b"-"):
        return [0, row[1:]]
    if line not in index:
        if len(index) // len(line) >= int(args[3]):
            return [2, len(index) // len(line)]
        index += line
        view.put(keys[0], index, None)
    view.put(keys[1], b"%d %s\n%s" % (now_us, args[1], args[2]), None)
    return [1, len(index) // len(line)]
