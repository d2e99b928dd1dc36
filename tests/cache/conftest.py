"""Every store, either face, and a cache on top whose freshness follows a clock that moves when told."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.interface import SupportsAsync
from postrmagic_core.testing import FakeClock

# A busy machine may need longer than the half second that production promises.
TIMEOUT = 5.0


@pytest.fixture(
    params=[
        "memory",
        "sqlite",
        pytest.param("mysql", marks=pytest.mark.mysql),
        pytest.param("redis", marks=pytest.mark.redis),
    ]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    urls: dict[str, Callable[[], str]] = {
        "memory": lambda: "memory://",
        "sqlite": lambda: f"sqlite:///{tmp_path / 'kv.db'}",
        "mysql": lambda: str(request.getfixturevalue("mysql_url")),
        "redis": lambda: str(request.getfixturevalue("redis_url")),
    }
    opened = open_store(urls[request.param](), timeout=TIMEOUT)
    yield opened
    opened.close()


class Face:
    """A cache's methods by name, on one face; both return when done."""

    def __init__(self, cache: CacheManager, runner: asyncio.Runner | None) -> None:
        self.cache = cache
        self.runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The method; where the face is async, run in the test's event loop."""
        if self.runner is None:
            return getattr(self.cache, name)  # type: ignore[no-any-return]  # looked up by name
        method, runner = getattr(self.cache.aio, name), self.runner
        if not inspect.iscoroutinefunction(method):
            return method  # type: ignore[no-any-return]  # looked up by name
        return lambda *args, **options: runner.run(method(*args, **options))


@pytest.fixture
def cache(store: Store, frozen_clock: FakeClock) -> Iterator[CacheManager]:
    """An open cache; its clock is ``frozen_clock``."""
    with CacheManager(store, clock=frozen_clock) as opened:
        yield opened


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest, cache: CacheManager) -> Iterator[Face]:
    """The cache by each of its faces."""
    if request.param == "sync":
        yield Face(cache, None)
        return
    with asyncio.Runner() as runner:
        yield Face(cache, runner)
        if isinstance(cache.store, SupportsAsync):
            runner.run(cache.store.native.close())  # type: ignore[attr-defined]  # the Redis store's own
