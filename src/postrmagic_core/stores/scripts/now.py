"""What time the store has."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """No keys, no arguments. Answers ``[microseconds since the epoch]``: one clock for all hosts that share a store."""
    return [now_us]
