"""What is near: copies of values on the server, each kept until its key changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from postrmagic_core._lifecycle import after_fork
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.locked import Entry

# The part of the room one value may take: a larger one would push out everything else.
_SHARE = 16


class _Near(MemoryStore):
    """Copies as a memory store's entries; they end by the monotonic clock, in milliseconds."""

    def look(self, key: bytes, now: float) -> bytes | None:
        """The very object that was kept, if it is there and not over at ``now`` (monotonic seconds)."""
        try:
            value, ends_ms = self._entries[key]
            self._entries.move_to_end(key)
        except KeyError:
            return None
        return value if ends_ms is not None and now * 1000 < ends_ms else None


class Copies:
    """At most ``max_bytes``, the least recently used out first; each for ``ttl`` seconds at most.

    A reader announces its keys before it asks the server, and what it brings is kept only if none of them was dropped
    meanwhile: otherwise a value read before a change would be kept after it.
    """

    def __init__(self, max_bytes: int, ttl: float, monotonic: Callable[[], float]) -> None:
        self._near = _Near(max_bytes=max_bytes, max_entries=max_bytes)
        self._largest = max_bytes // _SHARE
        self._ttl = ttl
        self._monotonic = monotonic
        self.look = self._near.look
        self._forget()
        after_fork(self._forget)

    def begin(self, keys: Iterable[bytes]) -> object:
        """Announce a read of ``keys``; hand what it answers to :meth:`end`, whatever becomes of the read."""
        ticket = object()
        with self._lock:
            if self._serving:
                self._reading.update(dict.fromkeys(keys, ticket))
        return ticket

    def end(self, ticket: object, keys: Iterable[bytes], values: Mapping[bytes, bytes | None]) -> None:
        """Keep the values of the keys that nobody dropped, or read anew, since :meth:`begin`."""
        ends_ms = int((self._monotonic() + self._ttl) * 1000)
        with self._lock, self._near.locked(()):
            for key in keys:
                if self._reading.get(key) is ticket:
                    del self._reading[key]
                    value = values.get(key)
                    if value is not None and len(value) <= self._largest:
                        self._near.save(None, {key: Entry(value, ends_ms)})

    def drop(self, keys: Iterable[bytes]) -> None:
        """The keys have changed, or may have."""
        doomed = dict.fromkeys(keys)
        with self._lock, self._near.locked(()):
            for key in doomed:
                self._reading.pop(key, None)
            self._near.save(None, doomed)

    def drop_prefix(self, prefix: bytes) -> None:
        """All keys that begin so have changed, or may have."""
        with self._lock:
            for key in [key for key in self._reading if key.startswith(prefix)]:
                del self._reading[key]
            self._near.clear(prefix)

    def drop_all(self) -> None:
        """Everything has changed."""
        with self._lock:
            self._empty()

    def serve(self) -> None:
        """From now on every change is told: what is read may be kept."""
        with self._lock:
            self._serving = True

    def withdraw(self) -> None:
        """Changes are told no more: forget everything and keep nothing, not even what is being read now."""
        with self._lock:
            self._serving = False
            self._empty()

    def _empty(self) -> None:
        self._reading.clear()
        self._near.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._serving = False
        self._reading: dict[bytes, object] = {}
