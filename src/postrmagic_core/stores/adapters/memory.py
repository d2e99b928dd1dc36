"""A store in the memory of one process: for tests, and as the near cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Literal, Self

from postrmagic_core._clock import Clock, SystemClock
from postrmagic_core._lifecycle import after_fork
from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import OutOfSpace
from postrmagic_core.stores.checks import check_keys, check_prefix
from postrmagic_core.stores.interface import Usage
from postrmagic_core.stores.locked import Entry, LockedStore

# What CPython 3.11 spends on one entry beside the bytes themselves: two bytes headers, a tuple, an int, a dict slot.
_OVERHEAD = 250


class MemoryStore(LockedStore[None]):
    """Bytes in a dictionary, least recently used out first once ``max_bytes`` or ``max_entries`` is reached.

    Time to live follows the monotonic clock: a jump of the wall clock ends nothing early and prolongs nothing.
    A forked child starts empty: two copies that drift apart are no store.
    """

    blocking: ClassVar[bool] = False
    clock: ClassVar[Literal["store", "process"]] = "process"

    def __init__(
        self, *, clock: Clock | None = None, max_bytes: int = 64 * 1024 * 1024, max_entries: int = 100_000
    ) -> None:
        if max_bytes < 1 or max_entries < 1:
            raise ValueError(f"max_bytes and max_entries must be positive, got {max_bytes} and {max_entries}")
        self._time = clock or SystemClock()
        self._anchor_us = self._time.now_us() - int(self._time.monotonic() * 1e6)
        self._max_bytes = max_bytes
        self._max_entries = max_entries
        self._forget()
        after_fork(self._forget)

    @classmethod
    def from_url(
        cls, url: str, *, timeout: float = 0.5, clock: Clock | None = None, metrics: Metrics | None = None
    ) -> Self:
        """``memory://``: always a new, empty store; nothing in it can wait, so ``timeout`` binds nothing."""
        return cls(clock=clock)

    def locked(self, keys: Sequence[bytes]) -> AbstractContextManager[Any]:
        """One lock for the whole store."""
        return self._lock

    def load(self, held: None, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """The entries, each now the most recently used."""
        found = {}
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                found[key] = entry
        return found

    def save(self, held: None, changes: Mapping[bytes, Entry | None]) -> None:
        """Store and delete; then make room. More at once than fits is :class:`OutOfSpace`, and changes nothing."""
        kept = [_size(key, entry) for key, entry in changes.items() if entry is not None]
        if sum(kept) > self._max_bytes or len(kept) > self._max_entries:
            raise OutOfSpace(f"{sum(kept)} bytes in {len(kept)} values exceed what the memory store may hold")
        for key, entry in changes.items():
            old = self._entries.pop(key, None)
            if old is not None:
                self._bytes -= _size(key, old)
            if entry is not None:
                self._entries[key] = entry
                self._bytes += _size(key, entry)
        while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
            oldest, entry = self._entries.popitem(last=False)
            self._bytes -= _size(oldest, entry)
            self._evicted += entry.live(self.now_us() // 1000)

    def now_us(self, held: None = None) -> int:
        """Wall time when the store was made, carried on by the monotonic clock."""
        return self._anchor_us + int(self._time.monotonic() * 1e6)

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`."""
        check_keys(keys)
        now_ms = self.now_us() // 1000
        with self._lock:
            entries = self.load(None, keys)
        found = [entries.get(key) for key in keys]
        return [entry.value if entry is not None and entry.live(now_ms) else None for entry in found]

    def peek(self, key: bytes) -> bytes | None:
        """See :meth:`SupportsPeek.peek`; no lock: the dictionary's own operations are atomic."""
        try:
            value = self._entries[key].value
            self._entries.move_to_end(key)
        except KeyError:  # not there, or dropped this moment by another thread
            return None
        return value

    def clear(self, prefix: bytes) -> int:
        """See :meth:`SupportsScan.clear`."""
        check_prefix(prefix)
        now_ms = self.now_us() // 1000
        with self._lock:
            # Copied at one go: peek() reorders the entries under no lock.
            doomed = [key for key, _ in self._all() if key.startswith(prefix)]
            live = sum(self._entries[key].live(now_ms) for key in doomed)
            self.save(None, dict.fromkeys(doomed))
        return live

    def usage(self, prefix: bytes) -> Usage:
        """See :meth:`SupportsUsage.usage`."""
        check_prefix(prefix)
        now_ms = self.now_us() // 1000
        with self._lock:
            sizes = [
                len(key) + len(entry.value)
                for key, entry in self._all()
                if key.startswith(prefix) and entry.live(now_ms)
            ]
            return Usage(len(sizes), sum(sizes), self._evicted)

    def close(self) -> None:
        """Forget everything."""
        self._forget()

    def _all(self) -> list[tuple[bytes, Entry]]:
        while True:
            try:
                return list(self._entries.items())
            except RuntimeError:  # peek() takes no lock, and may move an entry meanwhile
                continue

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._bytes = 0
        self._evicted = 0


def _size(key: bytes, entry: Entry) -> int:
    return len(key) + len(entry.value) + _OVERHEAD
