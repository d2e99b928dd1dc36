"""Where rendered lines go."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """Takes finished lines. One call is one line, from any thread; a failure raises :class:`OSError`."""

    def write(self, line: str) -> None:
        """Write ``line`` (without its newline), at once."""
        ...

    def close(self) -> None:
        """Release what the sink opened itself; a stream handed in stays open."""
        ...
