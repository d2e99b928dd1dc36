"""The reference application's schema on SQLite and on MySQL, side by side: a page made from the tables as declared.

``python -m tests.project.schema_page`` writes ``docs/reference/schema.md`` and ``docs/images/schema.svg`` anew.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import BigInteger, Integer, String, Table, Text

from postrmagic_core._sql.types import BinaryKey, Blob, Id, Key, Micros
from tests.project import schema_drawing
from tests.project.schema_facts import (
    DIALECTS,
    FULL_TEXT,
    LONGEST_KEY,
    ROOT,
    Facts,
    Room,
    comments,
    declared,
    kind_of,
    longest_key,
    rooms,
)

FILE = ROOT / "docs" / "reference" / "schema.md"
SIDES = ("SQLite", "MySQL and MariaDB")

KINDS: dict[str, tuple[Any, str]] = {
    "Id": (
        Id(),
        "SQLite counts up nothing but a column of type `INTEGER PRIMARY KEY`, which is its rowid of 64 bits; MySQL's "
        "`INTEGER` ends at 2,147,483,647. Where the table gives the ids itself, it is `AUTO_INCREMENT`. SQLite gives "
        "the id of a deleted last row again, unless the table is `AUTOINCREMENT`; InnoDB does not.",
    ),
    "Key(n)": (
        Key(64),
        "A text that is equal to itself only. Each collation that MySQL and MariaDB both have ignores something: case, "
        "accents, or at least trailing spaces. Bytes are compared as SQLite compares text. In an index they need a "
        "limit: n counts bytes of UTF-8. The price: clients show such a column as bytes, so ask for "
        "`CONVERT(id USING utf8mb4)`.",
    ),
    "BinaryKey(n)": (BinaryKey(32), "A digest. MySQL indexes no more than the first bytes of a `BLOB`."),
    "Blob": (
        Blob(),
        "Bytes of any length: MySQL's `BLOB` ends at 65,535. A value must fit into `max_allowed_packet` all the same.",
    ),
    "Micros": (
        Micros(),
        "An instant, or a span, in microseconds since 1970 in UTC: the same number on both. SQLite has no type for "
        "instants; MySQL's `TIMESTAMP` ends in 2038 and is read in the session's time zone.",
    ),
    "BigInteger": (BigInteger(), "A number that may pass 2,147,483,647. SQLite has but one integer, of 64 bits."),
    "Integer": (
        Integer(),
        "A small number: pixels, tries, yes or no. MySQL's has 32 bits, and strict mode refuses more; SQLite takes 64.",
    ),
    "String(n)": (
        String(64),
        "Text of at most n characters, in `utf8mb4_bin`: compared character by character, case and accents count. "
        "SQLite does not keep to the limit, MySQL does. **Trailing spaces** do not count on MySQL (`PAD SPACE`), and "
        "do on SQLite: a unique key that takes `ann` and `ann␠` there takes only one of them here.",
    ),
    "Text": (Text(), "Text that is in no index. MySQL's ends at 65,535 bytes."),
}

_KEYS = (
    (
        "primary key, an `Id`",
        "the rowid, by which the rows are stored",
        "the rows are stored by it (InnoDB's clustered index), and each other index holds it",
    ),
    (
        "primary key of text or bytes",
        "an index beside the rowid",
        "the rows are stored by it: the ids of jobs, events and the audit log are UUIDs of version 7, so that new rows "
        "come last; digests fall anywhere",
    ),
    (
        "`UNIQUE`",
        "an index `sqlite_autoindex_…`; the constraint's name is in the table's text only",
        "an index of the constraint's name",
    ),
    ("`INDEX`", "the same name and columns", "the same"),
    (
        "`FOREIGN KEY`",
        "checked in sessions with `PRAGMA foreign_keys=ON`, as the package's are",
        "always checked. InnoDB wants an index that begins with its columns; each has one, so that none is added",
    ),
    ("`CHECK`", "checked", "checked, from MySQL 8.0.16 and MariaDB 10.2 on"),
    ("generated columns, triggers, views, partial indexes", "none", "none"),
)
_DIFFERENCES = (
    (
        "types as `SHOW CREATE TABLE` writes them",
        "`bigint`, `int`",
        "`bigint(20)`, `int(11)`: a width for display, without meaning",
    ),
    (
        "rule of a foreign key without `ON DELETE`, in `information_schema`",
        "`NO ACTION`",
        "`RESTRICT`; both refuse at once",
    ),
    (
        "collation of a new database, if nothing is said",
        "`utf8mb4_0900_ai_ci`",
        "`utf8mb4_general_ci`, `utf8mb4_uca1400_ai_ci` from 11.6 on; no table here depends on it",
    ),
    (
        "collation of text in tables that a transfer makes itself: exact, without padding",
        "`utf8mb4_0900_bin`",
        "`utf8mb4_nopad_bin`",
    ),
)

_INTRODUCTION = """# The schema on SQLite and on MySQL

The tables of the reference application and of the package, as their migrations make them: on SQLite, and on MySQL and
MariaDB, which are told apart only where they differ. Made from the code by `python -m tests.project.schema_page`; tests
see that it is current, and that migrated databases of each kind have what it says. How rows move from the one to the
other: [Move from SQLite to MySQL](../how-to/move-from-sqlite-to-mysql.md).

![The application's tables with their foreign keys, and the package's by room](../images/schema.svg)

The package's tables have no foreign keys: they name the application's rows by text, whatever its keys are."""

_OPERATOR = """## What an operator should know

- **InnoDB**, and no other engine: units need transactions, and it alone keeps foreign keys. The package's tables name
  it; the application's are made in the server's default engine, which is InnoDB unless somebody changed it.
- **utf8mb4** with `utf8mb4_bin` is named by each table, so that the server's and the database's defaults do not
  matter. The package's connections speak utf8mb4, in strict mode, with the time zone UTC; a client of yours may not.
- **Index keys** are at most {most:,} bytes long; the longest here, `{index}`, may take {length:,}.
- **One DDL statement in each revision** of the package: MySQL commits at each, so that of two a kill could leave one
  undone. The application's revisions may have several: each is noted in `pm_migration_progress`, and the next
  `postrmagic db upgrade` goes on from there ([migrations](../how-to/migrate-your-schema.md#deploy)). On SQLite a
  revision is one transaction.
- **`max_allowed_packet`** bounds a value of a `Blob`: 64 MiB on MySQL, 16 MiB on MariaDB, if nothing is said. SQLite's
  own bound is 1 GB.
- **Full text** is another thing on each side: [`media_search`](#media_search). Its rows are not copied by a move but
  made anew after it.
- **Ids** that a table gives itself go on behind the highest that was moved. `pm_outbox` must never give one again, so
  that its counter moves too."""

_BESIDE = """## What else there is

- `alembic_version` and `pm_alembic_version` hold the newest revision of the application's and the package's history.
  Migrations write them on each side. Where both are the same, a transfer keeps the target's; else it does not begin.
- `pm_transfer` is on a target only: there a transfer notes how far it is.
- `sqlite_sequence` is SQLite's own: the counters of `AUTOINCREMENT`.
- Sessions, cache and limits are not in this database but in a Store, by default the file `kv.db`; `pm_kv` is its table,
  there and in a Store on MySQL. What is in it ends by itself, and is not moved."""

_SEARCH = """The words of each medium, as terms of `zz`, a to z and 0 to 9, which each engine takes as they are: without
stop words, shortest words, accents or case of its own. A revision makes it by hand, since the two have in common only
the name and `terms`: on SQLite a virtual table of FTS5, whose rowid is the medium's id and whose rows are in the tables
`media_search_…`; on MySQL a table with a `FULLTEXT` index, from which a foreign key removes deleted media."""


def page() -> str:
    """The whole page."""
    index, length = longest_key(table for room in rooms() for table in room.tables)
    parts = [
        _INTRODUCTION,
        "## Kinds of columns",
        "Each column is of a kind, and the kind decides its type. `NOT NULL` and defaults are the same on both sides.",
        _rows(("kind", *SIDES, "why"), map(_kind_row, KINDS)),
        "## Keys, indexes and constraints",
        _rows(("", *SIDES), _KEYS),
        _OPERATOR.format(most=LONGEST_KEY, index=index, length=length),
        "## Where MySQL and MariaDB differ",
        _rows(("", "MySQL", "MariaDB"), _DIFFERENCES),
        _BESIDE,
        *(part for room in rooms() for part in _chapter(room)),
    ]
    return "\n\n".join(parts) + "\n"


def _kind_row(name: str) -> list[str]:
    kind, why = KINDS[name]
    sized = [re.sub(r"\(\d+\)", "(n)", kind.compile(dialect=dialect)) for dialect in DIALECTS.values()]
    return [f"`{name}`", *(f"`{each}`" for each in sized), why]


def _chapter(room: Room) -> Iterator[str]:
    yield f"## {room.name}"
    if room.told:
        yield room.told
    told = comments(room.module)
    for table in room.tables:
        yield from _table(table, told.get(table.name, ""))
    if room.holds_full_text:
        yield from ("### `media_search`", _SEARCH)
        for side, kind in zip(SIDES, DIALECTS, strict=True):
            yield f"{side}:\n\n```sql\n{_broken(FULL_TEXT[kind])}\n```"


def _table(table: Table, told: str) -> Iterator[str]:
    yield f"### `{table.name}`"
    if told:
        yield told
    sides = [dict(declared(table, kind).columns) for kind in DIALECTS]
    rows = [
        [f"`{column.name}`", *(f"`{side[column.name]}`" for side in sides), f"`{kind_of(column)}`"]
        for column in table.columns
    ]
    yield _rows(("column", *SIDES, "kind"), rows)
    yield "\n".join(f"- `{line}`" for line in _lines(declared(table, "mysql")))


def _lines(facts: Facts) -> list[str]:
    return [
        f"PRIMARY KEY ({', '.join(facts.primary_key)})",
        *sorted(facts.indexes, reverse=True),
        *(f"FOREIGN KEY {each}" for each in sorted(facts.foreign_keys)),
        *(f"CHECK {each}" for each in sorted(facts.checks)),
    ]


def _broken(statement: str) -> str:
    """A long CREATE TABLE with a line for each column and key."""
    return statement if len(statement) < 100 else re.sub(r", (?=[a-z]+ TEXT|FULLTEXT|CONSTRAINT)", ",\n    ", statement)


def _rows(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    for file, content in ((FILE, page()), (schema_drawing.FILE, schema_drawing.current())):
        file.write_text(content, encoding="utf-8")
        sys.stdout.write(f"{file.relative_to(ROOT)}\n")
