"""What the contracts on a store begin with: the store of a test, opened by whoever subclasses them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from postrmagic_core._bridge import Bridge
from postrmagic_core.errors import PostrMagicError
from postrmagic_core.stores import Store, SupportsScan


class OnStore:
    """Fixtures of a contract: a subclass supplies ``open_store``."""

    @pytest.fixture
    def open_store(self) -> Callable[[], Store]:
        """Override: opens a store on a backend that is empty at the test's start and this test's own."""
        raise NotImplementedError("supply a fixture `open_store` that returns a function without arguments")

    @pytest.fixture
    def store(self, open_store: Callable[[], Store]) -> Iterator[Store]:
        """The store of one test."""
        store = open_store()
        yield store
        store.close()

    @pytest.fixture
    def bridge(self) -> Iterator[Bridge]:
        """Where the async face of the store runs what blocks."""
        bridge = Bridge(4)
        yield bridge
        bridge.close()

    @pytest.fixture
    def scanning(self, store: Store) -> SupportsScan:
        """The store, if it can find keys by prefix."""
        if not isinstance(store, SupportsScan):
            pytest.skip(f"{type(store).__name__} has no clear(): it cannot find keys by prefix")
        return store


def persist(call: Callable[..., Any], *args: object) -> Any:
    """What ``call(*args)`` gives; asked again where a busy store says that nothing happened and another try may do."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return call(*args)
        except PostrMagicError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
