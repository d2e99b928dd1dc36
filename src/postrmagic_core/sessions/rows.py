"""Reading, swapping and dropping rows: what loading, saving and the lists of a user's sessions do with a store."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .._retry import RetryPolicy
from .._steps import Steps
from ..errors import Conflict, SealBroken
from ..stores.scripts import NOW, SWAP
from .devices import Entry, device_id
from .incidents import Incident, Watch
from .policy import Limits, Record
from .vault import Vault, revision_bytes

# Twenty requests that write one session at once need at most twenty rounds; the rest is for bad luck.
_TRIES = RetryPolicy(attempts=50, base=0.002, cap=0.05)


@dataclass(frozen=True, slots=True)
class Swap:
    """One row of a SWAP: how it must begin, the blob that takes its place, and how long that is kept."""

    key: bytes
    expected: bytes
    blob: bytes
    ttl_ms: int
    ends_us: int | None = None


class Rows:
    """The rows of one namespace."""

    def __init__(self, vault: Vault, limits: Limits, watch: Watch) -> None:
        self.vault = vault
        self.limits = limits
        self.watch = watch

    def opened(self, key: bytes, blob: bytes | None) -> tuple[int, Record] | None:
        """Revision and record; a blob that does not open counts as absent, and is told to whoever watches."""
        if blob is None:
            return None
        try:
            return self.vault.open(key, blob)
        except SealBroken:
            self.watch.tell(Incident("seal_broken", "refused", device_id(key)))
            return None

    def opened_list(self, key: bytes, blob: bytes | None) -> tuple[int, list[Entry]] | None:
        """Revision (0: there is none) and entries of a user's list; ``None`` where it does not open, which is told."""
        if blob is None:
            return 0, []
        try:
            return self.vault.open_list(key, blob)
        except SealBroken:
            self.watch.tell(Incident("seal_broken", "refused", device_id(key)))
            return None

    def update(self, key: bytes, revision: int, record: Record) -> Swap:
        """Replace a row whose revision is known; a new one has revision 0 so far. It lives for the idle time-out."""
        expected = revision_bytes(revision) if revision else b""
        blob = self.vault.seal(key, revision + 1, record)
        # One that was left is kept to its end: so long its id is known for a thief's.
        ttl_ms = self.limits.idle_ms if record.moved is None else self.limits.absolute_ms
        return Swap(key, expected, blob, ttl_ms, record.ends_us)

    def drop(self, key: bytes, revision: int) -> Swap:
        """Take away a row whose revision is known."""
        return Swap(key, revision_bytes(revision), b"", 1)

    def update_list(self, key: bytes, revision: int, entries: list[Entry]) -> Swap:
        """Replace a user's list whose revision is known."""
        expected = revision_bytes(revision) if revision else b""
        return Swap(key, expected, self.vault.seal_list(key, revision + 1, entries), self.limits.guard_ms)


def swapping(swaps: Sequence[Swap]) -> Callable[[Any], Any]:
    """The step that carries out all of ``swaps`` or none."""
    keys = [swap.key for swap in swaps]
    args = [arg for swap in swaps for arg in (swap.expected, swap.blob, swap.ttl_ms, _or_empty(swap.ends_us))]
    return lambda port: port.store.run(SWAP, keys, args)


def getting(keys: Sequence[bytes]) -> Callable[[Any], Any]:
    """The step that reads ``keys``."""
    return lambda port: port.store.get(keys)


def dropping(keys: Sequence[bytes]) -> Callable[[Any], Any]:
    """The step that deletes ``keys``."""
    return lambda port: port.store.delete(keys)


def store_time() -> Steps[int]:
    """The store's clock, in microseconds."""
    [now] = yield lambda port: port.store.run(NOW, [], [])
    return int(now)


def pause(failures: int) -> Steps[None]:
    """Wait before the next try; :class:`Conflict` after too many."""
    seconds = _TRIES.delay(failures, random.random())  # noqa: S311 - jitter, no secret
    if seconds is None:
        raise Conflict("the session was changed by others at every try; nothing was saved")
    yield lambda port: port.sleep(seconds)


def _or_empty(number: int | None) -> bytes | int:
    return b"" if number is None else number
