"""A store of each kind, on a backend of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postrmagic_core.stores import Store, open_store

Opener = Callable[[], Store]

SHARED = [
    "sqlite",
    pytest.param("mysql", marks=pytest.mark.mysql),
    pytest.param("mysqld", marks=[pytest.mark.mysql, pytest.mark.soak]),
    pytest.param("redis", marks=pytest.mark.redis),
]
EVERY = ["memory", *SHARED]


@pytest.fixture
def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The URL of an empty backend, by kind."""

    def url(kind: str) -> str:
        if kind == "memory":
            return "memory://"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/kv.db"
        return str(request.getfixturevalue(f"{kind}_url"))

    return url


@pytest.fixture(params=EVERY)
def store(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[Store]:
    """A store of every kind."""
    store = open_store(url_of(request.param), timeout=5.0)
    yield store
    store.close()


@pytest.fixture(params=SHARED)
def shared_url(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> str:
    """The URL of every kind of store that processes can share."""
    return url_of(request.param)
