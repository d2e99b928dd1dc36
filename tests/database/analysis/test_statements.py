"""What is read from a statement's text, and what is refused."""

from __future__ import annotations

import contextlib
import sys

import pytest

from postrmagic_core.database.analysis.fingerprint import read
from postrmagic_core.database.analysis.sqltext import bound, placeholders
from postrmagic_core.database.analysis.statements import Slot, Statement, Unreadable, parse
from postrmagic_core.errors import MissingExtra

COLUMNS = {
    "media": ("id", "user_id", "digest", "title", "created_us"),
    "tags": ("media_id", "name"),
    "media_search": ("terms",),
    "order by": ("se`lect", 'a"b', "ü" * 32),
}


def parsed(sql: str, dialect: str = "sqlite") -> Statement:
    """As the log would hold it."""
    return parse(read(sql, dialect).sql, dialect, COLUMNS)


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_conditions_that_must_hold_are_told_apart_by_source(dialect: str) -> None:
    """Equality, lists, ranges, patterns and joins; a correlated subquery is a source of its own."""
    statement = parsed(
        "SELECT m.title FROM media AS m WHERE m.user_id = 7 AND m.digest IN ('a', 'b') AND m.created_us >= 5 "
        "AND title LIKE 'x%' AND EXISTS (SELECT 1 FROM tags t WHERE t.media_id = m.id AND t.name = 'z') "
        "ORDER BY m.created_us DESC, m.id DESC LIMIT 24",
        dialect,
    )
    media, tags = statement.sources
    assert (media.table, media.alias, media.equal, media.lists) == ("media", "m", ("user_id",), ("digest",))
    assert (media.ranges, media.likes, media.joins) == (("created_us",), ("title",), ("id",))
    assert media.order == (("created_us", True), ("id", True))
    assert set(media.used) == {"title", "user_id", "digest", "created_us", "id"}
    assert (tags.table, tags.equal, tags.joins) == ("tags", ("name",), ("media_id",))
    assert [(slot.role, slot.source, slot.column) for slot in statement.slots if slot.role != "other"] == [
        ("equal", 0, "user_id"),
        ("list", 0, "digest"),
        ("range", 0, "created_us"),
        ("like", 0, "title"),
        ("equal", 1, "name"),
        ("limit", None, None),
    ]


def test_what_an_or_allows_is_no_condition() -> None:
    """An index for one side would not find the rows of the other."""
    statement = parsed("SELECT id FROM media WHERE user_id = 1 OR digest = 'a'")
    assert statement.sources[0].equal == ()
    assert "or" in statement.traits


@pytest.mark.parametrize(
    ("sql", "trait"),
    [
        ("SELECT * FROM media WHERE id = 1", "star"),
        ("SELECT media.* FROM media WHERE id = 1", "star"),
        ("SELECT count(*) FROM media WHERE user_id = 1", "count all"),
        ("SELECT id FROM media ORDER BY id LIMIT 10 OFFSET 5000", "offset"),
        ("SELECT id FROM media WHERE id NOT IN (SELECT media_id FROM tags)", "not in"),
        ("SELECT id FROM media WHERE title LIKE '%' || 'x' || '%'", "contains"),
        ("SELECT id FROM media WHERE title LIKE '%x'", "pattern"),
        ("SELECT id FROM media", "unfiltered"),
    ],
)
def test_traits(sql: str, trait: str) -> None:
    """What deserves a remark is seen, and not seen where it is not."""
    assert trait in parsed(sql).traits
    assert trait not in parsed("SELECT title FROM media WHERE id = 3 ORDER BY title LIMIT 1").traits


def test_a_column_inside_an_expression_is_no_condition_on_the_column() -> None:
    """``lower(title) = ?`` is noted with its expression."""
    statement = parsed("SELECT id FROM media WHERE lower(title) = 'a' AND user_id = 2")
    assert statement.functions == ((0, "title", "LOWER(title)"),)
    assert statement.sources[0].equal == ("user_id",)


def test_a_place_in_an_order_is_recognized() -> None:
    """``a < ? OR a = ? AND b < ?`` is one, ``a < ? OR b < ?`` is none."""
    keyset = "SELECT id FROM media WHERE user_id = 1 AND (created_us < 5 OR created_us = 5 AND id < 9)"
    assert parsed(keyset).keyset == ("created_us", "id")
    assert parsed("SELECT id FROM media WHERE created_us < 5 OR id < 9").keyset == ()


def test_placeholders_are_found_between_quoted_ones() -> None:
    """A question mark in a name or a comment is none."""
    sql = 'SELECT "what?" FROM media -- why?\nWHERE id = ? AND "a?b" = ?'
    assert [sql[place] for place in placeholders(sql, "sqlite")] == ["?", "?"]
    assert bound(sql, placeholders(sql, "sqlite"), [1, [2, 3]], "sqlite") == (
        'SELECT "what?" FROM media -- why?\nWHERE id = ? AND "a?b" = ?, ?',
        (1, 2, 3),
    )


def test_percent_signs_survive_the_driver() -> None:
    """PyMySQL would take a lone one for a parameter."""
    sql = "SELECT `100%` FROM t WHERE a % 7 = ?"
    text, parameters = bound(sql, placeholders(sql, "mysql"), [1], "mysql")
    assert text % parameters == "SELECT `100%` FROM t WHERE a % 7 = 1"


def test_rows_of_a_list_are_tried_with_one() -> None:
    """``(a, b) IN ((?, ?))``: each value meets its column."""
    slots = parsed("SELECT id FROM media WHERE (user_id, digest) IN ((1, 'a'), (2, 'b'))").slots
    assert slots == (Slot("equal", 0, "user_id"), Slot("equal", 0, "digest"))


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_names_may_be_anything(dialect: str) -> None:
    """Reserved words, spaces, quotes, and 64 bytes."""
    quote = '"' if dialect == "sqlite" else "`"
    names = [f"{quote}{name.replace(quote, quote * 2)}{quote}" for name in ("order by", "se`lect", 'a"b', "ü" * 32)]
    sql = f"SELECT {names[1]} FROM {names[0]} WHERE {names[0]}.{names[2]} = ? ORDER BY {names[3]} LIMIT ?"
    (source,) = parse(sql, dialect, COLUMNS).sources
    assert (source.table, source.equal, source.order) == ("order by", ('a"b',), (("ü" * 32, False),))


@pytest.mark.parametrize(
    "sql", ["garbage ((", "", "SELECT 1; DELETE FROM media", "PRAGMA user_version", "SELECT \x1b[31m", "(" * 5000, "…"]
)
@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_what_cannot_be_read_says_so(sql: str, dialect: str) -> None:
    """Never another exception, and never a guess."""
    with pytest.raises(Unreadable):
        parse(sql, dialect, COLUMNS)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM production.media WHERE id = ?",
        "DELETE FROM `production`.`media` WHERE id = ?",
        "DELETE FROM media /*!, production.media */ WHERE id = ?",
        "SELECT sleep(?)",
        "SELECT LOAD_FILE(?)",
        "SELECT get_lock(?, ?)",
        "SELECT production.change_it(?)",
        "SELECT id INTO @x FROM media",
        "UPDATE media JOIN production.media p ON p.id = media.id SET p.title = ?",
        "SELECT @@secure_file_priv",
    ],
)
def test_what_reaches_beyond_the_copy_is_not_run(sql: str) -> None:
    """A log may have been written by anybody."""
    with contextlib.suppress(Unreadable):
        assert parse(sql, "mysql", COLUMNS).refusal


def test_an_honest_statement_is_run() -> None:
    """The refusals are not for everything."""
    assert parsed("UPDATE media SET title = 'a' WHERE id = 1").refusal == ""
    assert parsed("SELECT id FROM main.media WHERE id = 1").refusal == ""


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is ours and says what to install."""
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(MissingExtra, match=r"postrmagic-core\[analysis\]"):
        parsed("SELECT 1")
