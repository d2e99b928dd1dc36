"""A database with the tables of observability, and time that passes when told."""

from __future__ import annotations

from tests.databases import kept_url  # noqa: F401 - pytest looks for fixtures here
from tests.observability.errors.conftest import (  # noqa: F401 - pytest looks for fixtures here
    clock,
    database,
    database_url,
    kept_database,
)
