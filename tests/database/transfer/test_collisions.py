"""Keys that are apart in the source: which of them other collations, or the server's own, would take for one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from postrmagic_core.database.transfer.interface import Example, unreported
from postrmagic_core.database.transfer.source.catalogue import read_source
from postrmagic_core.database.transfer.source.collisions import Collision, UniqueKey, collisions, conflicts, is_plain
from postrmagic_core.database.transfer.source.scan import scan

WORD = UniqueKey("the primary key", ("k",), ("k",))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """An empty database."""
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def words(connection: sqlite3.Connection, *keys: str | bytes | None) -> None:
    """A table ``t`` of these keys."""
    connection.execute("CREATE TABLE t (k TEXT UNIQUE, n INTEGER, active INTEGER DEFAULT 1)")
    connection.executemany("INSERT INTO t (k, n) VALUES (?, 1)", [(key,) for key in keys])


def found(connection: sqlite3.Connection, key: UniqueKey = WORD) -> list[Collision]:
    """What is told of the key."""
    (table,) = read_source(connection).tables
    return list(collisions(connection, table, key, scan(connection, table, unreported), unreported))


def test_capitals_accents_and_spaces_are_told_apart(connection: sqlite3.Connection) -> None:
    """Each with two of the keys that it would make one."""
    words(connection, "abc", "ABC", "äbc", "abc ", "other", "Straße", "STRASSE")
    assert [(one.fold, one.groups) for one in found(connection)] == [
        ("capitals", 2),
        ("accents", 1),
        ("spaces at the end", 1),
    ]
    assert found(connection)[0].examples == (Example("'ABC'", "'abc'"), Example("'STRASSE'", "'Straße'"))


def test_an_accent_may_be_a_character_of_its_own(connection: sqlite3.Connection) -> None:
    """Composed and decomposed letters are the same letter with an accent."""
    words(connection, "é", "e\u0301", "E")
    assert [(one.fold, one.groups) for one in found(connection)] == [("accents", 1)]


def test_keys_with_nulls_or_outside_the_predicate_do_not_count(connection: sqlite3.Connection) -> None:
    """They are unique whatever is in them."""
    words(connection, "a", "A", None, None)
    connection.execute("UPDATE t SET active = 0 WHERE k = 'A'")
    assert found(connection, UniqueKey("one", ("k",), ("k",), "active = 1")) == []
    connection.execute("UPDATE t SET n = NULL")
    assert found(connection, UniqueKey("one", ("k", "n"), ("k",))) == []


def test_the_whole_key_has_to_be_one(connection: sqlite3.Connection) -> None:
    """Another number beside the text keeps two keys apart."""
    words(connection, "a", "A", "b", "B")
    connection.execute("UPDATE t SET n = 2 WHERE k = 'A'")
    (one,) = found(connection, UniqueKey("one", ("k", "n"), ("k",)))
    assert (one.groups, one.examples) == (1, (Example("'B', 1", "'b', 1"),))


def test_only_the_first_groups_are_shown(connection: sqlite3.Connection) -> None:
    """The others are counted."""
    words(connection, *[letter + case for letter in "abcdefgh" for case in "xX"])
    (one,) = found(connection)
    assert (one.groups, len(one.examples)) == (8, 5)


def test_text_that_is_none_is_not_folded(connection: sqlite3.Connection) -> None:
    """It stops the plan by itself."""
    words(connection, "a", "A")
    connection.execute("INSERT INTO t (k) VALUES (CAST(x'ff' AS TEXT))")
    assert found(connection) == []
    connection.execute("UPDATE t SET n = CAST(x'ff' AS TEXT), k = k || 'x'")
    assert found(connection, UniqueKey("one", ("k", "n"), ("k",))) == []


def test_the_server_is_asked_what_its_collation_makes_one(connection: sqlite3.Connection) -> None:
    """In batches, for each text once; its answer alone counts."""
    words(connection, *[f"key {n}" for n in range(5000)], "KEY 7", "\uff4bey 8", "Other", None)
    asked: list[int] = []

    def weigh(texts: Sequence[str], collation: str) -> list[bytes]:
        assert collation == "nocase"
        asked.append(len(texts))
        return [text.lower().replace("\uff4b", "k").encode() for text in texts]

    (table,) = read_source(connection).tables
    one = conflicts(connection, table, WORD, {"k": "nocase"}, weigh)
    assert one is not None
    assert one.groups == 2
    assert set(one.examples) == {Example("'KEY 7'", "'key 7'"), Example("'key 8'", "'\uff4bey 8'")}
    assert asked == [4000, 1003]
    assert connection.execute("SELECT count(*) FROM temp.sqlite_master").fetchone() == (0,)


def test_keys_that_the_server_keeps_apart_do_not_conflict(connection: sqlite3.Connection) -> None:
    """Parts of other classes are compared as they are."""
    words(connection, "a", "b")
    (table,) = read_source(connection).tables
    key = UniqueKey("one", ("k", "n"), ("k",))
    assert (
        conflicts(connection, table, key, {"k": "nocase"}, lambda texts, _: [text.encode() for text in texts]) is None
    )


@pytest.mark.parametrize(
    ("text", "plain"), [("Az ~!", True), ("\u00e9", False), ("a\0b", False), ("a\x01", False), ("\x7f", False)]
)
def test_only_printable_ascii_is_plain(connection: sqlite3.Connection, text: str, plain: bool) -> None:
    """A character that a collation ignores is none."""
    words(connection, "other", text, None)
    (table,) = read_source(connection).tables
    assert is_plain(connection, table, ["k"]) == plain
