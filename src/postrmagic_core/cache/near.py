"""What this process has decoded already, for stores whose values it can look at: a hit without unpacking anything."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from .._metrics import Counter
from ..stores.interface import SupportsPeek
from .codecs import Codec
from .policy import Entry

# Bytes of payloads decoded at a time, and of the largest that is worth it.
_MOST = 16 * 1024 * 1024
_LARGEST = 256 * 1024
# Objects that nobody can change may be given to everybody; any other is decoded anew for each caller.
_UNCHANGING = frozenset(
    {str, bytes, int, float, bool, type(None), Decimal, dt.datetime, dt.date, dt.time, dt.timedelta, UUID}
)

MISSING: Final = object()


class Held:
    """An entry as it was read, and what must still be so for it to be served.

    The store holds these very bytes; ``until`` (monotonic seconds) has not come; each tag has the generation of then.
    """

    __slots__ = (
        "codec",
        "cost_us",
        "data",
        "generations",
        "kind",
        "name",
        "payload",
        "shared",
        "tags",
        "until",
        "value",
    )

    def __init__(
        self,
        name: bytes,
        data: bytes,
        until: float,
        generations: tuple[tuple[bytes, bytes], ...],
        codec: Codec,
        entry: Entry,
        value: Any,
    ) -> None:
        self.name = name
        self.data = data
        self.until = until
        self.tags = entry.tags
        self.generations = generations
        self.codec = codec
        self.kind = codec.kind
        self.shared = _unchanging(value)
        self.value = value if self.shared else None
        self.payload = b"" if self.shared else entry.payload
        self.cost_us = entry.cost_us


class Near:
    """The entries last read, the oldest out first; ``monotonic`` is the cache's clock. Counts hits and their gain."""

    def __init__(self, store: SupportsPeek, monotonic: Callable[[], float], hits: Counter, saved_us: Counter) -> None:
        self._peek = store.peek
        self.monotonic = monotonic
        self._hits = hits
        self._saved_us = saved_us
        self._held: dict[str, Held] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def value(self, key: str, kind: Any, tags: tuple[str, ...] | None = None) -> Any:
        """The value of ``key`` if it may be served now, else ``MISSING``; ``tags``: it must be under just these.

        Written out, each call within would be a tenth of its cost.
        """
        held = self._held.get(key)
        if held is None or self._peek(held.name) is not held.data or self.monotonic() >= held.until:
            return MISSING
        if kind is not held.kind and kind != held.kind:
            return MISSING
        if held.generations:
            for name, generation in held.generations:
                if self._peek(name) != generation:
                    return MISSING
        if tags is not None and tags != held.tags:
            return MISSING
        self._hits.value += 1
        self._saved_us.value += held.cost_us
        return held.value if held.shared else held.codec.decode(held.payload)

    def keep(self, key: str, held: Held) -> None:
        """Remember ``held`` for the next look."""
        size = len(held.data)
        if size > _LARGEST:
            return
        with self._lock:
            self._drop(key)
            self._held[key] = held
            self._bytes += size
            while self._bytes > _MOST:
                self._drop(next(iter(self._held)))

    def _drop(self, key: str) -> None:
        old = self._held.pop(key, None)
        if old is not None:
            self._bytes -= len(old.data)


def _unchanging(value: Any) -> bool:
    kind = type(value)
    return kind in _UNCHANGING or (kind in {tuple, frozenset} and _all_unchanging(value))


def _all_unchanging(values: Iterable[Any]) -> bool:
    return all(_unchanging(value) for value in values)
