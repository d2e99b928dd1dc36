"""The pool's proxy of a connection behaves as SQLAlchemy's own: each test runs on both."""

from __future__ import annotations

import gc
import sqlite3
from typing import Any
from unittest import mock

import pymysql
import pytest
from sqlalchemy import Engine, event, text

from postrmagic_core._sql.loan import Loan
from postrmagic_core.database import DatabaseManager
from postrmagic_core.testing import spawn


@pytest.fixture(params=["ours", "sqlalchemy"])
def engine(request: pytest.FixtureRequest, database: DatabaseManager) -> Engine:
    """An engine for writing, with a table ``t``; on SQLAlchemy's proxy because somebody listens."""
    engine = database.backend.engine("write")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY)"))
    if request.param == "sqlalchemy":
        event.listen(engine, "checkin", lambda *_: None)
    proxy: Any = engine.raw_connection()
    assert isinstance(proxy, Loan) is (request.param == "ours")
    proxy.close()
    return engine


def held(engine: Engine) -> int:
    """Connections that are out."""
    pool: Any = engine.pool
    return int(pool.checkedout())


def rows(engine: Engine) -> int:
    """Rows of ``t``."""
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT COUNT(*) FROM t")) or 0)


def test_what_was_not_committed_is_gone_and_the_connection_stays(engine: Engine) -> None:
    """Closing twice gives back once."""
    proxy: Any = engine.raw_connection()
    driver, info = proxy.dbapi_connection, proxy.info
    info["mark"] = 1
    proxy.execute("BEGIN") if hasattr(proxy, "execute") else proxy.begin()
    cursor = proxy.cursor()
    cursor.execute("INSERT INTO t VALUES (1)")
    cursor.close()
    proxy.close()
    proxy.close()
    assert held(engine) == 0
    assert not proxy.is_valid
    assert rows(engine) == 0
    again: Any = engine.raw_connection()
    assert (again.dbapi_connection is driver, again.driver_connection is driver) == (True, True)
    assert again.info["mark"] == 1
    assert again.record_info == {}
    again.close()


def test_a_proxy_that_is_dropped_gives_its_connection_back(engine: Engine) -> None:
    """Rolled back."""
    connection = engine.connect()
    connection.execute(text("INSERT INTO t VALUES (1)"))
    assert held(engine) == 1
    del connection
    gc.collect()
    assert held(engine) == 0
    assert rows(engine) == 0


def test_a_detached_connection_is_closed_with_its_proxy(engine: Engine) -> None:
    """And the pool has room for another one meanwhile."""
    proxy: Any = engine.raw_connection()
    driver = proxy.dbapi_connection
    proxy.detach()
    assert proxy.is_detached
    assert proxy.record_info is None
    assert held(engine) == 0
    driver.cursor().execute("SELECT 1")
    proxy.close()
    with pytest.raises((sqlite3.ProgrammingError, pymysql.err.InterfaceError)):
        driver.cursor().execute("SELECT 1")
    assert rows(engine) == 0


@pytest.mark.parametrize("soft", [False, True])
def test_an_invalidated_connection_is_not_used_again(engine: Engine, soft: bool) -> None:
    """Softly: its holder may go on with it."""
    proxy: Any = engine.raw_connection()
    driver = proxy.dbapi_connection
    proxy.invalidate(soft=soft)
    assert proxy.is_valid is soft
    proxy.close() if soft else None
    assert held(engine) == 0
    again: Any = engine.raw_connection()
    assert again.dbapi_connection is not driver
    again.close()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_connection_that_cannot_be_rolled_back_is_discarded(engine: Engine, error: type[BaseException]) -> None:
    """An interruption goes on, any other failure is the pool's own business."""
    proxy: Any = engine.raw_connection()
    driver = proxy.dbapi_connection
    raised: type[BaseException] | None = None
    with mock.patch.object(engine.dialect, "do_rollback", side_effect=error):
        try:
            proxy.close()
        except KeyboardInterrupt:
            raised = KeyboardInterrupt
    assert raised is (KeyboardInterrupt if error is KeyboardInterrupt else None)
    assert held(engine) == 0
    again: Any = engine.raw_connection()
    assert again.dbapi_connection is not driver
    again.close()


def test_a_connection_that_cannot_be_opened_anew_leaves_its_place_free(engine: Engine) -> None:
    """However often that is tried."""
    proxy: Any = engine.raw_connection()
    proxy.invalidate()
    for _ in range(20):
        with (
            mock.patch.object(engine.dialect, "connect", side_effect=sqlite3.OperationalError("gone")),
            pytest.raises(sqlite3.OperationalError),
        ):
            engine.raw_connection()
    assert held(engine) == 0
    assert rows(engine) == 0


def leave_behind(url: str) -> None:
    """End while connections are out."""
    database = DatabaseManager(url)
    database.open()
    kept = [database.backend.engine("write").connect(), database.backend.engine("read").connect()]
    print(len(kept), flush=True)  # noqa: T201 - a child process speaks by printing


def test_a_process_that_ends_with_connections_out_ends_quietly(database_url: str) -> None:
    """Nothing is written to standard error while the interpreter goes down."""
    with spawn(leave_behind, database_url) as child:
        assert list(child.lines()) == ["2"]
        assert child.wait(10) == 0
