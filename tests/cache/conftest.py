"""Every store, either face, and a cache on top whose freshness follows a clock that moves when told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import Store, open_store
from postrmagic_core.testing import FakeClock
from postrmagic_core.testing.contracts.cache_rig import Face, by_face
from tests.backends import TIMEOUT, VALKEY
from tests.disks import room  # noqa: F401 - pytest looks for fixtures here
from tests.redis_kinds import (  # noqa: F401 - pytest looks for fixtures and hooks here
    own_redis_server,
    pytest_generate_tests,
    redis_kind,
    redis_url,
    valkey_server,
    valkey_url,
)

MYSQL = pytest.param("mysql", marks=[pytest.mark.mysql, pytest.mark.soak])


@pytest.fixture(params=["memory", "sqlite", pytest.param("redis", marks=pytest.mark.redis), MYSQL, VALKEY])
def store(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[Store]:
    """An empty store: one that is near, one whose operations are lifted, an awaitable one; a soak takes them all.

    What every store must do for a cache is in the published contract, which runs on each.
    """
    store = open_store(url_of(request.param), timeout=TIMEOUT)
    yield store
    store.close()


@pytest.fixture
def cache(store: Store, frozen_clock: FakeClock) -> Iterator[CacheManager]:
    """An open cache; its clock is ``frozen_clock``."""
    with CacheManager(store, clock=frozen_clock) as opened:
        yield opened


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest, cache: CacheManager) -> Iterator[Face]:
    """The cache by each of its faces."""
    with by_face(request.param, cache) as face:
        yield face
