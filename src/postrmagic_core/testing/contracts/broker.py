"""What a broker adapter is, as tests: subclass :class:`BrokerContract`, name the adapter and its broker, and run it.

::

    class TestMyBroker(BrokerContract):
        broker_class = MyBroker

        @pytest.fixture
        def broker_url(self, my_server):
            return my_server.empty_url()
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import metadata as outbox_tables
from postrmagic_core.jobs.interface import BrokerAdapter, BrokerOptions, SupportsUnits
from postrmagic_core.jobs.tables import metadata as jobs_tables
from postrmagic_core.jobs.workers import Registration

from .applicable import Applicable
from .broker_alter import AlterPromises
from .broker_bells import BellPromises
from .broker_handover import HandoverPromises
from .broker_hostile import HostilePromises
from .broker_leases import LeasePromises
from .broker_outcomes import OutcomePromises
from .broker_poison import PoisonPromises
from .broker_puts import PutPromises
from .broker_races import RacePromises
from .broker_records import RecordPromises
from .broker_rig import LONG, Listening, Opener, Worker
from .broker_turns import TurnPromises
from .broker_unique import UniquePromises
from .broker_units import UnitPromises


class BrokerContract(
    Applicable,
    PutPromises,
    UniquePromises,
    TurnPromises,
    OutcomePromises,
    LeasePromises,
    PoisonPromises,
    RecordPromises,
    AlterPromises,
    BellPromises,
    HostilePromises,
    RacePromises,
    UnitPromises,
    HandoverPromises,
):
    """Every promise of :class:`~postrmagic_core.jobs.interface.BrokerAdapter` that needs no fault to be seen.

    A subclass supplies ``broker_class`` and the fixture ``broker_url``, and ``database_url`` where the adapter keeps
    rows in another database than a file. Adapters are opened as two processes would have them. ``not_applicable`` maps
    rows (``"namespaces"``) to the reason why the broker has no such thing; they show as skipped, as the promises of
    :class:`~postrmagic_core.jobs.interface.SupportsUnits` and
    :class:`~postrmagic_core.jobs.interface.SupportsHandover` do for an adapter that is none.
    """

    broker_class: ClassVar[type[Any]]
    rows: ClassVar[tuple[str, ...]] = ("namespaces",)

    @pytest.fixture
    def broker_url(self) -> str:
        """Override: the URL of a broker that is empty at the test's start and this test's own."""
        raise NotImplementedError("supply a fixture `broker_url`: the URL of an empty broker for each test")

    @pytest.fixture(scope="class")
    @classmethod
    def blank_file(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A file with the package's tables, to be copied: faster than to make them for each test."""
        path = tmp_path_factory.mktemp("contract") / "blank.db"
        with DatabaseManager(f"sqlite:///{path}") as database, database.write() as tx:
            outbox_tables.create_all(tx.connection)
            jobs_tables.create_all(tx.connection)
        return path

    @pytest.fixture
    def database_url(self, blank_file: Path, tmp_path: Path) -> str:
        """Override, where it matters to the adapter: a migrated database without jobs, this test's own."""
        return f"sqlite:///{shutil.copy(blank_file, tmp_path / 'contract.db')}"

    @pytest.fixture
    def open_database(self, database_url: str) -> Iterator[Callable[[], DatabaseManager]]:
        """Opens the database as another process would; closed after the test."""
        with ExitStack() as opened:
            yield lambda: opened.enter_context(DatabaseManager(database_url))

    @pytest.fixture
    def database(self, open_database: Callable[[], DatabaseManager]) -> DatabaseManager:
        """The database that ``broker`` is opened with."""
        return open_database()

    @pytest.fixture
    def open_broker(self, broker_url: str, open_database: Callable[[], DatabaseManager]) -> Iterator[Opener]:
        """Opens adapters as other processes would have them, each with connections of its own."""
        with ExitStack() as opened:

            def open_one(
                *, lease: float = LONG, namespace: str = "contract", database: DatabaseManager | None = None
            ) -> BrokerAdapter:
                options = BrokerOptions(namespace, database or open_database(), lease, random.random)
                adapter: BrokerAdapter = self.broker_class.from_url(broker_url, options)
                opened.callback(adapter.close)
                adapter.open()
                return adapter

            yield open_one

    @pytest.fixture
    def broker(self, open_broker: Opener, database: DatabaseManager) -> BrokerAdapter:
        """The adapter of one process."""
        return open_broker(database=database)

    @pytest.fixture
    def other(self, open_broker: Opener) -> BrokerAdapter:
        """The adapter of another process."""
        return open_broker()

    @pytest.fixture
    def listening(self, database: DatabaseManager) -> Listening:
        """Listens as a worker's process does: datagrams find it by its row."""

        @contextmanager
        def listen(broker: BrokerAdapter, queues: Sequence[str], ring: Callable[[], None]) -> Iterator[None]:
            with broker.listen(queues, ring) as bell:
                port = getattr(bell, "port", None)
                with Registration(database, str(uuid4()), queues=queues, threads=1, port=port, running=lambda: 0):
                    yield

        return listen

    @pytest.fixture
    def worker(self, broker: BrokerAdapter) -> Worker:
        """A worker of the one process."""
        return Worker(broker, "worker-1")

    @pytest.fixture
    def rival(self, other: BrokerAdapter) -> Worker:
        """A worker of the other process."""
        return Worker(other, "worker-2")

    @pytest.fixture
    def units(self, broker: BrokerAdapter) -> SupportsUnits:
        """The adapter, if it can write within the application's units."""
        if not isinstance(broker, SupportsUnits):
            pytest.skip(f"{type(broker).__name__} has no put_in(): its jobs are no rows of the database")
        return broker
