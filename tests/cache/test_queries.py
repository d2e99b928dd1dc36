"""Query results: kept until a unit commits that wrote one of their tables, on either face."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import inspect
import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
    delete,
    exists,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    union,
    update,
)

from postrmagic_core.cache import CacheManager, QueryCache
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import metadata as own_tables
from postrmagic_core.database.tables import outbox
from postrmagic_core.database.unit import Unit
from postrmagic_core.errors import EncodeError, UsageError
from postrmagic_core.stores import open_store

tables = MetaData()
OWNER = ForeignKey("users.id", ondelete="CASCADE")
users = Table("users", tables, Column("id", Integer, primary_key=True), Column("name", String(20)))
media = Table("media", tables, Column("id", Integer, primary_key=True), Column("user_id", OWNER), Column("n", Integer))
other = Table("other", tables, Column("id", Integer, primary_key=True))
things = Table(
    "things",
    tables,
    Column("id", Uuid, primary_key=True),
    Column("price", Numeric(10, 2)),
    Column("at", DateTime),
    Column("raw", LargeBinary),
    Column("doc", JSON),
)
ALL = select(media.c.n).order_by(media.c.id)


class Answers:
    """The query cache's methods on one face, each with ``fresh=60``; ``computes()`` counts what was computed."""

    def __init__(self, queries: QueryCache, runner: asyncio.Runner | None) -> None:
        self.queries = queries
        self.db = queries.database
        self.runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The method; where the face is async, run in the test's event loop."""
        if self.runner is None:
            method = getattr(self.queries, name)
        else:
            method = getattr(self.queries.aio, name)
            assert inspect.iscoroutinefunction(method)
        fixed = {} if name == "invalidate" else {"fresh": 60}

        def call(*args: Any, **options: Any) -> Any:
            answer = method(*args, **fixed, **options)
            return answer if self.runner is None else self.runner.run(answer)

        return call

    def computes(self) -> int:
        """How many queries were run because nothing was kept."""
        return self.queries.cache.stats().computes


@pytest.fixture(
    params=[
        ("sqlite", "memory"),
        pytest.param(("mariadb", "redis"), marks=[pytest.mark.mysql, pytest.mark.redis]),
    ],
    ids="-".join,
)
def db_and_cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[DatabaseManager, CacheManager]]:
    """A database and a cache beside it."""
    sqlite = request.param[0] == "sqlite"
    url = f"sqlite:///{tmp_path / 'app.db'}" if sqlite else str(request.getfixturevalue("mariadb_url"))
    store = open_store("memory://" if sqlite else str(request.getfixturevalue("redis_url")), timeout=5.0)
    with DatabaseManager(url) as db, CacheManager(store, database=db) as cache:
        with db.write() as tx:
            own_tables.create_all(tx.connection)
            tables.create_all(tx.connection)
            tx.execute(insert(users), [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}])
            tx.execute(insert(media), [{"id": n, "user_id": 1 + n % 2, "n": n} for n in range(1, 5)])
        yield db, cache
    store.close()


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, db_and_cache: tuple[DatabaseManager, CacheManager]) -> Iterator[Answers]:
    """The query cache by each of its faces."""
    db, cache = db_and_cache
    queries = QueryCache(cache, db)
    if request.param == "sync":
        yield Answers(queries, None)
        return
    with asyncio.Runner() as runner:
        yield Answers(queries, runner)
        native = getattr(cache.store, "native", None)
        if native is not None:
            runner.run(native.close())


@pytest.fixture
def queries(db_and_cache: tuple[DatabaseManager, CacheManager]) -> QueryCache:
    """The query cache, sync."""
    return QueryCache(db_and_cache[1], db_and_cache[0])


def write(db: DatabaseManager, *statements: Any) -> None:
    """One unit of these."""
    with db.write() as tx:
        for statement in statements:
            tx.execute(statement)


def test_an_answer_is_kept_until_its_table_is_written(ask: Answers) -> None:
    """A commit to another table changes nothing, one to its own makes the next caller ask again."""
    assert ask.rows(ALL) == [(1,), (2,), (3,), (4,)]
    write(ask.db, insert(other).values(id=1))
    assert ask.rows(ALL) == [(1,), (2,), (3,), (4,)]
    assert ask.computes() == 1
    write(ask.db, update(media).where(media.c.id == 1).values(n=10))
    assert ask.rows(ALL) == [(10,), (2,), (3,), (4,)]
    assert ask.computes() == 2


def test_every_shape_is_an_entry_of_its_own(ask: Answers) -> None:
    """Tuples, dicts, first columns, one value: of one statement, none taken for another."""
    query = select(users).order_by(users.c.id)
    for _ in range(2):
        assert ask.rows(query) == [(1, "Ann"), (2, "Bob")]
        assert ask.mappings(query) == [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}]
        assert ask.scalars(query) == [1, 2]
        assert ask.scalar(query) == 1
        assert ask.scalar(query.where(users.c.id > 2)) is None
    assert ask.computes() == 5


def test_values_come_back_as_themselves(ask: Answers) -> None:
    """What the database's types make of a row is what a hit answers, type for type."""
    at = dt.datetime(2026, 1, 2, 3, 4, 5)  # noqa: DTZ001 - the column has no zone
    row = (UUID(int=7), Decimal("12.50"), at, b"\0\xff", {"a": [1, None, "x"]})
    write(ask.db, insert(things).values(dict(zip(("id", "price", "at", "raw", "doc"), row, strict=True))))
    first, second = ask.rows(select(things)), ask.rows(select(things))
    assert first == second == [row]
    assert ask.computes() == 1
    assert [type(value) for value in second[0]] == [type(value) for value in row]


class Owner(BaseModel):
    """A row as the application sees it."""

    id: int
    name: str


class Name(enum.Enum):
    """Names by value."""

    ANN = "Ann"
    BOB = "Bob"


def test_a_kind_makes_models_and_enums_of_the_answer(ask: Answers) -> None:
    """First answer and later ones alike; an answer that is none of the kind says which field, not which value."""
    query = select(users).order_by(users.c.id)
    for _ in range(2):
        assert ask.mappings(query, kind=Owner) == [Owner(id=1, name="Ann"), Owner(id=2, name="Bob")]
        assert ask.scalars(select(users.c.name).order_by(users.c.id), kind=Name) == [Name.ANN, Name.BOB]
        assert ask.scalar(select(users.c.name).where(users.c.id == 2), kind=Name) is Name.BOB
        assert ask.scalar(select(users.c.name).where(users.c.id == 3), kind=Name) is None
        assert ask.rows(query, kind=tuple[int, Name]) == [(1, Name.ANN), (2, Name.BOB)]
    assert ask.computes() == 5
    with pytest.raises(EncodeError, match=r"\bname\b") as caught:
        ask.mappings(select(users.c.id, users.c.id.label("name")), kind=Owner)
    assert "Ann" not in str(caught.value)


def test_parameters_are_part_of_the_question(ask: Answers) -> None:
    """Bound in the statement, given beside it, or a list of them."""
    mine = select(media.c.n).where(media.c.user_id == 1)
    by_name = text("SELECT n FROM media WHERE user_id = :user ORDER BY n")
    for _ in range(2):
        assert sorted(ask.scalars(mine)) == [2, 4]
        assert ask.scalars(select(media.c.n).where(media.c.user_id == 2, media.c.n > 1)) == [3]
        assert ask.scalars(by_name, {"user": 1}, tables=["media"]) == [2, 4]
        assert ask.scalars(by_name, {"user": 2}, tables=["media"]) == [1, 3]
        assert ask.scalars(ALL.where(media.c.id.in_([1, 2, 3]))) == [1, 2, 3]
        assert ask.scalars(ALL.where(media.c.id.in_([1, 23]))) == [1]
    assert ask.computes() == 6


# Where what is looked at is the statement alone, which is the same on every database.
one_database = pytest.mark.parametrize("db_and_cache", [("sqlite", "memory")], indirect=True, ids=["sqlite-memory"])
inner = select(media.c.user_id).where(media.c.n > 2)
named, joined = users.alias("u"), users.join(media)
TOLD = {"tables": ["users", "media"]}
BOTH = "SELECT users.id FROM users JOIN media ON users.id = user_id"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (select(func.count()).select_from(joined), {}),
        (select(users.c.name).where(users.c.id.in_(inner)), {}),
        (select(users.c.name).where(exists().where(media.c.user_id == users.c.id)), {}),
        (select(select(func.count(media.c.id)).scalar_subquery(), users.c.id), {}),
        (select(inner.cte("busy")).join(users, literal(True)), {}),
        (union(select(users.c.id), select(media.c.id)), {}),
        (select(named.c.id).join(media.alias("m"), literal(True), isouter=True), {}),
        (select(text("1")).select_from(joined), {"tables": ()}),
        (select(literal_column("(SELECT max(id) FROM media)")).select_from(users), {"tables": ["media"]}),
        (text(BOTH), TOLD),
        (select(text(BOTH).columns(users.c.id).subquery()), TOLD),
    ],
    ids=["join", "in", "exists", "scalar", "cte", "union", "alias", "text", "literal", "textual", "textual columns"],
)
@one_database
def test_every_table_that_a_query_reads_ends_its_answer(queries: QueryCache, query: Any, told: Any) -> None:
    """However deep it is hidden; text does not tell, so it is told."""

    def computed() -> bool:
        before = queries.cache.stats().computes
        queries.rows(query, fresh=60, **told)
        return queries.cache.stats().computes > before

    assert [computed(), computed()] == [True, False]
    write(queries.database, update(users).values(name="x"))
    assert [computed(), computed()] == [True, False]
    write(queries.database, update(media).values(n=0))
    assert [computed(), computed()] == [True, False]
    write(queries.database, insert(other).values(id=1))
    assert not computed()


def test_what_foreign_keys_delete_is_invalidated_too(ask: Answers) -> None:
    """Deleting a user deletes the user's media, which no statement names."""
    assert ask.scalars(ALL) == [1, 2, 3, 4]
    write(ask.db, delete(users).where(users.c.id == 2))
    assert ask.scalars(ALL) == [2, 4]


def test_a_rollback_invalidates_nothing_and_a_savepoints_does_no_harm(ask: Answers) -> None:
    """What did not happen is not told; what was undone in part costs a computation at most."""

    def fail(tx: Unit) -> None:
        tx.execute(update(media).values(n=0))
        raise LookupError

    def fail_in_part(tx: Unit) -> None:
        with pytest.raises(LookupError), tx.savepoint():
            fail(tx)

    assert ask.scalars(ALL) == [1, 2, 3, 4]
    with pytest.raises(LookupError):
        ask.db.transact(fail)
    assert ask.scalars(ALL) == [1, 2, 3, 4]
    assert ask.computes() == 1
    ask.db.transact(fail_in_part)
    assert ask.scalars(ALL) == [1, 2, 3, 4]


def test_inside_a_write_unit_the_query_runs_in_it_and_nothing_is_kept(
    db_and_cache: tuple[DatabaseManager, CacheManager],
) -> None:
    """Even where the cache itself keeps out of another database's units only."""
    db, _ = db_and_cache
    with CacheManager(db_and_cache[1].store, namespace="apart", database=Elsewhere()) as cache:
        queries = QueryCache(cache, db)
        assert queries.scalars(ALL, fresh=60) == [1, 2, 3, 4]

        def change(tx: Unit) -> None:
            tx.execute(update(media).values(n=0))
            assert queries.scalars(ALL, fresh=60) == [0, 0, 0, 0]
            raise LookupError

        with pytest.raises(LookupError):
            db.transact(change)

        async def change_too() -> None:
            async with db.aio.write() as tx:
                await tx.execute(update(media).values(n=0))
                assert await queries.aio.scalars(ALL, fresh=60) == [0, 0, 0, 0]
                raise LookupError

        with pytest.raises(LookupError):
            asyncio.run(change_too())
        assert queries.scalars(ALL, fresh=60) == [1, 2, 3, 4]
        assert cache.stats().computes == 1


class Elsewhere:
    """Another database, without units."""

    database_id = "elsewhere"

    def read(self) -> Any:
        """Nothing here asks for it."""
        raise NotImplementedError

    def write(self) -> Any:
        """Nothing here asks for it."""
        raise NotImplementedError

    def current(self) -> None:
        """None is open."""


def test_text_that_declares_its_tables_invalidates_them_and_no_others(ask: Answers) -> None:
    """tx.wrote() is to textual SQL what a Table is to Core; case and schema do not matter."""
    assert (ask.scalars(ALL), ask.scalars(select(other.c.id))) == ([1, 2, 3, 4], [])
    with ask.db.write() as tx:
        tx.execute(text("UPDATE media SET n = 0"))
        tx.wrote("app.Media")
    assert (ask.scalars(ALL), ask.scalars(select(other.c.id))) == ([0, 0, 0, 0], [])
    assert ask.computes() == 3


def test_text_that_declares_nothing_invalidates_everything_and_says_so_once(
    ask: Answers, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have written any table: no old row is served, and the log names the cure."""
    assert (ask.scalars(ALL), ask.scalars(select(other.c.id))) == ([1, 2, 3, 4], [])
    with caplog.at_level(logging.WARNING, "postrmagic_core.cache"):
        write(ask.db, text("UPDATE media SET n = 0"))
        write(ask.db, text("UPDATE media SET n = n"), insert(other).values(id=1))
    assert (ask.scalars(ALL), ask.scalars(select(other.c.id))) == ([0, 0, 0, 0], [1])
    assert ask.computes() == 4
    assert [record.getMessage().count("tx.wrote") for record in caplog.records] == [1]
    assert ask.db.metrics.counter("cache_blind_writes_total", namespace="app").value == 2


def test_what_others_wrote_is_invalidated_by_name_or_altogether(ask: Answers) -> None:
    """By another program, say; bound to a unit, it happens if the unit commits."""

    def computed() -> list[int]:
        counts = []
        for query in (ALL, select(other.c.id)):
            before = ask.computes()
            ask.scalars(query)
            counts.append(ask.computes() - before)
        return counts

    assert [computed(), computed()] == [[1, 1], [0, 0]]
    ask.invalidate("media")
    assert computed() == [1, 0]
    ask.invalidate()
    assert computed() == [1, 1]
    with ask.db.write() as tx:
        ask.invalidate("other", tx=tx) if ask.runner is None else ask.queries.invalidate("other", tx=tx)
    assert computed() == [0, 1]


@pytest.mark.parametrize(
    ("query", "options", "why"),
    [
        (insert(media).values(n=1), {}, "SELECT"),
        (update(media).values(n=1), {}, "SELECT"),
        (text("DELETE FROM media"), {"tables": ["media"]}, "SELECT"),
        ("SELECT 1", {}, r"text\("),
        (select(media).with_for_update(), {}, "FOR UPDATE"),
        (select(func.count()).select_from(select(media).with_for_update().subquery()), {}, "FOR UPDATE"),
        (text("SELECT n FROM media"), {}, "tables="),
        (select(media.c.n).where(text("n IN (SELECT id FROM users)")), {}, "tables="),
        (select(literal_column("(SELECT max(id) FROM users)")), {}, "tables="),
        (select(outbox), {}, "pm_"),
        (text("SELECT id FROM pm_outbox"), {"tables": ["pm_outbox"]}, "pm_"),
        (ALL.execution_options(schema_translate_map={None: "tenant"}), {}, "schema_translate_map"),
        (text("SELECT 1 AS a, 2 AS a"), {"tables": []}, "labels"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value).split("\n")[0][:30],
)
@one_database
def test_what_cannot_be_kept_safely_is_refused(queries: QueryCache, query: Any, options: Any, why: str) -> None:
    """With the reason, and before anything is stored."""
    with pytest.raises(UsageError, match=why):
        queries.mappings(query, fresh=60, **options)
    assert sorted(queries.scalars(select(media.c.n), fresh=60)) == [1, 2, 3, 4]


def test_wrong_arguments_are_refused(queries: QueryCache) -> None:
    """Several executions, a lone string, an unknown option."""
    with pytest.raises(UsageError, match="mapping"):
        queries.rows(ALL, [{"a": 1}], fresh=60)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="tables="):
        queries.rows(ALL, fresh=60, tables="media")
    with pytest.raises(TypeError, match="ttl"):
        queries.rows(ALL, fresh=60, ttl=5)  # type: ignore[call-arg]  # on purpose


def test_databases_that_share_a_cache_do_not_share_answers(
    db_and_cache: tuple[DatabaseManager, CacheManager], tmp_path: Path
) -> None:
    """Unless they are named alike: then they are one database under two URLs."""
    db, cache = db_and_cache
    with DatabaseManager(f"sqlite:///{tmp_path / 'second.db'}") as second:
        with second.write() as tx:
            own_tables.create_all(tx.connection)
            tables.create_all(tx.connection)
        assert QueryCache(cache, db).scalars(ALL, fresh=60) == [1, 2, 3, 4]
        assert QueryCache(cache, second).scalars(ALL, fresh=60) == []
        one, two = QueryCache(cache, db, name="one"), QueryCache(cache, second, name="one")
        assert one.tags(["media"]) == two.tags(["media"])
        if second.dialect == db.dialect:
            assert (one.scalars(ALL, fresh=60), two.scalars(ALL, fresh=60)) == ([1, 2, 3, 4], [1, 2, 3, 4])


def test_the_packages_own_writes_invalidate_nothing(ask: Answers) -> None:
    """Else each delivery by the relay would stage the next."""
    assert ask.scalars(ALL) == [1, 2, 3, 4]
    write(ask.db, insert(other).values(id=1))
    relay = ask.db.relay({"cache": ask.queries.cache.deliver})
    while relay.run_once():
        pass
    assert ask.db.outbox_counts() == {}
    assert ask.scalars(ALL) == [1, 2, 3, 4]
    assert ask.computes() == 1
