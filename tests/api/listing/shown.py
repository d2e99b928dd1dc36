"""A table that lists are made of, and what walks through them page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    select,
)

from postrmagic_core._crypto import KeyRing
from postrmagic_core.api.listing import Listing
from postrmagic_core.api.listing.filters import Instant, at_least, equal_to, less_than, matching, one_of, parameter
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.database.types import TABLE_OPTIONS, Id, Key
from postrmagic_core.errors import ValidationFailed

metadata = MetaData()
posters = Table(
    "posters",
    metadata,
    Column("id", Id(), primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("title", String(40), nullable=False),
    Column("note", String(40)),
    Index("ix_posters_list", "user_id", "created_us", "id"),
    **TABLE_OPTIONS,
)
# The same under a collation that takes texts for equal which are not the same, and puts them in another order.
folded = Table(
    "folded",
    metadata,
    Column("id", Id(), primary_key=True),
    Column("title", String(40), nullable=False),
    mysql_charset="utf8mb4",
    mysql_collate="utf8mb4_general_ci",
)
typed = Table(
    "typed",
    metadata,
    Column("id", Key(40), primary_key=True),
    Column("ratio", Double, nullable=False),
    Column("day", Date, nullable=False),
    Column("instant", DateTime, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("price", Numeric(12, 3), nullable=False),
    **TABLE_OPTIONS,
)
KEYS = KeyRing(["a-first-key-of-the-ring-9f8e7d6c5b4a-0123"])
POSTERS = Listing(
    "posters",
    select(posters),
    order={"created_at": posters.c.created_us, "rank": posters.c.rank, "title": posters.c.title, "id": posters.c.id},
    default="-created_at",
    unique=posters.c.id,
    filters={
        "title": one_of(posters.c.title, ["a", "b"]),
        "rank": equal_to(posters.c.rank, int),
        "created_from": at_least(posters.c.created_us, Instant),
        "created_before": less_than(posters.c.created_us, Instant),
        "letter": matching(str, lambda letter: posters.c.title.contains(letter, autoescape=True)),
        "q": parameter(str, "Words that the title has."),
    },
    size=3,
    max_size=50,
)

Between = Callable[[], object]


def pages(
    database: DatabaseManager, listing: Listing, *, between: Between = lambda: None, most: int = 2_000, **asked: Any
) -> Iterator[list[dict[str, Any]]]:
    """The pages of a list one after the other; ``between`` is called after each but the last."""
    after: str | None = None
    for _ in range(most):
        query = listing.Query(after=after, **asked)
        wanted = listing.ask(query, keys=KEYS, subject="user:1")
        with database.read() as tx:
            page = wanted.page(tx.execute(wanted.select()).all())
        yield page.rows
        if page.next is None:
            return
        after = page.next
        between()
    raise AssertionError("the list has no end")


def seen(database: DatabaseManager, listing: Listing, **asked: Any) -> list[Any]:
    """The ids of all pages, as they come."""
    return [row["id"] for rows in pages(database, listing, **asked) for row in rows]


def poster(number: int, **values: Any) -> dict[str, Any]:
    """A row of ``posters``."""
    return {"id": number, "user_id": 1, "created_us": 0, "rank": 0, "title": ""} | values


@contextmanager
def filled(database: DatabaseManager, table: Table, rows: list[dict[str, Any]]) -> Iterator[Unit]:
    """Replace the table's rows by these, in a transaction that is committed at the end of the block."""
    with database.write() as tx:
        tx.execute(table.delete())
        if rows:
            tx.execute(table.insert(), rows)
        yield tx


def refusals(call: Callable[[], object]) -> list[tuple[str, str]]:
    """Pointer and code of each error that the call is refused with; none if it is not."""
    try:
        call()
    except ValidationFailed as failed:
        return [(error["pointer"], error["code"]) for error in failed.errors]
    return []
