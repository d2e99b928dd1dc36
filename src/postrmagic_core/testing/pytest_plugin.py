"""The pytest plugin: fixtures for users' own tests. Importing it loads no driver and no server code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from postrmagic_core.events import Event
    from postrmagic_core.stack import Stack

    from .capture import CapturedJob
    from .clock import FakeClock
    from .servers import MariaDBServer, MySQLServer, RabbitMQServer, RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One Redis for the whole run, shared: do not stop it, take ``own_redis_server`` for that."""
    from .servers import REDIS_VARIABLE, RedisServer, require

    url = os.environ.get(REDIS_VARIABLE)
    require(url or RedisServer.binary(), f"no redis-server or valkey-server, and {REDIS_VARIABLE} is not set")
    with RedisServer(url=url) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDBServer]:
    """One MariaDB for the whole run, shared: do not stop it, take ``own_mariadb_server`` for that."""
    from .servers import MYSQL_VARIABLE, MariaDBServer, require

    url = os.environ.get(MYSQL_VARIABLE)
    require(url or MariaDBServer.binary(), f"no mariadbd, and {MYSQL_VARIABLE} is not set")
    with MariaDBServer(url=url) as server:
        yield server


@pytest.fixture(scope="session")
def mysqld_server() -> Iterator[MySQLServer]:
    """One MySQL for the whole run, shared; most tests take ``mysql_url``, which is MariaDB as a rule and faster."""
    from .servers import MYSQLD_VARIABLE, MySQLServer, require

    url = os.environ.get(MYSQLD_VARIABLE)
    require(url or MySQLServer.binary(), f"no mysqld of MySQL, and {MYSQLD_VARIABLE} is not set")
    with MySQLServer(url=url) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQServer]:
    """One RabbitMQ for the whole run, shared: do not stop it, take ``own_rabbitmq_server`` for that."""
    from .servers import RABBITMQ_VARIABLE, RabbitMQServer, require

    url = os.environ.get(RABBITMQ_VARIABLE)
    require(url or RabbitMQServer.binary(), f"no rabbitmq-server, and {RABBITMQ_VARIABLE} is not set")
    with RabbitMQServer(url=url) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """``redis://…`` of a database that is empty and this test's own."""
    return redis_server.create_database()


@pytest.fixture
def mysql_url(mariadb_server: MariaDBServer) -> Iterator[str]:
    """``mysql://…`` of a database made for this test and dropped after it."""
    url = mariadb_server.create_database()
    yield url
    mariadb_server.drop_database(url)


@pytest.fixture
def mysqld_url(mysqld_server: MySQLServer) -> Iterator[str]:
    """``mysql://…`` of a database on MySQL itself, made for this test and dropped after it."""
    url = mysqld_server.create_database()
    yield url
    mysqld_server.drop_database(url)


@pytest.fixture
def rabbitmq_url(rabbitmq_server: RabbitMQServer) -> Iterator[str]:
    """``amqp://…`` of a virtual host made for this test and removed after it."""
    url = rabbitmq_server.create_database()
    yield url
    rabbitmq_server.drop_database(url)


@pytest.fixture
def own_redis_server() -> Iterator[Callable[..., RedisServer]]:
    """A factory: ``own_redis_server(appendonly="always")`` starts a Redis that this test may kill and pause."""
    from .servers import RedisServer, require

    require(RedisServer.binary(), "faults need a private server: no redis-server or valkey-server is installed")
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(RedisServer(**options))


@pytest.fixture
def own_mariadb_server() -> Iterator[Callable[..., MariaDBServer]]:
    """A factory: ``own_mariadb_server(options=[…])`` starts a MariaDB that this test may kill and pause."""
    from .servers import MariaDBServer, require

    require(MariaDBServer.binary(), "faults need a private server: mariadbd is not installed")
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(MariaDBServer(**options))


@pytest.fixture
def own_rabbitmq_server() -> Iterator[Callable[..., RabbitMQServer]]:
    """A factory: ``own_rabbitmq_server(options=[…])`` starts a RabbitMQ that this test may kill and pause."""
    from .servers import RabbitMQServer, require

    require(RabbitMQServer.binary(), "faults need a private server: rabbitmq-server is not installed")
    with ExitStack() as servers:
        yield lambda **options: servers.enter_context(RabbitMQServer(**options))


@pytest.fixture
def frozen_clock() -> FakeClock:
    """A clock that moves when told, at 2026-01-01 00:00 UTC."""
    from .clock import FakeClock

    return FakeClock()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """An open Stack on SQLite files of this test alone, whatever the environment says; nothing runs its jobs."""
    from postrmagic_core.stack import Stack

    from .capture import embedded_settings

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
