"""The keys of one namespace's cache."""

from __future__ import annotations

from collections.abc import Iterable

from ..stores.keys import Keys

# The digit is the entries' format: a deploy that changes it reads nothing of what the last one wrote.
_ENTRY = "cache3"
_TAG = "cachetag"
_LEASE = "cachefill"

# Names built lately are kept: building one costs as much as reading it from memory. Those of long keys are not.
_MOST = 8192
_LONGEST = 512


class CacheKeys:
    """Names of entries, tags and leases; see :class:`~postrmagic_core.stores.keys.Keys`."""

    __slots__ = ("_keys", "_tags", "known")

    def __init__(self, namespace: str) -> None:
        self._keys = Keys(namespace)
        # Names of entries built lately: who has no time for a call looks here first.
        self.known: dict[str, bytes] = {}
        self._tags: dict[str, bytes] = {}

    @property
    def prefix(self) -> bytes:
        """What the keys of all entries begin with."""
        return self._keys.prefix(_ENTRY)

    def entry(self, key: str) -> bytes:
        """The key of the entry ``key``."""
        return self.known.get(key) or self._built(key)

    def _built(self, key: str) -> bytes:
        if not key:
            raise ValueError("a cache key is a non-empty string, got an empty one")
        return _remember(self.known, key, self._keys.build(_ENTRY, key))

    def tags(self, tags: Iterable[str]) -> list[bytes]:
        """The keys of the tags' generations, in the order given."""
        known = self._tags
        return [known.get(tag) or _remember(known, tag, self._keys.build(_TAG, tag)) for tag in tags]

    def lease(self, key: str) -> bytes:
        """The key of the lease under which the entry ``key`` is computed; no ``clear()`` of entries drops it."""
        return self._keys.build(_LEASE, key)


def _remember(names: dict[str, bytes], given: str, name: bytes) -> bytes:
    if len(given) <= _LONGEST:
        if len(names) >= _MOST:
            names.clear()
        names[given] = name
    return name
