"""Lines in memory: for tests, and for who wants to look at what was logged."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class MemorySink:
    """Keeps the last ``keep`` lines (default: all) in :attr:`lines`."""

    lines: deque[bytes]

    def __init__(self, keep: int | None = None) -> None:
        self.lines = deque(maxlen=keep)

    @property
    def text(self) -> str:
        """The lines as a file would have them."""
        return b"".join(line + b"\n" for line in list(self.lines)).decode("utf-8", "replace")

    def write(self, lines: Sequence[bytes]) -> int:
        """Keep ``lines``."""
        self.lines.extend(lines)
        return len(lines)

    def idle(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing: the lines stay, to be read."""
