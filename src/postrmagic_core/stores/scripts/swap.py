"""Replace a row if nobody else did meanwhile: compare and swap by revision."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[bytes | int]:
    """``keys``: the row (further ones are guards: declared, not read); a blob's first 8 bytes are its revision.

    ``args``: the revision expected, 8 bytes or empty for "there is none"; the new blob; its milliseconds to live; and,
    optionally, the microsecond at which it ends in any case. Answers ``[1]`` stored, ``[0]`` the row is gone (a row
    past its end goes now), or ``[2, blob]``: the row as another left it.
    """
    current = view.get(keys[0])
    if current is None and args[0]:
        return [0]
    if current is not None and current[:8] != args[0]:
        return [2, current]
    ttl_ms = int(args[2]) if len(args) < 4 else min(int(args[2]), (int(args[3]) - now_us) // 1000)
    if ttl_ms < 1:
        view.drop(keys[0])
        return [0]
    view.put(keys[0], args[1], ttl_ms)
    return [1]
