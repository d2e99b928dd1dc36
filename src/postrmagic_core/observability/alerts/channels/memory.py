"""A channel that keeps what it is given, for tests."""

from __future__ import annotations

from ..interface import Notification


class MemoryChannel:
    """Keeps notifications in ``told``; with ``error`` set it raises that instead."""

    def __init__(self) -> None:
        self.told: list[Notification] = []
        self.error: Exception | None = None

    def send(self, notification: Notification) -> None:
        """Keep it."""
        if self.error is not None:
            raise self.error
        self.told.append(notification)

    def close(self) -> None:
        """Nothing."""
