"""What takes lines to a receiver, and how it says that it could not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Refused(OSError):
    """The receiver got the lines and calls them malformed, or too many at once: the same ones will never do."""


class Later(OSError):
    """The receiver asks to be left alone for ``after`` seconds."""

    after: float

    def __init__(self, told: str, after: float) -> None:
        super().__init__(told)
        self.after = after


class Shipper(Protocol):
    """Takes lines to one receiver, from one thread at a time. It must not log: its own records would come back."""

    def ship(self, lines: Sequence[bytes]) -> int:
        """Have the receiver take ``lines`` (JSON objects in UTF-8, without newline; never empty), in order.

        Returns once it acknowledged them: how many it says it dropped for good, mostly 0. Within about ten seconds it
        raises :class:`Refused`, :class:`Later`, or any other :class:`OSError` for what may work later; then all
        ``lines`` are given again, though some may have arrived. No message holds a credential.
        """
        ...

    def close(self) -> None:
        """Release the connection; again without effect, and :meth:`ship` may open another."""
        ...
