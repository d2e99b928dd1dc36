"""What stands in the place of a guard when it is taken away."""

from __future__ import annotations

from collections.abc import Callable


def unpieced(statement: bytes) -> tuple[bytes, int]:
    """No statement is a piece of a value."""
    return b"", 0


def trusting(server: object) -> Callable[[bytes], bool]:
    """No statement is refused."""
    return lambda statement: False
