"""Logs of a machine for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.log.search.rig import Logs


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    """Logs in a directory of their own."""
    made = Logs(tmp_path)
    yield made
    made.close()
