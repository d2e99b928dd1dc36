"""Read what processes told, all of it as of one instant."""

from __future__ import annotations

from collections.abc import Sequence

from postrmagic_core.stores.interface import View


def body(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[bytes | int | None]:
    """``keys``: whatever is wanted. Answers the time in microseconds, then the value of each key, or ``None``."""
    return [now_us, *(view.get(key) for key in keys)]
