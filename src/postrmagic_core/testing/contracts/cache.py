"""What a cache promises on a store, as tests: subclass :class:`CacheContract`, say how to open your store, and run it.

::

    class TestCacheOnMyStore(CacheContract):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: MyStore(tmp_path)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import Store
from postrmagic_core.testing import FakeClock

from .cache_cancelled import CancelledPromises
from .cache_flights import FlightPromises
from .cache_hostile import HostilePromises
from .cache_outage import OutagePromises
from .cache_rig import Face, Opener, Watched, by_face
from .cache_tags import TagPromises
from .cache_values import ValuePromises
from .on_store import OnStore
from .through import through


class CacheContract(
    OnStore,
    ValuePromises,
    TagPromises,
    FlightPromises,
    CancelledPromises,
    OutagePromises,
    HostilePromises,
):
    """Every promise of :class:`~postrmagic_core.cache.CacheManager` that rests on its store, on both faces.

    A subclass supplies the fixture ``open_store``. What needs a capability that the store lacks is skipped, with the
    reason.
    """

    @pytest.fixture
    def cache_class(self) -> type[CacheManager]:
        """Override to prove a cache of another make."""
        return CacheManager

    @pytest.fixture
    def open_cache(self, store: Store, cache_class: type[CacheManager], frozen_clock: FakeClock) -> Iterator[Opener]:
        """Opens caches on the test's store; their clock is ``frozen_clock``."""
        with ExitStack() as opened:

            def open_one(on: Any = store, **options: Any) -> CacheManager:
                return opened.enter_context(cache_class(on, **{"clock": frozen_clock, **options}))

            yield open_one

    @pytest.fixture
    def cache(self, open_cache: Opener) -> CacheManager:
        """The cache of one test."""
        return open_cache()

    @pytest.fixture(params=["sync", "async"])
    def face(self, request: pytest.FixtureRequest, cache: CacheManager) -> Iterator[Face]:
        """The cache by each of its faces."""
        with by_face(request.param, cache) as face:
            yield face

    @pytest.fixture
    def watched(self, store: Store) -> Watched:
        """The test's store, its operations counted; it can be away."""
        return through(Watched, store)
