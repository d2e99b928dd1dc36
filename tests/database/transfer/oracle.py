"""Whether a database moved exactly, told without the package: rows read by the drivers alone, and compared by class."""

from __future__ import annotations

import math
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import decoders

from postrmagic_core.database.transfer.interface import ROWID, ColumnPlan, Finding, Plan, TablePlan
from tests.database.transfer.hostile import quoted

# A storage class of SQLite's, and the value so that equal means the same: text as its bytes, doubles by all their bits.
Told: TypeAlias = tuple[str, int | str | bytes | None]

_DATES = {FIELD_TYPE.DATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.TIME}
_AS_TEXT: Any = {code: decoder for code, decoder in decoders.items() if code not in _DATES}
_ROWIDS = ("rowid", "_rowid_", "oid")
# Characters, and bytes, of which any index of the target has room for a part.
_ROOM = 190


@contextmanager
def server(url: str) -> Iterator[pymysql.connections.Connection[Any]]:
    """A plain connection to the database of ``url``; dates come as text."""
    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname or "",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path[1:],
        charset="utf8mb4",
        autocommit=True,
        conv=_AS_TEXT,
        ssl_disabled=True,  # loading the machine's certificates takes longer than a whole example
    )
    with closing(connection):
        yield connection


def asked(url: str, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """The rows of one statement on the target."""
    with server(url) as connection, connection.cursor() as cursor:
        cursor.execute(sql, values or None)
        return list(cursor.fetchall())


def emptied(url: str) -> None:
    """Drop every table of the database."""
    with server(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
        if names := [f"`{name.replace('`', '``')}`" for (name,) in cursor.fetchall()]:
            cursor.execute(f"DROP TABLE {', '.join(names)}")


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The source; text comes as its bytes, as it may be none."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        yield connection


def compare(source: Path, url: str, plan: Plan) -> None:
    """Raise :class:`AssertionError` where a table of the plan has other rows in the target than in the source."""
    with opened(source) as connection, server(url) as target:
        for table in plan.tables:
            columns = _compared(connection, table, plan)
            loose = {one.column for one in plan.findings if one.table == table.name and one.severity == "decide"}
            ours = Counter(_of_source(connection, table, columns, loose))
            theirs = Counter(_of_target(connection, target, table, columns, loose))
            assert ours == theirs, (
                f"{table.name}: only in the source {list((ours - theirs).elements())[:3]}, "
                f"only in the target {list((theirs - ours).elements())[:3]}"
            )


def _compared(connection: sqlite3.Connection, table: TablePlan, plan: Plan) -> list[ColumnPlan]:
    """The source's columns and the hidden rowid; what is not in the plan has to be told of as left behind."""
    existing = set(_declared(connection, table.name))
    left = {one.name.rpartition(".")[2] for one in plan.objects if one.kind == "generated column"}
    planned = {column.name for column in table.columns if not column.hidden}
    assert existing - planned <= left, f"{table.name}: {existing - planned} are gone"
    return [one for one in table.columns if (one.name in existing and not one.hidden) or one.target == ROWID]


def _of_source(
    connection: sqlite3.Connection, table: TablePlan, columns: list[ColumnPlan], loose: set[str]
) -> Iterator[tuple[Told, ...]]:
    existing = {name.lower() for name in _declared(connection, table.name)}
    rowid = next((alias for alias in _ROWIDS if alias not in existing), "rowid")
    names = [rowid if one.hidden else quoted(one.name) for one in columns]
    picked = ", ".join(f"typeof({name}), {name}" for name in names)
    for row in connection.execute(f"SELECT {picked} FROM {quoted(table.name)}"):
        pairs = zip(columns, row[::2], row[1::2], strict=True)
        yield tuple(_told(kind.decode(), value, column.name in loose) for column, kind, value in pairs)


def _of_target(
    connection: sqlite3.Connection,
    target: pymysql.connections.Connection[Any],
    table: TablePlan,
    columns: list[ColumnPlan],
    loose: set[str],
) -> Iterator[tuple[Told, ...]]:
    (strict,) = connection.execute("SELECT strict FROM pragma_table_list(?)", (table.name,)).fetchone()
    declared = _declared(connection, table.name)
    names = ", ".join(f"`{one.target.replace('`', '``')}`" for one in columns)
    with target.cursor() as cursor, closing(sqlite3.connect(":memory:")) as probe:
        probe.text_factory = bytes
        for at, column in enumerate(columns):
            kind = "INTEGER" if column.hidden else declared[column.name]
            probe.execute(f"CREATE TABLE t{at} (v {kind}) {'STRICT' if strict else ''}")
        cursor.execute(f"SELECT {names} FROM `{table.target.replace('`', '``')}`")
        for row in cursor.fetchall():
            yield tuple(
                _told(*_probed(probe, at, column, value), column.name in loose)
                for at, (column, value) in enumerate(zip(columns, row, strict=True))
            )


def _probed(probe: sqlite3.Connection, at: int, column: ColumnPlan, value: object) -> tuple[str, Any]:
    """What SQLite makes of the target's value in a column of the source's type: its affinity gives the class."""
    if isinstance(value, Decimal):
        whole = value == value.to_integral_value() and -(2**63) <= value < 2**63
        value = int(value) if whole else float(value)
    elif isinstance(value, str) and column.grammar:
        value = _written(value, column)
    probe.execute(f"DELETE FROM t{at}")
    kind, found = probe.execute(f"INSERT INTO t{at} VALUES (?) RETURNING typeof(v), v", (value,)).fetchone()
    if kind == b"real" and isinstance(value, str):
        found = float(value)  # SQLite's own reading of a text was not exact before its 3.43
    return kind.decode(), found


def _written(value: str, column: ColumnPlan) -> str:
    digits = re.search(r"\((\d)\)", column.type)
    moment = datetime.fromisoformat(value)
    fraction = f"{moment.microsecond:06d}"[: int(digits[1]) if digits else 0]
    return moment.strftime(column.grammar.replace("%f", fraction))


def _told(kind: str, value: Any, loose: bool) -> Told:
    """``loose``: somebody accepted that the class of numbers is lost."""
    if loose and kind in {"integer", "real"}:
        return "number", (value if isinstance(value, int) or not value.is_integer() else int(value)).__repr__()
    return kind, value.hex() if isinstance(value, float) else value


def justified(source: Path, finding: Finding) -> bool:
    """Whether the table that a plan stops at holds anything that may stop it."""
    with opened(source) as connection:
        reasons = (_unfit_values, _orphans, _broken, _large_keys, _unlike_nocase, _nameless_rows)
        return any(reason(connection, finding.table) for reason in reasons)


def _declared(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """Of each column, the generated ones too, the type as it was written."""
    told = connection.execute(f"PRAGMA table_xinfo({quoted(table)})")
    return {name.decode(): kind.decode() for _, name, kind, *_ in told}


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [quoted(name) for name in _declared(connection, table)]


def _unfit_values(connection: sqlite3.Connection, table: str) -> bool:
    for column in _columns(connection, table):
        kinds, bad = set(), False
        for kind, value in connection.execute(f"SELECT typeof({column}), {column} FROM {quoted(table)}"):
            kinds.add(kind)
            bad = bad or (kind == b"text" and not _decodes(value)) or value in {float("inf"), float("-inf")}
            # MariaDB stores a negative zero as the other one.
            bad = bad or (kind == b"real" and value == 0 and math.copysign(1, value) < 0)
        if bad or len(kinds - {b"null"}) > 1:
            return True
    return False


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _orphans(connection: sqlite3.Connection, table: str) -> bool:
    try:
        return bool(connection.execute(f"PRAGMA foreign_key_check({quoted(table)})").fetchall())
    except sqlite3.OperationalError:  # the parent's columns are no key: SQLite itself could not use it
        return True


def _broken(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute(f"PRAGMA integrity_check({quoted(table)})").fetchall() != [(b"ok",)]


def _large_keys(connection: sqlite3.Connection, table: str) -> bool:
    return any(
        connection.execute(f"SELECT 1 FROM {quoted(table)} WHERE length(CAST({column} AS BLOB)) > {_ROOM}").fetchone()
        for column in _columns(connection, table)
    )


def _unlike_nocase(connection: sqlite3.Connection, table: str) -> bool:
    """Texts that SQLite's NOCASE may tell apart and a server's collation not: of more than printable ASCII."""
    (sql,) = connection.execute("SELECT group_concat(sql) FROM sqlite_master WHERE tbl_name = ?", (table,)).fetchone()
    texts = (
        value.decode(errors="replace")
        for column in _columns(connection, table)
        for (value,) in connection.execute(f"SELECT {column} FROM {quoted(table)} WHERE typeof({column}) = 'text'")
    )
    return b"NOCASE" in sql and any(not (text.isascii() and text.isprintable()) for text in texts)


def _nameless_rows(connection: sqlite3.Connection, table: str) -> bool:
    """Columns with all the names of the rowid."""
    return {name.lower() for name in _declared(connection, table)} >= set(_ROWIDS)
