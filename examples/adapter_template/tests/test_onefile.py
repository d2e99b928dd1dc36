"""The file keeps what a store promises, and carries a cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from postrmagic_core.testing.contracts.cache import CacheContract
from postrmagic_core.testing.contracts.store import StoreContract
from postrmagic_template.onefile import OneFileStore


@pytest.fixture
def open_one(tmp_path: Path) -> Callable[[], OneFileStore]:
    """An empty backend for each test."""
    return lambda: OneFileStore.from_url(f"onefile://{tmp_path}/values", timeout=5)


class TestOneFile(StoreContract):
    """As a store."""

    @pytest.fixture
    def open_store(self, open_one: Callable[[], OneFileStore]) -> Callable[[], OneFileStore]:
        """The file."""
        return open_one


class TestCacheOnOneFile(CacheContract):
    """Under a cache."""

    @pytest.fixture
    def open_store(self, open_one: Callable[[], OneFileStore]) -> Callable[[], OneFileStore]:
        """The file."""
        return open_one
