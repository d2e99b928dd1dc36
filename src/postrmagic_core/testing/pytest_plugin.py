"""The pytest plugin: fixtures for users' own tests. Importing it loads no driver and no server code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from postrmagic_core.events import Event
    from postrmagic_core.stack import Stack

    from .capture import CapturedJob
    from .clock import FakeClock
    from .servers import MariaDBServer, MySQLServer, RabbitMQServer, RedisServer, ServerProcess

S = TypeVar("S", bound="ServerProcess")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for the whole run, shared: do not stop it, take ``own_redis_server`` for that."""
    from .servers import REDIS_VARIABLE, RedisServer

    with _shared(RedisServer, REDIS_VARIABLE, "redis-server or valkey-server") as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    """One MariaDB for the whole run, shared: do not stop it, take ``own_mariadb_server`` for that."""
    from .servers import MARIADB_VARIABLE, MariaDBServer

    with _shared(MariaDBServer, MARIADB_VARIABLE, "mariadbd") as server:
        yield server


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[MySQLServer]:
    """One MySQL for the whole run, shared: do not stop it. MariaDB, which starts faster, is ``mariadb_server``."""
    from .servers import MYSQL_VARIABLE, MySQLServer

    with _shared(MySQLServer, MYSQL_VARIABLE, "mysqld of MySQL") as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQServer]:
    """One RabbitMQ for the whole run, shared: do not stop it, take ``own_rabbitmq_server`` for that."""
    from .servers import RABBITMQ_VARIABLE, RabbitMQServer

    with _shared(RabbitMQServer, RABBITMQ_VARIABLE, "rabbitmq-server") as server:
        yield server


def _shared(kind: type[S], variable: str, program: str) -> S:
    """The server that the environment names, or else a private one; not opened."""
    from .servers import require

    url = os.environ.get(variable)
    require(url or kind.binary(), f"no {program}, and {variable} is not set")
    return kind(url=url)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """``redis://…`` of a database that is empty and this test's own."""
    return redis_server.create_database()


@pytest.fixture
def mariadb_url(mariadb_server: MariaDBServer) -> Iterator[str]:
    """``mysql://…`` of a database made for this test and dropped after it."""
    url = mariadb_server.create_database()
    yield url
    mariadb_server.drop_database(url)


@pytest.fixture
def mysql_url(mysql_server: MySQLServer) -> Iterator[str]:
    """``mysql://…`` of a database on MySQL itself, made for this test and dropped after it."""
    url = mysql_server.create_database()
    yield url
    mysql_server.drop_database(url)


@pytest.fixture
def rabbitmq_url(rabbitmq_server: RabbitMQServer) -> Iterator[str]:
    """``amqp://…`` of a virtual host made for this test and removed after it."""
    url = rabbitmq_server.create_database()
    yield url
    rabbitmq_server.drop_database(url)


@pytest.fixture
def own_redis_server() -> Iterator[Callable[..., RedisServer]]:
    """A factory: ``own_redis_server(appendonly="always")`` starts a Redis that this test may kill and pause."""
    from .servers import RedisServer

    with _owned(RedisServer, "no redis-server or valkey-server") as start:
        yield start


@pytest.fixture
def own_mariadb_server() -> Iterator[Callable[..., MariaDBServer]]:
    """A factory: ``own_mariadb_server(options=[…])`` starts a MariaDB that this test may kill and pause."""
    from .servers import MariaDBServer

    with _owned(MariaDBServer, "no mariadbd") as start:
        yield start


@pytest.fixture
def own_rabbitmq_server() -> Iterator[Callable[..., RabbitMQServer]]:
    """A factory: ``own_rabbitmq_server(options=[…])`` starts a RabbitMQ that this test may kill and pause."""
    from .servers import RabbitMQServer

    with _owned(RabbitMQServer, "no rabbitmq-server") as start:
        yield start


@contextmanager
def _owned(kind: type[S], absent: str) -> Iterator[Callable[..., S]]:
    from .servers import require

    require(kind.binary(), f"faults need a private server: {absent} is installed")
    with ExitStack() as servers:

        def start(**options: Any) -> S:
            server = kind(**options)
            servers.enter_context(server)
            return server

        yield start


@pytest.fixture
def frozen_clock() -> FakeClock:
    """A clock that moves when told, at 2026-01-01 00:00 UTC."""
    from .clock import FakeClock

    return FakeClock()


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the package's tables: a copy is there at once, where a hundred revisions take a while."""
    from postrmagic_core.database import DatabaseManager

    path = tmp_path_factory.mktemp("postrmagic") / "app.db"
    with DatabaseManager(f"sqlite:///{path}") as database:
        database.upgrade()
    return path


@pytest.fixture
def stack(tmp_path: Path, _migrated: Path) -> Iterator[Stack]:
    """An open Stack on SQLite files of this test alone, whatever the environment says; nothing runs its jobs."""
    from postrmagic_core.stack import Stack

    from .capture import embedded_settings

    (tmp_path / "stack").mkdir()
    shutil.copyfile(_migrated, tmp_path / "stack" / "app.db")
    with Stack(embedded_settings(tmp_path / "stack"), configure_logging=False) as opened:
        yield opened


@pytest.fixture
def captured_jobs(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> list[CapturedJob]:
    """Every job enqueued on ``stack`` in this test, from the moment its unit has committed."""
    from .capture import capture_jobs

    return capture_jobs(stack.jobs, monkeypatch.setattr)


@pytest.fixture
def captured_events(stack: Stack) -> Iterator[list[Event]]:
    """Every event emitted on ``stack`` in this test, from the moment its unit has committed."""
    with stack.events.recording() as seen:
        yield seen.events


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--faults-report`` and ``--asvs-report``."""
    group = parser.getgroup("postrmagic")
    group.addoption("--faults-report", metavar="FILE", help="fail unless every fault claimed in this file was proved")
    group.addoption("--asvs-report", metavar="FILE", help="fail unless every requirement met in this file was proved")


def pytest_configure(config: pytest.Config) -> None:
    """Register the contracts' marker, take away the guard under trial, listen for the reports."""
    config.addinivalue_line("markers", "promise(row): the reliability promise that a contract's test checks")
    if "POSTRMAGIC_TEST_GUARD" in os.environ:
        from .faults import BadRow, apply_from_environment

        try:
            apply_from_environment()
        except BadRow as error:
            raise pytest.UsageError(str(error)) from error
    if path := config.getoption("--faults-report"):
        from ._faults_report import FaultsReport

        config.pluginmanager.register(FaultsReport(config.rootpath / path))
    path = config.getoption("--asvs-report")
    if path and not hasattr(config, "workerinput"):  # a process of pytest-xdist sees a part of the run
        from ._asvs_report import AsvsReport
        from .asvs import BadEntry

        try:
            config.pluginmanager.register(AsvsReport(config.rootpath / path, config))
        except BadEntry as error:
            raise pytest.UsageError(str(error)) from error
