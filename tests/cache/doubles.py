"""The cache without each of its guards, and stores and caches that are wrong on purpose."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from typing import Any

from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import BackendError
from postrmagic_core.stores import Lease, acquire
from postrmagic_core.stores.locked import Entry
from standalone.store import DictStore

# ``make guards`` puts these in their places (tests/faults.toml).


def lease_of_ones_own(port: Any, key: bytes) -> Lease | None:
    """Everyone gets a lease: processes do not know of each other."""
    return acquire(port.store, key + secrets.token_bytes(8), ttl=5.0)


def always_fresh(*args: object) -> str:
    """Generations and times are not looked at."""
    return "fresh"


# Stores and caches that break one promise each: test_planted.py shows that the contracts notice.


class Good(DictStore):
    """The smallest store, which also finds keys by prefix."""

    def clear(self, prefix: bytes) -> int:
        """Delete what begins with ``prefix``."""
        if not prefix:
            raise ValueError("an empty prefix")
        return self.delete([key for key in self._entries if self.begins(key, prefix)])

    def begins(self, key: bytes, prefix: bytes) -> bool:
        """Whether the key is to be cleared."""
        return key.startswith(prefix)


class Forgetful(Good):
    """What is set is not there."""

    def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """Do nothing."""


class Undead(Good):
    """What has ended is still there."""

    def save(self, held: None, changes: Mapping[bytes, Entry | None]) -> None:
        """Without its end."""
        super().save(held, {key: entry and Entry(entry.value, None) for key, entry in changes.items()})


class Torn(Good):
    """Between reading and writing a Script's keys others do both."""

    @contextmanager
    def locked(self, keys: Sequence[bytes]) -> Iterator[None]:
        """Nothing is."""
        yield

    def save(self, held: None, changes: Mapping[bytes, Entry | None]) -> None:
        """When everybody has read."""
        time.sleep(0.02)
        super().save(held, changes)


class Globbing(Good):
    """A prefix is a pattern of the shell."""

    def begins(self, key: bytes, prefix: bytes) -> bool:
        """As KEYS of Redis would say."""
        return fnmatchcase(key.decode("latin-1"), prefix.decode("latin-1") + "*")


class Liking(Good):
    """A prefix is a pattern of SQL, and letters are alike in both cases."""

    def begins(self, key: bytes, prefix: bytes) -> bool:
        """As LIKE would say."""
        pattern = re.escape(prefix).replace(b"_", b".").replace(b"%", b".*")
        return re.match(pattern, key, re.IGNORECASE | re.DOTALL) is not None


class Crossing(Good):
    """Answers come in the order of the store's choice."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Backwards."""
        return super().get(keys)[::-1]


class LateTags(CacheManager):
    """Tags are captured after the value was computed; ``None`` is a miss; nobody waits for anybody."""

    def get_or_set(self, key: str, fn: Callable[[], Any], **options: Any) -> Any:
        """Look, compute, store."""
        value = self.get(key)
        if value is None:
            value = fn()
            self.set(key, value, options["fresh"], tags=options.get("tags", ()))
        return value


class Soothing(CacheManager):
    """An outage is nobody's business."""

    def _invalidate(self, tags: Sequence[str]) -> None:
        """If it can be done."""
        with suppress(BackendError):
            super()._invalidate(tags)


class Unscoped(CacheManager):
    """A namespace is what keys begin with, more or less."""

    def clear(self) -> int:
        """And of everybody whose namespace begins alike."""
        cleared: int = self.store.clear(b"{" + self.namespace.encode())  # type: ignore[attr-defined]  # planted
        return cleared


class Clinging(CacheManager):
    """Leases are left to end by themselves."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)

        async def keep(lease: object) -> None:
            return None

        self._port.release = lambda lease: None  # type: ignore[method-assign]  # planted
        self.aio._port.release = keep  # type: ignore[method-assign]  # planted
