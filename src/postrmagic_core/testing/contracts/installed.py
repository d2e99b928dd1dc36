"""The contracts on an installed adapter, where others may have keys too: what ``postrmagic contract URL`` runs.

Not a suite to subclass: pytest collects it when the command asks for it, and its plugin says which store is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from itertools import count
from typing import Any

import pytest

from postrmagic_core.stores import Store, SupportsScan, open_store
from postrmagic_core.stores.checks import MAX_KEY

from .cache import CacheContract
from .session import SessionContract
from .store import StoreContract
from .through import Through, through

_DIGEST = 16
_BATCH = 500


class Fenced(Through):
    """Every key under ``prefix``, so that nobody else's is read or written; what was written is deleted in the end."""

    def __init__(self, store: Any, prefix: bytes) -> None:
        super().__init__(store)
        self._prefix = prefix
        self._written: set[bytes] = set()

    def asked(self, operation: str, keys: Sequence[bytes]) -> None:
        """Remember what may have been written."""
        if operation in {"set", "run"}:
            self._written.update(self.key(key) for key in keys if type(key) is bytes and 0 < len(key) <= MAX_KEY)

    def key(self, key: bytes) -> bytes:
        """Under the prefix, and no longer than it was where it is as long as a key may be.

        What is no key at all is handed on: the store has to refuse it.
        """
        if type(key) is not bytes or not key:
            return key
        if len(self._prefix) + len(key) <= MAX_KEY or len(key) > MAX_KEY:
            return self._prefix + key
        digest = blake2b(key, digest_size=_DIGEST).digest()
        return self._prefix + digest + key[len(self._prefix) + _DIGEST :]

    def prefix(self, prefix: bytes) -> bytes:
        """Under the prefix; the empty one is not tried."""
        if not prefix:
            pytest.skip("not tried where others may have keys: a store that breaks it would delete theirs")
        return self._prefix + prefix

    def close(self) -> None:
        """Delete what was written, and close the store."""
        written, self._written = sorted(self._written), set()
        for start in range(0, len(written), _BATCH):
            self.store.delete(written[start : start + _BATCH])
        if written and isinstance(self.store, SupportsScan):
            self.store.clear(self._prefix)  # what a forked child wrote, too
        super().close()


_numbers = count()


class _Installed:
    @pytest.fixture
    def open_store(self, request: pytest.FixtureRequest) -> Callable[[], Store]:
        """Opens the store of the command's URL, each test under a prefix of its own."""
        asked: Any = request.config.pluginmanager.get_plugin("postrmagic-contract")
        prefix = b"%s%d:" % (asked.prefix, next(_numbers))
        return lambda: through(Fenced, open_store(asked.url, timeout=asked.timeout), prefix)


class TestStore(_Installed, StoreContract):
    """As a store."""


class TestCache(_Installed, CacheContract):
    """Under a cache."""


class TestSessions(_Installed, SessionContract):
    """Under sessions."""
