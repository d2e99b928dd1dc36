"""Which features are used: read seldom where that is dear, as it counts all users of the days."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

from .interface import Ask
from .reading_memory import Remembered

if TYPE_CHECKING:
    from ..experience import Adoption, Experience

_SHARE = 100.0
"""What is read is shown for so many times as long as reading took: watched, it costs a hundredth of a thread."""
_LONGEST = 3600.0


class _Read:
    """What was read, by the number of days, and the instant until which it is shown."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, tuple[float, list[Adoption]]] = {}

    def of(self, ask: Ask, source: Experience, days: int) -> list[Adoption]:
        now = ask.clock.monotonic
        with self._lock:  # who comes meanwhile is shown the same
            until, found = self._known.get(days, (0.0, []))
            began = now()
            if days not in self._known or began >= until:
                found = source.adoption(ask.now - timedelta(days=days))
                ended = now()
                self._known[days] = ended + min(_SHARE * (ended - began), _LONGEST), found
            return found


_read = Remembered(_Read)


def adoption(ask: Ask, days: int) -> list[Adoption] | None:
    """The features used in the last ``days``, those of most users first; ``None`` where nobody counts them.

    With a million rows it takes seconds: then it is as old as a hundred times that.
    """
    source: Experience | None = ask.source("experience")
    return None if source is None else _read.of(source).of(ask, source, days)
