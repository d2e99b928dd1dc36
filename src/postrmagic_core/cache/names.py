"""The keys of one namespace's cache."""

from __future__ import annotations

from collections.abc import Iterable

from ..stores.keys import Keys

# The digit is the entries' format: a deploy that changes it reads nothing of what the last one wrote.
_ENTRY = "cache1"
_TAG = "cachetag"
_LEASE = "cachefill"


class CacheKeys:
    """Names of entries, tags and leases; see :class:`~postrmagic_core.stores.keys.Keys`."""

    __slots__ = ("_keys",)

    def __init__(self, namespace: str) -> None:
        self._keys = Keys(namespace)

    @property
    def prefix(self) -> bytes:
        """What the keys of all entries begin with."""
        return self._keys.prefix(_ENTRY)

    def entry(self, key: str) -> bytes:
        """The key of the entry ``key``."""
        if not key:
            raise ValueError("a cache key is a non-empty string, got an empty one")
        return self._keys.build(_ENTRY, key)

    def tags(self, tags: Iterable[str]) -> list[bytes]:
        """The keys of the tags' generations, in the order given."""
        return [self._keys.build(_TAG, tag) for tag in tags]

    def lease(self, key: str) -> bytes:
        """The key of the lease under which the entry ``key`` is computed; no ``clear()`` of entries drops it."""
        return self._keys.build(_LEASE, key)
