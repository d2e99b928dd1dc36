"""Which type a column becomes: what is stored decides, and what is declared where it is true."""

from __future__ import annotations

from typing import Any

import pytest

from postrmagic_core.database.transfer.interface import ColumnPlan
from postrmagic_core.database.transfer.planfile.column_types import type_problem
from postrmagic_core.database.transfer.planning.choices import seen
from postrmagic_core.database.transfer.planning.choose import choose
from postrmagic_core.database.transfer.planning.existing import column_doubts
from postrmagic_core.database.transfer.planning.keys import identity
from postrmagic_core.database.transfer.planning.lengths import MOST, fit, lengths
from postrmagic_core.database.transfer.planning.links import links, unequal, united
from postrmagic_core.database.transfer.server import ExistingColumn
from postrmagic_core.database.transfer.source.schema import (
    ColumnStats,
    SourceColumn,
    SourceForeignKey,
    SourceIndex,
    SourceIndexPart,
    SourceTable,
    TableStats,
    affinity_of,
)
from tests.database.transfer.handmade import MARIADB, MYSQL

INTEGERS = ColumnStats(integers=3, least=-3, greatest=100, whole_digits=3)
MONEY = ColumnStats(reals=3, whole_digits=2, fraction_digits=2)
TEXTS = ColumnStats(texts=3, characters=10, bytes=12)
SECONDS = ColumnStats(texts=3, characters=19, bytes=19, grammar="%Y-%m-%d %H:%M:%S")
DAYS = ColumnStats(texts=3, characters=10, bytes=10, grammar="%Y-%m-%d")


def column(declared: str, **options: Any) -> SourceColumn:
    """A column of that declared type."""
    return SourceColumn("c", declared, affinity_of(declared), **options)


def chosen(declared: str, stats: ColumnStats, length: int | None = None, **options: Any) -> str:
    """The type it becomes."""
    return choose(column(declared, **options), stats, MYSQL, length).type


@pytest.mark.parametrize(
    ("declared", "stats", "kind"),
    [
        ("INTEGER", INTEGERS, "BIGINT"),
        ("INT", INTEGERS, "BIGINT"),
        ("", INTEGERS, "BIGINT"),
        ("TINYINT", INTEGERS, "TINYINT"),
        ("TINYINT", ColumnStats(integers=1, least=128, greatest=128), "BIGINT"),
        ("SMALLINT", ColumnStats(integers=1, least=-32768, greatest=-32768), "SMALLINT"),
        ("MEDIUMINT", ColumnStats(integers=1, least=2**23, greatest=2**23), "BIGINT"),
        ("BOOLEAN", ColumnStats(integers=2, least=0, greatest=1), "TINYINT(1)"),
        ("BOOLEAN", ColumnStats(integers=2, least=0, greatest=2), "BIGINT"),
        ("DATETIME", INTEGERS, "BIGINT"),
        ("FLOAT", MONEY, "DOUBLE"),
        ("REAL", MONEY, "DOUBLE"),
        ("", MONEY, "DOUBLE"),
        ("INTEGER", ColumnStats(integers=1, reals=1, greatest=5, fraction_digits=1), "DOUBLE"),
        ("DATETIME", ColumnStats(reals=1, whole_digits=7, fraction_digits=5), "DOUBLE"),
    ],
)
def test_numbers(declared: str, stats: ColumnStats, kind: str) -> None:
    """64 bits unless declared narrower and proven; reals are doubles, never FLOAT; numbers are no dates."""
    assert chosen(declared, stats) == kind


@pytest.mark.parametrize(
    ("declared", "stats", "kind"),
    [
        ("NUMERIC", MONEY, "DECIMAL(19,4)"),
        ("DECIMAL(10,2)", MONEY, "DECIMAL(10,2)"),
        ("DECIMAL(5, 1)", MONEY, "DECIMAL(6,2)"),
        ("DECIMAL(4,2)", ColumnStats(reals=1, whole_digits=6, fraction_digits=2), "DECIMAL(10,2)"),
        ("NUMERIC", ColumnStats(reals=1, whole_digits=1, fraction_digits=17), "DOUBLE"),
        ("NUMERIC", ColumnStats(reals=1, whole_digits=301), "DOUBLE"),
        ("NUMERIC", ColumnStats(integers=1, greatest=2**63 - 1, whole_digits=19), "DECIMAL(25,4)"),
        (
            "DECIMAL",
            ColumnStats(integers=1, reals=1, greatest=2**60, whole_digits=19, fraction_digits=2),
            "DECIMAL(25,4)",
        ),
    ],
)
def test_decimals_have_the_digits_of_the_data_and_two_more(declared: str, stats: ColumnStats, kind: str) -> None:
    """At least those declared; what has more digits than money is a double."""
    assert chosen(declared, stats) == kind


def test_integers_beyond_a_double_among_long_fractions_move_as_text() -> None:
    """Only if somebody agrees."""
    stats = ColumnStats(integers=1, reals=1, greatest=2**60, whole_digits=19, fraction_digits=17)
    found = choose(column("NUMERIC"), stats, MYSQL)
    assert (found.type, [doubt.severity for doubt in found.doubts]) == ("TEXT", ["decide"])


@pytest.mark.parametrize(
    ("declared", "stats", "kind"),
    [
        ("TEXT", TEXTS, "TEXT"),
        ("TEXT", ColumnStats(texts=1, characters=5_000, bytes=16_383), "TEXT"),
        ("TEXT", ColumnStats(texts=1, characters=5_000, bytes=16_384), "MEDIUMTEXT"),
        ("TEXT", ColumnStats(texts=1, characters=4_194_304, bytes=4_194_304), "LONGTEXT"),
        ("VARCHAR(10)", TEXTS, "VARCHAR(10)"),
        ("VARCHAR(5)", TEXTS, "VARCHAR(15)"),
        ("CHAR(12)", TEXTS, "VARCHAR(12)"),
        ("CHARACTER VARYING(40)", TEXTS, "VARCHAR(40)"),
        ("VARCHAR(20000)", TEXTS, "TEXT"),
        ("VARCHAR(5)", ColumnStats(texts=1, characters=20_000, bytes=20_000), "MEDIUMTEXT"),
        ("JSON", TEXTS, "TEXT"),
        ("BLOB", ColumnStats(blobs=1, bytes=70_000), "MEDIUMBLOB"),
        ("DATETIME", SECONDS, "DATETIME"),
        ("TIMESTAMP", DAYS, "DATETIME"),
        ("DATE", DAYS, "DATE"),
        ("DATE", SECONDS, "DATETIME"),
        ("TEXT", SECONDS, "TEXT"),
        ("DATETIME", TEXTS, "TEXT"),
    ],
)
def test_text_bytes_and_dates(declared: str, stats: ColumnStats, kind: str) -> None:
    """A length that is declared is kept where every value fits; dates where all are written alike."""
    assert chosen(declared, stats) == kind


def test_a_fraction_of_a_second_is_kept_to_the_digit() -> None:
    """The grammar goes with it."""
    stats = ColumnStats(texts=1, characters=24, bytes=24, grammar="%Y-%m-%dT%H:%M:%S.%fZ", grammar_digits=3)
    found = choose(column("DATETIME"), stats, MYSQL)
    assert (found.type, found.grammar, found.digits) == ("DATETIME(3)", "%Y-%m-%dT%H:%M:%S.%fZ", 3)


@pytest.mark.parametrize(
    ("declared", "default", "kind", "grammar"),
    [
        ("INTEGER", "", "BIGINT", ""),
        ("BOOLEAN", "", "TINYINT(1)", ""),
        ("DECIMAL(8,3)", "", "DECIMAL(8,3)", ""),
        ("NUMERIC", "", "DECIMAL(19,4)", ""),
        ("REAL", "", "DOUBLE", ""),
        ("DATE", "", "DATE", "%Y-%m-%d"),
        ("DATETIME", "", "DATETIME(6)", "%Y-%m-%d %H:%M:%S.%f"),
        ("DATETIME", "CURRENT_TIMESTAMP", "DATETIME", "%Y-%m-%d %H:%M:%S"),
        ("VARCHAR(7)", "", "VARCHAR(7)", ""),
        ("BLOB", "", "BLOB", ""),
        ("JSON", "", "TEXT", ""),
        ("", "", "TEXT", ""),
    ],
)
def test_an_empty_column_becomes_what_is_declared(declared: str, default: str, kind: str, grammar: str) -> None:
    """NUMERIC has room for cents, though no value says so."""
    found = choose(column(declared, default=default), ColumnStats(nulls=2), MYSQL)
    assert (found.type, found.grammar) == (kind, grammar)


@pytest.mark.parametrize(
    ("declared", "default", "kind"),
    [("VARCHAR(3)", "'it''s'", "VARCHAR(6)"), ("VARCHAR(4)", "'it''s'", "VARCHAR(4)"), ("TINYINT", "300", "BIGINT")],
)
def test_there_is_room_for_the_default(declared: str, default: str, kind: str) -> None:
    """A server takes none that does not fit."""
    assert chosen(declared, ColumnStats(), default=default) == kind


@pytest.mark.parametrize(
    ("declared", "stats", "severity"),
    [
        ("INTEGER", ColumnStats(integers=1, texts=1, characters=3, bytes=3), "decide"),
        ("DATETIME", ColumnStats(reals=1, texts=1, characters=3, bytes=3), "decide"),
        ("", ColumnStats(integers=1, texts=1, characters=3, bytes=3), "stop"),
        ("", ColumnStats(integers=1, reals=1), "stop"),
        ("TEXT", ColumnStats(blobs=1, texts=1, characters=3, bytes=3), "stop"),
        ("INTEGER", ColumnStats(blobs=1, integers=1, bytes=3), "stop"),
    ],
)
def test_classes_that_no_column_tells_apart(declared: str, stats: ColumnStats, severity: str) -> None:
    """Where the affinity gives the class back a person decides; elsewhere the rows have to be mended, and are told."""
    (doubt,) = choose(column(declared), stats, MYSQL).doubts
    assert (doubt.kind, doubt.severity) == ("mixed", severity)
    assert "{column}" in doubt.where


def test_numbers_written_as_text_have_room() -> None:
    """As many characters as the longest number takes."""
    assert chosen("INTEGER", ColumnStats(integers=1, texts=1, characters=3, bytes=3), 30) == "VARCHAR(30)"
    sizes = ColumnStats(reals=1, texts=1, characters=3, bytes=3)
    (length,) = lengths(
        SourceTable("t", "", (column("DATETIME"),), ("c",)),
        TableStats(2, {"c": sizes}),
        {"c": choose(column("DATETIME"), sizes, MYSQL)},
        [],
    )[0].values()
    assert length == 191


def test_a_value_larger_than_a_packet_stops() -> None:
    """With what the server has to be told."""
    stats = ColumnStats(blobs=1, bytes=MARIADB.max_allowed_packet)
    (doubt,) = choose(column("BLOB"), stats, MARIADB).doubts
    assert (doubt.kind, doubt.severity) == ("packet", "stop")


def test_collations_are_those_of_the_source() -> None:
    """What is compared by its characters stays so; the others are told."""
    found = {
        name: choose(column("TEXT", collation=name), TEXTS, MYSQL) for name in ("BINARY", "NOCASE", "RTRIM", "OWN")
    }
    assert {name: one.collation for name, one in found.items()} == {
        "BINARY": "utf8mb4_0900_bin",
        "NOCASE": "utf8mb4_0900_as_ci",
        "RTRIM": "utf8mb4_bin",
        "OWN": "utf8mb4_0900_bin",
    }
    severities = {name: [doubt.severity for doubt in one.doubts] for name, one in found.items()}
    assert severities == {"BINARY": [], "NOCASE": ["note"], "RTRIM": ["note"], "OWN": ["decide"]}


def test_what_was_seen_is_told_exactly() -> None:
    """In the words by which an edited type is judged."""
    stats = ColumnStats(
        nulls=1, integers=1, reals=1, texts=1, least=-3, greatest=10010000000000001,
        fraction_digits=4, characters=70_000, bytes=210_000, four_byte=12,
    )  # fmt: skip
    assert seen(stats) == (
        "integers from -3 to 10010000000000001; reals, at most 4 digits after the point; "
        "text, at most 70,000 characters and 210,000 bytes, 12 with 4-byte characters; 1 NULL"
    )
    assert seen(ColumnStats()) == "nothing"
    assert type_problem("BIGINT", seen(stats)) is not None
    assert type_problem("LONGTEXT", seen(stats)) is None


def test_lengths_of_a_key_share_its_room() -> None:
    """Each part gets what it needs and, of what is left, what it would like; too much in all is not to be had."""
    assert fit({"a": (10, 191, 4), "b": (10, 191, 4)}, MOST) == {"a": 191, "b": 191}
    assert fit({"a": (10, 768, 4), "b": (500, 768, 4)}, MOST) == {"a": 200, "b": 567}
    assert fit({"a": (400, 768, 4), "b": (400, 768, 4)}, MOST) is None


def unique(*columns: str) -> SourceIndex:
    """A UNIQUE of a table."""
    return SourceIndex("sqlite_autoindex_t_1", True, tuple(SourceIndexPart(name) for name in columns))


def test_a_unique_key_that_is_too_long_is_named() -> None:
    """With the column of its longest value."""
    columns = (SourceColumn("a", "TEXT", "text"), SourceColumn("b", "TEXT", "text"))
    stats = {"a": TEXTS, "b": ColumnStats(texts=1, characters=760, bytes=760)}
    table = SourceTable("t", "", columns, indexes=(unique("a", "b"),))
    choices = {one.name: choose(one, stats[one.name], MYSQL) for one in columns}
    found, wrong = lengths(table, TableStats(3, stats), choices, [])
    assert found == {}
    assert [(one.key, one.column) for one in wrong] == [("UNIQUE (a, b)", "b")]


@pytest.mark.parametrize(
    ("declared", "collation", "nulls", "key"),
    [
        ("INTEGER", "BINARY", 0, ("c",)),
        ("TEXT", "BINARY", 0, ("c",)),
        ("TEXT", "NOCASE", 0, ("rowid",)),
        ("TEXT", "BINARY", 1, ("rowid",)),
        ("REAL", "BINARY", 0, ("rowid",)),
    ],
)
def test_rows_are_told_apart_by_what_both_sides_sort_alike(
    declared: str, collation: str, nulls: int, key: tuple[str, ...]
) -> None:
    """Else by the rowid, which then is the primary key."""
    stats = {"INTEGER": INTEGERS, "TEXT": TEXTS, "REAL": MONEY}[declared]
    stats = ColumnStats(nulls, stats.integers, stats.reals, stats.texts, characters=stats.characters, bytes=stats.bytes)
    one = column(declared, collation=collation)
    found = identity(
        SourceTable("t", "", (one,), ("c",)), TableStats(3, {"c": stats}), {"c": choose(one, stats, MYSQL, 191)}, MYSQL
    )
    assert found.key == key
    assert found.columns == (key if key == ("c",) else ())


def related(child: SourceColumn, parent: SourceColumn, stats: dict[str, ColumnStats]) -> tuple[str, str, str]:
    """The types of both sides of a foreign key, and why there can be none."""
    tables = {
        "p": SourceTable("p", "", (parent,), ("c",)),
        "t": SourceTable(
            "t", "", (child,), foreign_keys=(SourceForeignKey(("c",), "p", ("c",), "CASCADE", "NO ACTION"),)
        ),
    }
    both = {name: TableStats(3, {"c": stats[name]}) for name in tables}
    choices = {
        (name, "c"): choose(table.columns[0], stats[name], MYSQL, 191 if stats[name].texts else None)
        for name, table in tables.items()
    }
    (link,) = links(tables)
    choices |= united([link], choices, both, [])
    return choices["t", "c"].type, choices["p", "c"].type, unequal(link, choices)


def test_both_sides_of_a_foreign_key_have_one_type() -> None:
    """Integers the wider; a side without a value that of the other; text the parent's collation."""
    small = ColumnStats(integers=3, least=1, greatest=3, whole_digits=1)
    empty = ColumnStats(nulls=3)
    assert related(column("SMALLINT"), column("INTEGER"), {"t": small, "p": small}) == ("BIGINT", "BIGINT", "")
    assert related(column("NUMERIC"), column("INTEGER"), {"t": small, "p": small}) == ("BIGINT", "BIGINT", "")
    assert related(column("INTEGER"), column("TEXT"), {"t": empty, "p": TEXTS})[2] == ""
    assert (
        related(column("INTEGER"), column("TEXT"), {"t": INTEGERS, "p": TEXTS})[2]
        == "c is BIGINT and c is VARCHAR(191)"
    )
    nocase = column("TEXT", collation="NOCASE")
    assert related(column("TEXT"), nocase, {"t": TEXTS, "p": TEXTS})[2] == ""


@pytest.mark.parametrize(
    ("declared", "there", "stats", "fits"),
    [
        ("INTEGER", ExistingColumn("c", "bigint(20)", True), INTEGERS, True),
        ("INTEGER", ExistingColumn("c", "int unsigned", True), INTEGERS, False),
        ("INTEGER", ExistingColumn("c", "tinyint", True), INTEGERS, True),
        ("INTEGER", ExistingColumn("c", "float", True), INTEGERS, False),
        ("INTEGER", ExistingColumn("c", "varchar(20)", True), TEXTS, True),
        ("NUMERIC", ExistingColumn("c", "decimal(10,2)", True), MONEY, True),
        ("NUMERIC", ExistingColumn("c", "decimal(10,1)", True), MONEY, False),
        ("NUMERIC", ExistingColumn("c", "decimal(3,2)", True), MONEY, False),
        ("TEXT", ExistingColumn("c", "varchar(10)", True), TEXTS, True),
        ("TEXT", ExistingColumn("c", "varchar(9)", True), TEXTS, False),
        ("TEXT", ExistingColumn("c", "varbinary(12)", True), TEXTS, True),
        ("TEXT", ExistingColumn("c", "varbinary(11)", True), TEXTS, False),
        ("TEXT", ExistingColumn("c", "json", True), TEXTS, False),
        ("BLOB", ExistingColumn("c", "binary(4)", True), ColumnStats(blobs=2, bytes=4, fewest_bytes=4), True),
        ("BLOB", ExistingColumn("c", "binary(4)", True), ColumnStats(blobs=2, bytes=4, fewest_bytes=3), False),
        ("BLOB", ExistingColumn("c", "text", True), ColumnStats(blobs=2, bytes=4, fewest_bytes=3), False),
        (
            "TEXT",
            ExistingColumn("c", "char(10)", True),
            ColumnStats(texts=1, characters=2, bytes=2, trailing_spaces=1),
            False,
        ),
        ("DATETIME", ExistingColumn("c", "datetime", True), SECONDS, True),
        ("DATETIME", ExistingColumn("c", "datetime", True), INTEGERS, False),
        ("INTEGER", ExistingColumn("c", "bigint", False), ColumnStats(nulls=1, integers=1), False),
        ("TEXT", ExistingColumn("c", "json", True), ColumnStats(nulls=1), True),
    ],
)
def test_a_column_that_stands_takes_what_it_can_give_back(
    declared: str, there: ExistingColumn, stats: ColumnStats, fits: bool
) -> None:
    """What it would refuse, cut, round or fill up stops the plan."""
    plan = ColumnPlan(
        "c", "c", there.type.upper(), nullable=there.nullable, declared=declared, grammar=stats.grammar,
        collation="utf8mb4_bin" if "char" in there.type else "",
    )  # fmt: skip
    found = list(column_doubts(plan, there, stats, affinity_of(declared)))
    assert (not found) == fits
    assert all(doubt.severity == "stop" for doubt in found)
