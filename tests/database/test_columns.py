"""What a result says of its columns is remembered between statements, and never wrong for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from postrmagic_core.database import DatabaseManager

ASKED = text("SELECT n AS name, n FROM t")


def columns(database: DatabaseManager) -> tuple[Any, list[Any]]:
    """``cursor.description`` and the rows."""
    with database.read() as tx:
        result = tx.execute(ASKED)
        cursor: Any = result.cursor
        return cursor.description, [tuple(row) for row in result]


def test_columns_are_described_anew_where_they_changed(mariadb_url: str) -> None:
    """The same statement after ALTER TABLE has other types and values; in between it has the same object."""
    with DatabaseManager(mariadb_url) as database:
        with database.write() as tx:
            tx.execute(text("CREATE TABLE t (n INTEGER)"))
            tx.execute(text("INSERT INTO t VALUES (7)"))
        before, rows = columns(database)
        assert rows == [(7, 7)]
        assert [column[0] for column in before] == ["name", "n"]
        again, _ = columns(database)
        assert all(one is other for one, other in zip(before, again, strict=True))
        with database.write() as tx:
            tx.execute(text("ALTER TABLE t MODIFY n VARCHAR(20) NOT NULL"))
        after, rows = columns(database)
        assert rows == [("7", "7")]
        assert [column[1] for column in after] != [column[1] for column in before]
        assert [column[6] for column in after] == [False, False]


def test_more_kinds_of_columns_than_are_remembered_are_read_all_the_same(mariadb_url: str, monkeypatch: Any) -> None:
    """The memory is emptied when it is full."""
    from postrmagic_core._sql import mysql_connection

    monkeypatch.setattr(mysql_connection, "_MOST", 3)
    with DatabaseManager(mariadb_url) as database, database.read() as tx:
        for number in range(10):
            name = f"column_{number}"
            [row] = tx.execute(text(f"SELECT {number} AS {name}")).mappings()
            assert dict(row) == {name: number}
        assert len(mysql_connection._columns) <= 3
