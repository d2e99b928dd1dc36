"""Which tables a unit says it wrote, and who is told just before it commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    column,
    delete,
    func,
    insert,
    literal,
    select,
    table,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.unit import Unit
from postrmagic_core.errors import UsageError


class Base(DeclarativeBase):
    """Tables made by the ORM."""


tagging = Table(
    "tagging",
    Base.metadata,
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class User(Base):
    """Who owns media; the parent of everything here."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), default="")
    kind: Mapped[str] = mapped_column(String(20), default="user")
    tags: Mapped[list[Tag]] = relationship(secondary=tagging, passive_deletes=True)
    media: Mapped[list[Media]] = relationship(cascade="all, delete-orphan")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "user"}  # noqa: RUF012 - SQLAlchemy's way


class Admin(User):
    """A user with a table of its own beside the users'."""

    __tablename__ = "admins"
    id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    level: Mapped[int] = mapped_column(default=0)
    __mapper_args__ = {"polymorphic_identity": "admin"}  # noqa: RUF012 - as above


class Tag(Base):
    """What users are tagged with."""

    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)


class Media(Base):
    """Deleted with its user; its views go with it, its notes lose it."""

    __tablename__ = "media"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE", onupdate="CASCADE"))


views = Table("views", Base.metadata, Column("media_id", ForeignKey("media.id", ondelete="cascade")))
notes = Table("notes", Base.metadata, Column("media_id", ForeignKey("media.id", ondelete="SET NULL")))
kept = Table("kept", Base.metadata, Column("media_id", ForeignKey("media.id", ondelete="RESTRICT")))
LIGHT = table("users", column("id"), column("name"), column("kind"))
users, media, admins = Base.metadata.tables["users"], Base.metadata.tables["media"], Base.metadata.tables["admins"]


@pytest.fixture
def told(open_database: Callable[..., DatabaseManager]) -> tuple[DatabaseManager, list[tuple[frozenset[str], bool]]]:
    """A database with the tables above, and what its listener heard since."""
    database, heard = open_database(), list[tuple[frozenset[str], bool]]()
    with database.write() as tx:
        Base.metadata.create_all(tx.connection)
        tx.execute(insert(users), [{"id": 1}, {"id": 2}])
        tx.execute(insert(media), [{"id": 1, "user_id": 1}, {"id": 2, "user_id": 2}])
        tx.execute(insert(views).values(media_id=1))
    database.on_write(lambda tx: heard.append((tx.tables_written, tx.tables_unknown)))
    return database, heard


Told = tuple[DatabaseManager, list[tuple[frozenset[str], bool]]]


def hear(told: Told, *statements: Any) -> tuple[set[str], bool]:
    """What one unit of these statements was said to have written, and whether that is all."""
    database, heard = told
    heard.clear()
    with database.write() as tx:
        for statement in statements:
            tx.execute(statement)
    [(tables, unknown)] = heard
    return set(tables), unknown


GONE = {"users", "media", "views", "notes", "tagging", "admins"}


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        (insert(users).values(id=9), {"users"}),
        (insert(media).from_select(["id", "user_id"], select(users.c.id + 5, users.c.id)), {"media"}),
        (
            insert(table("users", column("id"), column("name"), column("kind"))).values(id=9, name="", kind=""),
            {"users"},
        ),
        (update(users).values(name="x"), {"users"}),
        (update(users).where(users.c.id == 2).values(id=3), {"users", "media"}),
        (update(media).values(id=media.c.id + 5).where(media.c.id == 2), {"media"}),
        (delete(users), GONE),
        (delete(User).where(User.id == 1), GONE),
        (delete(media), {"media", "views", "notes"}),
        (delete(views), {"views"}),
        (update(admins).values(level=3), {"admins"}),
    ],
    ids=lambda value: str(value).split(" WHERE")[0] if not isinstance(value, set) else "",
)
def test_a_statement_writes_its_table_and_those_that_follow_by_foreign_keys(
    told: Told, statement: Any, tables: set[str]
) -> None:
    """ON DELETE and ON UPDATE change rows of tables that no statement names; an insert changes its own only."""
    assert hear(told, statement) == (tables, False)


def test_what_follows_a_delete_is_what_the_server_does(told: Told) -> None:
    """The rows of the tables named are gone, and a table not named kept its own."""
    database, _ = told
    hear(told, delete(users))
    with database.read() as tx:
        left = {name: tx.scalar(select(func.count()).select_from(each)) for name, each in Base.metadata.tables.items()}
    assert not any(left.values())


def test_an_insert_that_replaces_deletes(told: Told) -> None:
    """The row in the way goes, and with it whatever refers to it."""
    database, _ = told
    if database.dialect == "sqlite":
        assert hear(told, insert(users).prefix_with("OR REPLACE").values(id=1, name="new", kind="user")) == (
            GONE,
            False,
        )
        with database.read() as tx:
            assert tx.scalars(select(media.c.user_id)).all() == [2]


def test_an_update_of_two_tables_writes_both(told: Told) -> None:
    """MySQL's multiple-table UPDATE: the second table is found among the values."""
    database, _ = told
    if database.dialect != "sqlite":
        both = update(media).where(media.c.user_id == users.c.id).values({media.c.user_id: 1, users.c.name: "x"})
        assert hear(told, both) == ({"media", "users"}, False)


def test_the_orm_tells_every_table_of_a_flush(told: Told) -> None:
    """Joined inheritance, many-to-many and cascades are several statements, and all of them are seen."""
    database, heard = told

    def flushed(work: Callable[[Unit], object]) -> set[str]:
        heard.clear()
        database.transact(work)
        return set(heard[0][0])

    assert flushed(lambda tx: tx.session.add(Admin(id=7, tags=[Tag(id=1)], media=[Media(id=7)]))) == {
        "users",
        "admins",
        "tags",
        "tagging",
        "media",
    }
    assert flushed(lambda tx: setattr(tx.session.get_one(Admin, 7), "level", 2)) == {"admins"}
    assert flushed(lambda tx: tx.session.execute(insert(Media), [{"id": 8, "user_id": 7}])) == {"media"}
    assert flushed(lambda tx: tx.session.delete(tx.session.get_one(Admin, 7))) >= GONE


@pytest.mark.parametrize(
    ("statement", "unknown"),
    [
        (text("UPDATE users SET name = 'x'"), True),
        (text("DELETE FROM views WHERE media_id = :id").bindparams(id=1), True),
        (text("  \n(SELECT name FROM users)"), None),
        (text("SELECT name FROM users"), None),
        (text("INSERT INTO users (id, name, kind) VALUES (8, '', '')").execution_options(other=1), True),
        (select(users), None),
        (select(literal(1)).where(text("1 = 1")), None),
    ],
    ids=str,
)
def test_textual_sql_that_is_no_select_leaves_the_tables_unknown(told: Told, statement: Any, unknown: Any) -> None:
    """Nobody parses it; a unit that only read is not announced at all."""
    database, heard = told
    if str(statement).strip().startswith("(") and database.dialect == "sqlite":
        return  # SQLite knows no parentheses around a statement
    with database.write() as tx:
        tx.execute(statement)
    assert heard == ([] if unknown is None else [(frozenset(), unknown)])


def test_textual_sql_around_columns_is_no_select_by_that(told: Told) -> None:
    """A TextualSelect calls itself a SELECT, whatever its text does."""
    database, heard = told
    with database.write() as tx:
        tx.execute(text("DELETE FROM views RETURNING media_id").columns(column("media_id", Integer))).all()
    assert heard == [(frozenset(), True)]


def test_ddl_leaves_the_tables_unknown(told: Told) -> None:
    """A table made or dropped changes what others read, and its statement is not looked into."""
    database, heard = told
    extra = Table("extra", MetaData(), Column("id", Integer, primary_key=True))
    with database.write() as tx:
        extra.create(tx.connection)
    assert heard == [(frozenset(), True)]


def test_wrote_declares_the_textual_sql_before_it(told: Told) -> None:
    """What comes after it is unknown again."""
    database, heard = told
    with database.write() as tx:
        tx.execute(text("UPDATE users SET name = 'x'"))
        tx.wrote("users", "stats")
        tx.execute(update(media).values(user_id=1))
    with database.write() as tx:
        tx.wrote("users")
        tx.execute(text("UPDATE users SET name = 'y'"))
    with database.write() as tx:
        tx.execute(text("UPDATE users SET name = 'z'"))
        tx.wrote()
    assert heard == [(frozenset({"users", "stats", "media"}), False), (frozenset({"users"}), True)]
    with database.read() as tx, pytest.raises(UsageError, match=r"db\.write"):
        tx.wrote("users")


def change_and_fail(tx: Unit) -> None:
    """What is rolled back."""
    tx.execute(update(users).values(name="x"))
    raise LookupError


def test_savepoints_and_hooks_do_not_hide_a_write(told: Told) -> None:
    """What a before-commit hook writes is told; a savepoint rolled back is told too, which does no harm."""
    database, heard = told

    def clean(tx: Unit) -> None:
        tx.execute(delete(views))

    def fail_in_part(tx: Unit) -> None:
        with tx.savepoint():
            change_and_fail(tx)

    with database.write() as tx:
        tx.before_commit(lambda: clean(tx))
        with pytest.raises(LookupError):
            fail_in_part(tx)
    assert heard == [(frozenset({"users", "views"}), False)]


def test_a_listener_that_fails_rolls_the_unit_back(told: Told) -> None:
    """And one that is told of a rollback does not exist."""
    database, heard = told
    with pytest.raises(LookupError):
        database.transact(change_and_fail)
    assert heard == []

    def refuse(tx: Unit) -> None:
        raise ValueError(tx.database_id)

    database.on_write(refuse)
    with pytest.raises(ValueError, match=":"), database.write() as tx:
        tx.execute(update(users).values(name="x"))
    with database.read() as tx:
        assert set(tx.scalars(select(users.c.name))) == {""}


def test_async_units_are_told_of_alike(told: Told) -> None:
    """The listener gets the sync unit, on its lane."""
    database, heard = told

    async def main() -> None:
        async with database.aio.write() as tx:
            await tx.execute(text("UPDATE users SET name = 'x'"))
            assert tx.tables_unknown
            tx.wrote("users")

    asyncio.run(main())
    assert heard == [(frozenset({"users"}), False)]
