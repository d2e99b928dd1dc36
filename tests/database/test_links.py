"""Links: the package's own statements in the driver's words, with the pool, errors and undoing of its engines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postrmagic_core._sql import PoolLimits, Role, links_of
from postrmagic_core._sql.link import EngineLink, Link
from postrmagic_core._sql.sqlite_link import FileLink
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendRejected, IntegrityViolation, PoolExhausted, UniqueViolation

Links = Callable[[Role], Link]


@pytest.fixture
def links(database: DatabaseManager) -> Links:
    """The links of the database."""
    return links_of(database.backend)


def test_sqlite_has_the_shorter_way(links: Links, database: DatabaseManager) -> None:
    """A server's connection can break, which is for SQLAlchemy to see."""
    with links("read") as link:
        assert type(link) is (FileLink if database.dialect == "sqlite" else EngineLink)


def test_what_is_committed_stays(links: Links, value: Callable[[], Any]) -> None:
    """Rows come as tuples; a change tells how many."""
    with links("write") as link:
        link.begin()
        assert link.change("UPDATE counter SET n = 7", ()) == 1
        link.commit()
    with links("read") as link:
        assert [tuple(row) for row in link.rows("SELECT id, n FROM counter", ())] == [(1, 7)]
    assert value() == 7


@pytest.mark.parametrize("error", [None, KeyError("mine")])
def test_what_is_not_committed_is_undone(links: Links, value: Callable[[], Any], error: Exception | None) -> None:
    """Whether the block ends or is left by an error; and the next one may write."""
    try:
        with links("write") as link:
            link.begin()
            link.change("UPDATE counter SET n = 7", ())
            if error is not None:
                raise error
    except KeyError:
        pass
    assert value() == 0
    with links("write") as link:
        link.begin()
        link.change("UPDATE counter SET n = 8", ())
        link.commit()
    assert value() == 8


def test_errors_are_ours(links: Links) -> None:
    """As those of the engines: a read refuses writes, a constraint is told, nonsense is rejected."""
    with links("read") as link, pytest.raises(BackendRejected):
        link.change("UPDATE counter SET n = 7", ())
    with links("write") as link:
        link.begin()
        with pytest.raises(UniqueViolation):
            link.change("INSERT INTO counter VALUES (1, 2)", ())
    with links("read") as link, pytest.raises(BackendRejected):
        link.rows("SELECT nonsense FROM nowhere", ())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_number_that_no_column_holds_is_refused(links: Links) -> None:
    """Python's driver raises its own error for it."""
    with links("write") as link:
        link.begin()
        with pytest.raises(IntegrityViolation):
            link.change("UPDATE counter SET n = ?", (2**64,))


def test_a_pool_without_a_free_connection_is_told(
    open_database: Callable[..., DatabaseManager],
) -> None:
    """And each link gives its connection back: more links than connections, one after the other."""
    database = open_database(pool=PoolLimits(size=1, overflow=0, timeout=0.05))
    links = links_of(database.backend)
    for _ in range(3):
        with links("read") as link:
            link.rows("SELECT 1", ())
            with pytest.raises(PoolExhausted, match="test_links"):
                links("read")
    assert [pool.in_use for pool in database.pools() if pool.role == "read"] == [0]
