"""What a database adapter is, as tests: subclass :class:`DatabaseContract`, give the URL of an empty database, run it.

::

    class TestMyDatabase(DatabaseContract):
        @pytest.fixture
        def database_url(self, my_server):
            return my_server.create_database()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, ClassVar

import pytest
from sqlalchemy import insert

from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.database.tables import metadata as package_tables
from postrmagic_core.registry import Registry

from .applicable import Applicable
from .database_aio import AsyncPromises
from .database_errors import ErrorPromises
from .database_isolation import IsolationPromises
from .database_lifecycle import LifecyclePromises
from .database_nesting import NestingPromises
from .database_rows import FACES, GET, Opener, Value, Write, counter, metadata
from .database_types import TypePromises
from .database_units import UnitPromises


class DatabaseContract(
    Applicable,
    UnitPromises,
    NestingPromises,
    IsolationPromises,
    ErrorPromises,
    TypePromises,
    AsyncPromises,
    LifecyclePromises,
):
    """Every promise of :class:`~postrmagic_core.database.DatabaseManager` that rests on its adapter, on both faces.

    A subclass supplies the fixture ``database_url``, and ``registry`` where the adapter is not installed as an entry
    point. ``not_applicable`` maps rows (``"decimals"``, ``"declared sizes"``) to the reason why the database has no
    such thing; they show as skipped.
    """

    rows: ClassVar[tuple[str, ...]] = ("decimals", "declared sizes")

    @pytest.fixture
    def database_url(self) -> str:
        """Override: the URL of a database that is empty at the test's start and this test's own."""
        raise NotImplementedError("supply a fixture `database_url`: the URL of an empty database for each test")

    @pytest.fixture
    def registry(self) -> Registry | None:
        """Override: a registry that knows the adapter; by default what is built in or installed."""
        return None

    @pytest.fixture
    def open_database(self, database_url: str, registry: Registry | None) -> Iterator[Opener]:
        """A factory of open managers over the same database, closed after the test."""
        with ExitStack() as opened:
            yield lambda **options: opened.enter_context(DatabaseManager(database_url, registry=registry, **options))

    @pytest.fixture
    def database(self, open_database: Opener) -> DatabaseManager:
        """An open database with the contract's tables, and a counter at 0."""
        manager = open_database()
        with manager.write() as tx:
            metadata.create_all(tx.connection)
            tx.execute(insert(counter).values(id=1, n=0))
        return manager

    @pytest.fixture
    def outbox(self, database: DatabaseManager) -> DatabaseManager:
        """The database with the package's tables, made faster than by ``upgrade()``."""
        with database.write() as tx:
            package_tables.create_all(tx.connection)
        return database

    @pytest.fixture(params=FACES)
    def write(self, request: pytest.FixtureRequest, database: DatabaseManager) -> Write:
        """Runs a function as a write unit: in a block, in an async block, and in one hop."""
        run: Callable[[DatabaseManager, Callable[[Unit], Any]], Any] = FACES[request.param]
        return partial(run, database)

    @pytest.fixture
    def value(self, database: DatabaseManager) -> Value:
        """Reads the counter."""

        def read() -> Any:
            with database.read() as tx:
                return tx.scalar(GET)

        return read
