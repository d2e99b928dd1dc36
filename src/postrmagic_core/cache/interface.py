"""What the cache shows of itself: its statistics, its outage policy, and what units and outbox rows must offer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

Unavailable: TypeAlias = Literal["open", "stale", "closed"]


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Counts of one namespace in this process since it started.

    ``alone`` are computations that ran without the promise of being the only one: the store was away, or the one who
    computed elsewhere did not end within the wait. ``errors`` are failed store operations, ``unreadable`` entries that
    were not what this version writes (a miss each). ``bytes`` were stored, keys not counted.
    ``seconds_saved``: what computing took, of each hit's value, wherever that was; ``compute_seconds``: computing here.
    """

    hits: int
    stale: int
    misses: int
    computes: int
    alone: int
    errors: int
    unreadable: int
    bytes: int
    compute_seconds: float
    seconds_saved: float

    @property
    def hit_rate(self) -> float:
        """The share of reads that found a value, fresh or stale: 0 to 1; 0 as long as nobody read."""
        found = self.hits + self.stale
        return found / (found + self.misses) if found else 0.0


class Committing(Protocol):
    """A unit of either face, as far as an invalidation needs it."""

    def stage(self, topic: str, payload: bytes, *, key: str | None = None, due_us: int = 0) -> None:
        """Put a row into the outbox."""
        ...

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Call ``hook`` once the unit has surely committed."""
        ...


class Delivery(Protocol):
    """An outbox row, as the route of topic ``cache`` sees it."""

    @property
    def payload(self) -> bytes:
        """What ``invalidate(tx=)`` staged."""
        ...
