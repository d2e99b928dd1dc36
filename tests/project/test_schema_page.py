"""The page of the schema says what the code declares, and what migrated databases of each kind have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Column, Connection, ForeignKey, Inspector, Integer, MetaData, Table, inspect, text

from postrmagic_core.database import DatabaseManager, Migrations
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here
from tests.project import schema_drawing, schema_facts, schema_page
from tests.project.schema_facts import Facts

# Made by Alembic and by SQLite itself.
BESIDE = {"alembic_version", "pm_alembic_version", "sqlite_sequence"}
# How MariaDB writes integers: with a width for display.
_WIDTH = re.compile(r"\b(BIGINT|INTEGER)\(\d+\)")
# SQLite and MySQL keep the quotes around a default that is a number, MariaDB does not.
_QUOTE = "'"
_COLLATED = re.compile(r" (?:CHARACTER SET|COLLATE) \w+")


def test_the_page_is_current() -> None:
    """``python -m tests.project.schema_page`` writes it."""
    assert schema_page.FILE.read_text(encoding="utf-8") == schema_page.page()


def test_the_drawing_is_current() -> None:
    """The same command writes it."""
    assert schema_drawing.FILE.read_text(encoding="utf-8") == schema_drawing.current()


@pytest.fixture
def connection(open_database: Callable[..., DatabaseManager]) -> Iterator[Connection]:  # noqa: F811 - imported
    """A database of each kind, brought to the newest revision by the application's migrations and the package's."""
    migrations = Migrations("media_library:migrations", schema_facts.library().metadata)
    database = open_database(migrations=migrations)
    database.upgrade()
    with database.read() as tx:
        yield tx.connection


def test_migrated_databases_have_what_the_page_says(connection: Connection) -> None:
    """Columns with their types, keys, indexes, foreign keys and checks of each table; and no table that is not told."""
    kind = "sqlite" if connection.dialect.name == "sqlite" else "mysql"
    tables = [table for room in schema_facts.rooms() for table in room.tables]
    there = set(inspect(connection).get_table_names()) - BESIDE
    there = {name for name in there if kind == "mysql" or not name.startswith("media_search")}
    assert there == {table.name for table in tables} | ({"media_search"} if kind == "mysql" else set())
    for table in tables:
        assert found(connection, table.name) == schema_facts.declared(table, kind), table.name


def test_full_text_is_made_as_the_page_says(connection: Connection) -> None:
    """On SQLite by the statement that is shown; on servers it has the columns and keys that the statement gives it."""
    if connection.dialect.name == "sqlite":
        made = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = 'media_search'"))
        assert made == schema_facts.FULL_TEXT["sqlite"]
    else:
        assert found(connection, "media_search") == schema_facts.declared(schema_facts.full_text(), "mysql")


def found(connection: Connection, table: str) -> Facts:
    """What the database itself says of a table, in the page's words."""
    reader = inspect(connection)
    columns = reader.get_columns(table)
    grows = _growing(connection, table)
    return Facts(
        tuple((column["name"], _declaration(column, connection, grows)) for column in columns),
        tuple(reader.get_pk_constraint(table)["constrained_columns"]),
        frozenset(_indexes(reader, table)),
        frozenset(
            schema_facts.foreign_key(
                str(key["name"]),
                key["constrained_columns"],
                key["referred_table"],
                key["referred_columns"],
                key.get("options", {}).get("ondelete"),
            )
            for key in reader.get_foreign_keys(table)
        ),
        frozenset(
            f"{check['name']} {re.sub('[`()]', '', str(check['sqltext']))}"
            for check in reader.get_check_constraints(table)
        ),
        frozenset(_collations(connection, table)),
    )


def _collations(connection: Connection, table: str) -> list[str]:
    if connection.dialect.name == "sqlite":
        return []
    columns = connection.execute(text(f"SHOW FULL COLUMNS FROM {table}")).mappings()
    return [str(column["Collation"]) for column in columns if column["Collation"] is not None]


def _declaration(column: Any, connection: Connection, grows: str) -> str:
    """As the page writes it; ``grows`` is the word for a column that counts up."""
    kind = _COLLATED.sub("", _WIDTH.sub(r"\1", column["type"].compile(dialect=connection.dialect)))
    null = "" if column["nullable"] else " NOT NULL"
    default = "" if column["default"] is None else f" DEFAULT {str(column['default']).strip(_QUOTE)}"
    counts = column.get("autoincrement") is True or (grows == "AUTOINCREMENT" and column["primary_key"])
    return f"{kind}{null}{default}{f' {grows}' if counts else ''}"


def _growing(connection: Connection, table: str) -> str:
    """How a column of the table that counts up is declared; on SQLite only some tables say so."""
    if connection.dialect.name != "sqlite":
        return "AUTO_INCREMENT"
    made = connection.scalar(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table})
    return "AUTOINCREMENT" if "AUTOINCREMENT" in str(made) else ""


def _indexes(reader: Inspector, table: str) -> Iterator[str]:
    for key in reader.get_unique_constraints(table):
        yield f"UNIQUE {key['name']} ({', '.join(key['column_names'])})"
    for index in reader.get_indexes(table):
        if not index["unique"]:
            kind = index.get("dialect_options", {}).get("mysql_prefix", "INDEX")
            yield f"{kind} {index['name']} ({', '.join(map(str, index['column_names']))})"


def test_each_kind_is_told_and_each_that_is_told_is_there() -> None:
    """The table of kinds has a row for every column's kind, and no other."""
    kinds = {schema_facts.kind_of(column) for room in schema_facts.rooms() for one in room.tables for column in one.c}
    assert kinds == set(schema_page.KINDS)


def test_every_index_fits() -> None:
    """No key of an index can be longer than InnoDB takes."""
    _, length = schema_facts.longest_key(table for room in schema_facts.rooms() for table in room.tables)
    assert length <= schema_facts.LONGEST_KEY


def test_the_drawing_has_parents_on_the_left_and_every_reference() -> None:
    """A table is right of those that it refers to; each foreign key is an arrow, dashed where it keeps the parent."""
    metadata = MetaData()
    parent = Table("parents", metadata, Column("id", Integer, primary_key=True))
    child = Table(
        "children",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("parent_id", Integer, ForeignKey("parents.id")),
        Column("elder_id", Integer, ForeignKey("children.id", ondelete="CASCADE")),
    )
    places, _ = schema_drawing.arranged([child, parent])
    assert places["parents"][0] < places["children"][0]
    picture = schema_drawing.drawn([child, parent], {"A room": []})
    arrows = re.findall(r'class="arrow( stays)?"[^>]*><title>([^<]*)<', picture)
    assert arrows == [
        (" stays", "children.parent_id refers to parents.id"),
        ("", "children.elder_id refers to children.id"),
    ]
