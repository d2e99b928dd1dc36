"""A database with the tables of observability, time that passes when told, and certificates."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import kept_url  # noqa: F401 - pytest looks for fixtures here
from tests.observability.errors.conftest import (  # noqa: F401 - pytest looks for fixtures here
    clock,
    database,
    database_url,
    kept_database,
)
from tests.observability.uptime.targets import Authority
from tests.outages import house, server  # noqa: F401 - pytest looks for fixtures here


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs certificates here."""
    place: Path = tmp_path_factory.mktemp("authority")
    return Authority(place)
