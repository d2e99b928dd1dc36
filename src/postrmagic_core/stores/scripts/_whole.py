"""Numbers as Scripts keep them: decimal digits."""

from __future__ import annotations


def whole(value: bytes | None) -> int | None:
    """The number in these digits; ``None`` for what no Script wrote: other bytes, or more than a double holds."""
    if value is None or len(value) > 16 or not value.isdigit():
        return None
    number = int(value)
    return number if number < 2**53 else None
