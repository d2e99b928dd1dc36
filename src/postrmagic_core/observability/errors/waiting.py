"""Errors that are not in the database yet: counted by group, bounded, and safe from many threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from . import policy

MOST: Final = 1000
HOUR_US: Final = 3_600 * 1_000_000
# What was seen later than in a day was seen by a clock that was wrong.
AHEAD_US: Final = 24 * HOUR_US
# Of so many groups at once the newest event is kept whole; of more, its head: memory must have an end.
_WHOLE = 100


Noting: TypeAlias = Literal["first", "counted", "refused"]


@dataclass(slots=True)
class Noted:
    """Errors of one group: how many, when, how many in each hour, and the newest event."""

    first_us: int
    last_us: int
    event: Mapping[str, Any]
    hours: dict[int, int] = field(default_factory=dict)


class Waiting:
    """At most 1,000 different groups an hour; whatever more there are is refused. ``counted``: all that were not."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._groups: dict[str, Noted] = {}
        self._seen: set[str] = set()
        self._hour = 0
        self.counted = 0

    def note(self, fingerprint: str, event: Mapping[str, Any], now_us: int) -> Noting:
        """Count one: the ``first`` since what waited was taken, or ``refused``, as it is of one group too many."""
        hour = now_us - now_us % HOUR_US
        with self._changing:
            if hour != self._hour:
                self._hour, self._seen = hour, set(self._groups)
            found = self._groups.get(fingerprint)
            if found is None:
                if fingerprint not in self._seen and len(self._seen) >= MOST:
                    return "refused"
                self._seen.add(fingerprint)
                self.counted += 1
                kept = event if len(self._groups) < _WHOLE else policy.head(event)
                self._groups[fingerprint] = Noted(now_us, now_us, kept, {hour: 1})
                return "first" if len(self._groups) == 1 else "counted"
            # The machine's clock may be set back.
            found.first_us = min(found.first_us, now_us)
            if now_us >= found.last_us or found.last_us > now_us + AHEAD_US:
                found.last_us = now_us
                found.event = event if len(self._groups) <= _WHOLE else found.event
            self.counted += 1
            found.hours[hour] = found.hours.get(hour, 0) + 1
            return "counted"

    def take(self) -> dict[str, Noted]:
        """What has been noted since the last time."""
        with self._changing:
            taken, self._groups = self._groups, {}
        return taken

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._groups
