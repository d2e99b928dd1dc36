"""Stores alone: bytes with a time to live, a lease, a rate limit, and an adapter of one's own in thirty lines."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import ClassVar

from postrmagic_core.errors import Conflict
from postrmagic_core.stores import Keys, Store, leased, open_store
from postrmagic_core.stores.locked import Entry, LockedStore
from postrmagic_core.stores.scripts import GCRA


class DictStore(LockedStore[None]):
    """The smallest store: a dictionary and a lock. Everything else comes from the base."""

    blocking: ClassVar[bool] = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: dict[bytes, Entry] = {}

    @contextmanager
    def locked(self, keys: Sequence[bytes]) -> Iterator[None]:
        """One lock for all keys."""
        with self._lock:
            yield

    def load(self, held: None, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """What is there, ended or not: the base looks at the time."""
        return {key: self._entries[key] for key in keys if key in self._entries}

    def save(self, held: None, changes: Mapping[bytes, Entry | None]) -> None:
        """Store and delete."""
        for key, entry in changes.items():
            self._entries.pop(key, None)
            if entry is not None:
                self._entries[key] = entry

    def close(self) -> None:
        """Nothing to release."""


def demonstrate(store: Store) -> None:
    """What every store can do."""
    keys = Keys("shop")
    page = keys.build("page", "list", 'posters & more: "all"')
    store.set({page: b"<ul>...</ul>"}, 60_000)
    assert store.get([page, keys.build("page", "missing")]) == [b"<ul>...</ul>", None]

    bucket = keys.build("limit", "192.0.2.1")
    answers = [store.run(GCRA, [bucket], [20_000_000, 3]) for _ in range(4)]  # three at once, three a minute
    assert [admitted for admitted, _ in answers] == [1, 1, 1, 0]

    with leased(store, keys.build("lease", "import"), ttl=30) as lease:
        print(f"{type(store).__name__}: lease held, fence {lease.fence}")
        try:
            with leased(store, keys.build("lease", "import"), ttl=30):
                raise AssertionError("two owners")
        except Conflict as error:
            print(f"{type(store).__name__}: {error}")


if __name__ == "__main__":
    for each in (open_store("memory://"), open_store("sqlite:///kv.db"), DictStore()):
        with closing(each) as opened:
            demonstrate(opened)
