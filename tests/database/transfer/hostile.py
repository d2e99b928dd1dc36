"""A generator of hostile SQLite databases: whatever SQLite takes, in the shapes that other databases read otherwise.

Declared types against stored classes, affinities, collations, names, keys, twins that differ by case, accent or a
trailing space, dates that are none, rows that lead nowhere. What SQLite itself refuses is left out when it is written.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from hypothesis import strategies as st

Stored: TypeAlias = int | float | str | bytes | None
Statement: TypeAlias = tuple[str, tuple[Stored, ...]]

_TWINS = [
    "abc", "ABC", "abc ", "äbc", "ÄBC", "a\u0308bc", "aBc\t", "\uff41bc", "", " ", "ß", "ss", "İ", "i\u0307", "ǆ", "Ǆ",
]  # fmt: skip
_MARKS = [
    "\0", "a\0b", "\\N", "\\", "\\0", "a\\\tb", "'", '"', "`", "\t", "\n", "\r\n", "\x1a", "%s", "\ufeff", "\ufffd",
    "\xa0",
]  # fmt: skip
_WIDE = ["😀", "👩‍🎤", "\U0010ffff", "e\u0301" * 9, "é" * 200, "x" * 300, "n" * 70_000, "ﬁ", "\ue000", "\uffff"]
_LIKE_NUMBERS = [
    "1", "01", "1e5", " 12", "12 ", "0x10", "1.0", "-0", "9223372036854775808", "nan", "inf", "1_000", "\u0661",
]  # fmt: skip

texts = st.one_of(
    st.sampled_from(_TWINS),
    st.sampled_from(_MARKS),
    st.sampled_from(_WIDE),
    st.sampled_from(_LIKE_NUMBERS),
    st.text(max_size=12),
)
small = st.integers(-3, 130) | st.sampled_from([-128, -129, 127, 128, 32_767, 8_388_607])
integers = (
    small
    | st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**53, 2**53 + 1, 10010000000000001, 2**63 - 1, -(2**63)])
    | st.integers(-(2**63), 2**63 - 1)
)
reals = st.sampled_from(
    [0.0, -0.0, 0.1, 1 / 3, 2.55, 19.99, 1234567.891, 0.1 + 0.2, 1e15, 1e16, 123456789012345.67, 1e22, 5e-324, 2.0**53]
) | st.floats(allow_nan=False, allow_infinity=False)
decimals = st.decimals(-100_000, 100_000, places=2).map(float)
blobs = st.binary(max_size=20) | st.sampled_from(
    [b"", b"\0", b"abc", b"abc ", b"ABC", b"\\N", b"\xff\xfe", b"\t\n\\\r", b"\xc3\xa4", b"b" * 300, b"\0" * 70_000]
)
_MOMENTS = st.datetimes().map(lambda moment: moment.isoformat(" ", "microseconds"))
_DAYS = _MOMENTS.map(lambda text: text[:10])
_SECONDS = _MOMENTS.map(lambda text: text[:19])
_NO_DATES = st.sampled_from(
    [
        "0000-00-00", "0000-00-00 00:00:00", "2024-02-30", "2023-02-29 10:00:00", "2024-01-01 24:00:00",
        "2024-01-01 23:59:60", "0999-12-31", "10000-01-01", "now", "2024-1-1", "20240101", "2024-01-01 00:00",
        "2024-01-01 00:00:00+02:00", "12:30:00",
    ]
)  # fmt: skip
_STAMPS = {
    "days": _DAYS,
    "seconds": _SECONDS,
    "milliseconds": _MOMENTS.map(lambda text: text[:23]),
    "microseconds": _MOMENTS,
    "iso": _SECONDS.map(lambda text: text.replace(" ", "T")),
    "zulu": _MOMENTS.map(lambda text: text.replace(" ", "T") + "Z"),
    "offset": _SECONDS.map(lambda text: text + "+00:00"),
    "mixed dates": _DAYS | _SECONDS | _MOMENTS,
    "no dates": _NO_DATES | _SECONDS,
}


def _or_null(pool: st.SearchStrategy[Stored]) -> st.SearchStrategy[Stored]:
    """NULL one time in five."""
    return st.integers(0, 4).flatmap(lambda drawn: pool if drawn else st.none())


POOLS: dict[str, st.SearchStrategy[Stored]] = {
    "integers": integers,
    "small": small,
    "booleans": st.sampled_from([0, 1]),
    "epochs": st.integers(1_500_000_000, 1_900_000_000),
    "reals": reals,
    "decimals": decimals,
    "numbers": small | decimals,
    "any numbers": integers | reals,
    "texts": texts,
    "twins": st.sampled_from(_TWINS),
    "numerals": st.sampled_from(_LIKE_NUMBERS),
    "blobs": blobs,
    "infinite": st.sampled_from([float("inf"), float("-inf"), 1.5]),
    "anything": integers | reals | texts | blobs,
    "texts and numbers": texts | integers | reals,
    **_STAMPS,
}
# Bytes that are stored as text, valid or not.
NOT_UTF8 = "not utf-8"
_POOLS = {**POOLS, NOT_UTF8: blobs}
_WITH_NULL = {name: _or_null(pool) for name, pool in _POOLS.items()}

_AT_HOME = {
    "INTEGER": ["integers", "small", "booleans", "epochs"],
    "BIGINT": ["integers"],
    "TINYINT": ["small"],
    "SMALLINT": ["small", "integers"],
    "MEDIUMINT": ["small"],
    "UNSIGNED BIG INT": ["integers"],
    "BOOLEAN": ["booleans", "small"],
    "REAL": ["reals", "any numbers", "decimals"],
    "DOUBLE PRECISION": ["reals", "numbers"],
    "FLOAT": ["reals", "decimals"],
    "NUMERIC": ["decimals", "reals", "numbers", "any numbers"],
    "DECIMAL(10,2)": ["decimals", "numbers", "reals"],
    "DECIMAL(5,0)": ["decimals", "small"],
    "NUMERIC(30,10)": ["numbers", "any numbers"],
    "TEXT": ["texts", "twins", "numerals"],
    "VARCHAR(5)": ["texts", "twins"],
    "CHAR(3)": ["twins"],
    "CLOB": ["texts"],
    "JSON": ["numerals", "small"],
    "STRING": ["texts", "numerals", "small"],
    "BLOB": ["blobs", "texts", "integers"],
    "VARBINARY(4)": ["blobs"],
    "": ["integers", "reals", "texts", "blobs", "any numbers"],
    "DATE": ["days", "no dates"],
    "DATETIME": [*_STAMPS, "epochs"],
    "TIMESTAMP": [*_STAMPS, "epochs"],
}
_STRICT = {
    "INTEGER": ["integers"],
    "INT": ["small"],
    "REAL": ["reals"],
    "TEXT": ["texts", "twins", NOT_UTF8],
    "BLOB": ["blobs"],
    "ANY": ["integers", "texts", "anything"],
}

_NAMES = [
    "select", "order", "key", "a b", "a.b", "x`y", 'x"y', "it's", "50%", "%s", "1", "größe", "GRÖSSE", "Größe", "tail ",
    "😀", "rowid", "_rowid_", "oid", "pm_rowid", "pm_ix_a", "pm_transfer", "l" * 64, "l" * 63 + "m" * 9,
    "l" * 63 + "m" * 10, "\\", "a\tb", "\u2013",
]  # fmt: skip
_DEFAULTS = [
    "CURRENT_TIMESTAMP", "'it''s \\'", "0", "-1", "1.5", "NULL", "x'00ff'", "(1 + 1)", "TRUE", "'abc '", "(lower('A'))",
]  # fmt: skip
_CHECKS = [
    "{0} IS NULL OR length({0}) < 100", "{0} IN ('abc', 'ABC', 1, 2)", "{0} <> 5", "{0} >= 0", "{0} LIKE 'a%'",
    "{0} GLOB 'a*'", "typeof({0}) <> 'blob'", "{0} BETWEEN -10 AND 100000", "{0} = 'abc' OR {0} IS NOT 'ABC'",
]  # fmt: skip
_COMPUTED = [
    "{0} + 1", "lower({0})", "length({0})", "{0} || 'x'", "coalesce({0}, 0)", "abs({0})", "substr({0}, 1, 2)",
    "typeof({0})", "{0} IS NULL", "round({0}, 1)", "CASE WHEN {0} > 0 THEN {0} END", "{0} / 2", "{0} = 'abc'",
]  # fmt: skip
_PARTS = ["{0}", "{0}", "{0} DESC", "{0} COLLATE NOCASE", "lower({0})", "{0} + 1"]
_WHERES = ["", "", " WHERE {0} IS NOT NULL", " WHERE {0} > 0", " WHERE {0} = 'abc'"]
_ACTIONS = [
    "", " ON DELETE CASCADE", " ON DELETE SET NULL ON UPDATE CASCADE", " ON DELETE SET DEFAULT", " ON UPDATE RESTRICT",
]  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """A database as statements with their parameters, in order."""

    statements: tuple[Statement, ...]
    # Whether SQLite enforced the foreign keys: if not, rows lead nowhere.
    enforced: bool = True

    def write(self, path: Path) -> int:
        """Make it at ``path``, without what SQLite refuses; the number of statements that it took."""
        taken = 0
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF")
            connection.execute(f"PRAGMA foreign_keys = {self.enforced}")
            connection.execute("BEGIN")
            for sql, values in self.statements:
                with suppress(sqlite3.Error):
                    connection.execute(sql, values)
                    taken += 1
            connection.execute("COMMIT")
        return taken

    def __repr__(self) -> str:
        return "\n".join(["", *(f"    {sql}  {values}" if values else f"    {sql}" for sql, values in self.statements)])


@dataclass(frozen=True)
class _Column:
    name: str
    declared: str
    pool: str
    required: bool = False
    generated: bool = False


def quoted(name: str) -> str:
    """``name`` as SQLite's identifier."""
    return '"' + name.replace('"', '""') + '"'


@st.composite
def databases(draw: st.DrawFn) -> Hostile:
    """One to three tables, with rows, indexes, and foreign keys to the table before or to themselves."""
    names = draw(_names("t", 3))[: draw(st.integers(1, 3))]
    statements: list[Statement] = []
    if draw(st.integers(0, 7)) == 0:
        statements.append(("PRAGMA ignore_check_constraints = ON", ()))
    parent: tuple[str, _Column] | None = None
    for name in names:
        columns = draw(_columns())
        created, key = draw(_created(name, columns, parent))
        statements.append((created, ()))
        statements += [(sql, ()) for sql in draw(st.lists(_indexes(name, columns), max_size=2))]
        statements += draw(_rows(name, [one for one in columns if not one.generated]))
        parent = (name, key)
    return Hostile(tuple(statements), enforced=draw(st.integers(0, 3)) > 0)


@st.composite
def _names(draw: st.DrawFn, letter: str, number: int) -> list[str]:
    plain = [f"{letter}{at}" for at in range(number)]
    if draw(st.integers(0, 2)):
        return plain
    return draw(st.lists(st.sampled_from([*plain, *_NAMES]), min_size=number, max_size=number, unique_by=str.lower))


@st.composite
def _columns(draw: st.DrawFn, most: int = 4) -> list[_Column]:
    columns = []
    for name in draw(_names("c", most))[: draw(st.integers(1, most))]:
        declared = draw(st.sampled_from(list(_AT_HOME)))
        strange = draw(st.integers(0, 11)) == 0
        pool = draw(st.sampled_from(list(_POOLS) if strange else _AT_HOME[declared]))
        columns.append(_Column(name, declared, pool, required=draw(st.integers(0, 4)) == 0))
    return columns


@st.composite
def _created(
    draw: st.DrawFn, name: str, columns: list[_Column], parent: tuple[str, _Column] | None
) -> tuple[str, _Column]:
    """CREATE TABLE, and the column that another table may refer to; ``columns`` get what the table is made of."""
    strict = draw(st.integers(0, 7)) == 0
    if strict:
        for at, column in enumerate(columns):
            declared = draw(st.sampled_from(list(_STRICT)))
            columns[at] = replace(column, declared=declared, pool=draw(st.sampled_from(_STRICT[declared])))
    key = draw(st.sampled_from(["none", "integer", "integer", "increment", "descending", "first", "several", "unique"]))
    if key in {"integer", "increment", "descending"}:
        columns[0] = replace(columns[0], declared="INTEGER", pool="small")
    parts = [draw(_defined(column, key if at == 0 else "")) for at, column in enumerate(columns)]
    if draw(st.integers(0, 5)) == 0 and "computed" not in [column.name for column in columns]:
        expression = draw(st.sampled_from(_COMPUTED)).format(quoted(draw(st.sampled_from(columns)).name))
        kind = "ANY" if strict else draw(st.sampled_from(["", "TEXT", "INTEGER", "REAL"]))
        parts.append(f"computed {kind} AS ({expression}) {draw(st.sampled_from(['VIRTUAL', 'STORED']))}")
        columns.append(_Column("computed", kind, "", generated=True))
    own = [column for column in columns if not column.generated]
    parts += draw(_keys(key, own))
    if draw(st.integers(0, 5)) == 0:
        parts.append(f"CHECK ({draw(st.sampled_from(_CHECKS)).format(quoted(draw(st.sampled_from(own)).name))})")
    if parent is not None and draw(st.booleans()):
        to, column = draw(st.sampled_from([parent, (name, own[0])]))
        child = draw(st.sampled_from(own))
        action = draw(st.sampled_from(_ACTIONS))
        parts.append(f"FOREIGN KEY ({quoted(child.name)}) REFERENCES {quoted(to)} ({quoted(column.name)}){action}")
    without = key not in {"none", "unique", "increment"} and draw(st.integers(0, 4)) == 0
    options = ", ".join(["STRICT"] * strict + ["WITHOUT ROWID"] * without)
    return f"CREATE TABLE {quoted(name)} ({', '.join(parts)}) {options}", own[0]


@st.composite
def _defined(draw: st.DrawFn, column: _Column, key: str) -> str:
    if key in {"integer", "increment"}:
        return f"{quoted(column.name)} INTEGER"
    if key == "descending":  # as a column's own constraint it makes no alias of the rowid, and admits NULL
        return f"{quoted(column.name)} INTEGER PRIMARY KEY DESC"
    collation = draw(st.sampled_from(["", "", "", " COLLATE NOCASE", " COLLATE RTRIM"]))
    default = f" DEFAULT {draw(st.sampled_from(_DEFAULTS))}" if draw(st.integers(0, 4)) == 0 else ""
    missing = " NOT NULL" if column.required else ""
    return f"{quoted(column.name)} {column.declared}{missing}{default}{collation}"


@st.composite
def _keys(draw: st.DrawFn, key: str, columns: list[_Column]) -> list[str]:
    first, every = quoted(columns[0].name), ", ".join(quoted(column.name) for column in columns[:3])
    parts = {
        "integer": [f"PRIMARY KEY ({first})"],
        "increment": [f"PRIMARY KEY ({first} AUTOINCREMENT)"],
        "first": [f"PRIMARY KEY ({first})"],
        "several": [f"PRIMARY KEY ({every})"],
        "unique": [f"UNIQUE ({every})"],
    }.get(key, [])
    if draw(st.integers(0, 3)) == 0:
        parts.append(f"UNIQUE ({quoted(columns[-1].name)})")
    return parts


@st.composite
def _indexes(draw: st.DrawFn, table: str, columns: list[_Column]) -> str:
    chosen = quoted(draw(st.sampled_from(columns)).name)
    unique = draw(st.sampled_from(["", "UNIQUE "]))
    part, where = draw(st.sampled_from(_PARTS)).format(chosen), draw(st.sampled_from(_WHERES)).format(chosen)
    name = quoted(f"{table} {draw(st.integers(0, 99))}")
    return f"CREATE {unique}INDEX {name} ON {quoted(table)} ({part}){where}"


def _rows(table: str, columns: list[_Column]) -> st.SearchStrategy[list[Statement]]:
    """Its INSERTs: NULL in each column now and then."""
    places = ", ".join("CAST(? AS TEXT)" if column.pool == NOT_UTF8 else "?" for column in columns)
    named = ", ".join(quoted(column.name) for column in columns)
    sql = f"INSERT INTO {quoted(table)} ({named}) VALUES ({places})"
    row = st.tuples(*[(_POOLS if column.required else _WITH_NULL)[column.pool] for column in columns])
    return (
        st.integers(2, 8)
        .flatmap(lambda count: st.lists(row, min_size=count, max_size=count))
        .map(lambda rows: [(sql, values) for values in rows])
    )
