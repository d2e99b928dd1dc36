"""One backend per technology: every test here runs on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postrmagic_core._sql import Backend, PoolLimits, Timeouts, open_backend


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of this test's own."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'app.db'}"
    url: str = request.getfixturevalue("mysql_url")
    return url


@pytest.fixture
def make_backend(database_url: str) -> Iterator[Callable[..., Backend]]:
    """A factory of backends over the same database, disposed of after the test."""
    made: list[Backend] = []

    def make(pool: PoolLimits = PoolLimits(), timeouts: Timeouts = Timeouts()) -> Backend:  # noqa: B008 - frozen values
        made.append(open_backend(database_url, pool=pool, timeouts=timeouts))
        return made[-1]

    yield make
    for backend in made:
        backend.dispose()


@pytest.fixture
def backend(make_backend: Callable[..., Backend]) -> Backend:
    """A backend with the default limits."""
    return make_backend()
