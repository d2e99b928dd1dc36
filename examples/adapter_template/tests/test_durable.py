"""It keeps what a database promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from postrmagic_core.registry import DATABASES, Registry
from postrmagic_core.testing.contracts.database import DatabaseContract
from postrmagic_template.durable import DurableBackend


class TestDurable(DatabaseContract):
    """On every face."""

    not_applicable: ClassVar[Mapping[str, str]] = {
        "decimals": "SQLite has none",
        "declared sizes": "SQLite does not keep them",
    }

    @pytest.fixture
    def database_url(self, tmp_path: Path) -> str:
        """An empty database for each test."""
        return f"durable:///{tmp_path}/app.db"

    @pytest.fixture
    def registry(self) -> Registry:
        """Not needed once it is published."""
        registry = Registry()
        registry.register(DATABASES, "durable", DurableBackend)
        return registry
