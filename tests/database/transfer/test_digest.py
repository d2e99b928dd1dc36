"""Two sums stand for many rows: equal for equal rows however they are parted, and for no others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.database.transfer.interface import Server
from postrmagic_core.database.transfer.server import open_target
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.database.transfer.verifying.digest import Digest, Hashed, digests, row_digest_sql
from postrmagic_core.database.transfer.verifying.verify import verify
from tests.database.transfer.verified import column, copied, plan_of, serial, table

SERVER = Server("mariadb", "10.11.6", "utf8mb4_nopad_bin", "utf8mb4_uca1400_nopad_as_ci", 16_777_216)
ROWS = st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), max_size=8)
TWO = table(
    "t",
    column("a", "BIGINT", "INTEGER"),
    column("b", "VARCHAR(20)", "TEXT", collation=SERVER.exact),
    column("c", "DOUBLE", "REAL"),
    key=("a", "b"),
)


def of(rows: list[tuple[bytes, bytes]]) -> Digest:
    """The digest of rows of two columns."""
    return digests([[row[0] for row in rows], [row[1] for row in rows]])


@given(ROWS, ROWS, st.randoms(use_true_random=False))
def test_a_digest_is_a_sum_over_rows(
    some: list[tuple[bytes, bytes]], more: list[tuple[bytes, bytes]], chance: Any
) -> None:
    """However rows are ordered and parted, their digests add up to the same."""
    together = [*some, *more]
    chance.shuffle(together)
    assert of(some) + of(more) == of(together)
    assert of(together).rows == len(together)


def test_a_row_that_is_there_twice_counts_twice() -> None:
    """Two of the same do not cancel each other."""
    assert of([(b"1", b"2")] * 2) not in (of([]), of([(b"1", b"2")]))
    assert of([]) == Digest()


def test_a_digest_is_the_first_half_of_a_sha_256() -> None:
    """Of one row it is what anybody can compute by hand."""
    assert str(of([(b"1", b"3:abc")])) == sha256(b"1;3:abc").hexdigest()[:32]


def test_the_server_hashes_what_is_hashed_here(session: Session, server: Server) -> None:
    """NULL, hostile text, bytes and numbers have the same digest on both sides."""
    hashed = Hashed(TWO, TWO.columns, server)
    session.execute(f"CREATE TABLE t (a BIGINT, b VARCHAR(20) COLLATE {server.exact}, c DOUBLE)")
    rows = [(1, "é\x00\\;%s", 0.1), (2, None, None), (None, "", -1e300), (2**63 - 1, "\U0001f600", 1e15)]
    session.execute("INSERT INTO t VALUES " + ", ".join(["(%s, %s, %s)"] * 4), [part for row in rows for part in row])
    ((count, first, second),) = session.rows(*hashed.digest_query(None, None))
    assert Digest(int(count), int(first) % 2**64, int(second) % 2**64) == hashed.digest(list(zip(*rows, strict=True)))


def test_a_range_of_keys_is_asked_for_so_that_an_index_serves_it(session: Session, server: Server) -> None:
    """Of a key of two parts the server reads a range of the index, not the whole table."""
    session.execute(f"CREATE TABLE t (a BIGINT, b VARCHAR(20) COLLATE {server.exact}, c DOUBLE, PRIMARY KEY (a, b))")
    rows = [part for number in range(2000) for part in (number // 100, f"{number % 100:03}")]
    session.execute("INSERT INTO t (a, b) VALUES " + ", ".join(["(%s, %s)"] * 2000), rows)
    session.commit()
    session.rows("ANALYZE TABLE t")
    exact = [replace(each, collation=server.exact) if each.collation else each for each in TWO.columns]
    text, parameters = Hashed(TWO, exact, server).rows_query((7, "050"), (8, "010"))
    assert [(row[0], row[1]) for row in session.rows(text, parameters)] == [
        *((7, f"{number:03}") for number in range(51, 100)),
        *((8, f"{number:03}") for number in range(11)),
    ]
    (explained,) = session.rows(f"EXPLAIN {text}", parameters)
    # MariaDB says it in a column of its own, MySQL within a sentence.
    assert "range" in " ".join(map(str, explained))
    assert "cast" not in " ".join(map(str, explained)).lower()


def test_columns_that_may_be_large_are_hashed_by_themselves() -> None:
    """A row's text has room in the server's packets, whatever its columns hold."""
    sql = row_digest_sql([column("a", "LONGTEXT", "TEXT"), column("b", "MEDIUMBLOB", "BLOB")])
    assert "COALESCE(SHA2(CAST(`a` AS BINARY), 256), 'N')" in sql
    assert "COALESCE(SHA2(`b`, 256), 'N')" in sql


@pytest.mark.mysql
def test_a_row_that_is_too_large_to_be_hashed_is_compared_by_its_values(
    own_mariadb_server: Callable[..., Any], file: Path, fill: Callable[..., None]
) -> None:
    """Where a row has no room in the server's packets nothing is taken for equal that is not."""
    started = own_mariadb_server(options=["--max-allowed-packet=64K"])
    url = started.create_database()
    names = [f"c{number}" for number in range(40)]
    fill(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, {', '.join(f'{name} TEXT' for name in names)})",
        ("INSERT INTO t (id, c0, c1) VALUES (?, ?, ?)", [(1, "a" * 20_000, "b" * 10_000), (2, "a" * 20_000, "b")]),
    )
    target = open_target(url)
    with closing(target.connect()) as session:
        columns = [column(name, "TEXT", "TEXT", collation=target.server.exact) for name in names]
        plan = copied(file, session, plan_of(file, url, target.server, table("t", serial(), *columns)))
        session.execute("UPDATE t SET c2 = REPEAT('b', 20000), c3 = REPEAT('c', 20000) WHERE id = 1")
        session.commit()
        (found,) = verify(plan, url).tables
        assert [(each.key, each.column) for each in found.differences] == [("1", "c2"), ("1", "c3")]
    fill("", ("UPDATE t SET c2 = ?, c3 = ? WHERE id = 1", [("b" * 20_000, "c" * 20_000)]))
    (found,) = verify(plan, url).tables
    assert found.differences == ()
