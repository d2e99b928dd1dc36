"""A unit that only read and then failed leaves nothing behind: no lock, no picture of an earlier moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from postrmagic_core.database import DatabaseManager, PoolLimits, Unit


@pytest.fixture
def database(open_database: Callable[..., DatabaseManager]) -> DatabaseManager:
    """A database whose units all use one connection, with one row."""
    opened = open_database(pool=PoolLimits(size=1, overflow=0))
    with opened.write() as tx:
        tx.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
        tx.execute(text("INSERT INTO t VALUES (1)"))
    return opened


def read_and_fail(database: DatabaseManager, statement: str) -> None:
    """A unit that looks at the row, to change it, and then thinks better of it."""

    def unit(tx: Unit) -> None:
        assert tx.scalar(text(statement)) == 1
        raise LookupError

    with pytest.raises(LookupError):
        database.transact(unit)


def test_what_it_locked_is_free(database: DatabaseManager, open_database: Callable[..., DatabaseManager]) -> None:
    """Given a unit that locked a row by reading and failed, another connection changes the row at once."""
    other = open_database()
    read_and_fail(database, "SELECT n FROM t" + ("" if other.dialect == "sqlite" else " FOR UPDATE"))
    with other.write() as tx:
        if other.dialect != "sqlite":
            tx.execute(text("SET SESSION innodb_lock_wait_timeout = 1"))
        tx.execute(text("DELETE FROM t WHERE n = 1"))


def test_the_next_unit_sees_what_there_is_now(
    database: DatabaseManager, open_database: Callable[..., DatabaseManager]
) -> None:
    """Given a unit that read and failed, the next one on its connection reads what was committed since."""
    read_and_fail(database, "SELECT COUNT(*) FROM t")
    with open_database().write() as tx:
        tx.execute(text("INSERT INTO t VALUES (2)"))
    with database.write() as tx:
        assert tx.scalar(text("SELECT COUNT(*) FROM t")) == 2
