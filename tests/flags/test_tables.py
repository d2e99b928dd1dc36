"""What the code declares is what the migrations make."""

from __future__ import annotations

from collections.abc import Callable

from postrmagic_core.database import DatabaseManager
from postrmagic_core.flags.tables import metadata
from tests.databases import database_url, made_by_migrations, open_database  # noqa: F401 - pytest looks for fixtures here


def test_the_migrations_make_what_the_code_declares(
    open_database: Callable[..., DatabaseManager],  # noqa: F811 - the fixture imported
) -> None:
    """Types, keys and indexes are equal."""
    migrated, declared = made_by_migrations(open_database(), metadata)
    assert migrated == declared
