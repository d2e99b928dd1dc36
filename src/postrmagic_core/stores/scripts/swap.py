"""Replace rows if nobody else did meanwhile: compare and swap by revision, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[bytes | int | None]:
    """``keys``: the rows. ``args``, four for each: how it must begin, empty for "there is none"; the new blob, empty
    to drop the row; its milliseconds to live; and the microsecond at which it ends in any case, or empty.

    Answers ``[1, now]``, all stored, or ``[0, now, row, …]``, none stored, with each row as it is (``None``: gone). A
    row past its end goes now and counts as gone.
    """
    rows = [view.get(key) for key in keys]
    kept = True
    lives = []
    for place, key in enumerate(keys):
        expected, _, ttl, ends = args[4 * place : 4 * place + 4]
        row = rows[place]
        lives.append(min(int(ttl), (int(ends) - now_us) // 1000) if ends else int(ttl))
        if lives[-1] < 1:
            view.drop(key)
            rows[place], kept = None, False
        elif (row is not None) != bool(expected) or (row is not None and row[: len(expected)] != expected):
            kept = False
    if not kept:
        return [0, now_us, *rows]
    for place, key in enumerate(keys):
        if blob := args[4 * place + 1]:
            view.put(key, blob, lives[place])
        else:
            view.drop(key)
    return [1, now_us]
