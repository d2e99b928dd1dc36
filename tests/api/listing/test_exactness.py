"""Every row that is there from beginning to end is seen once, whatever else comes and goes meanwhile."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
from itertools import cycle, permutations, product
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, select, text

from postrmagic_core.api.listing import Listing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import Conflict
from tests.api.listing.shown import KEYS, POSTERS, filled, folded, pages, poster, posters, seen, typed
from tests.examples import examples, trying

NAMES = ["created_at", "rank", "title"]
# Two or more of a kind that databases compare each in its own way, and what they may take for each other.
TITLES = [
    "",
    " ",
    "a",
    "a ",
    "A",
    "á",
    "a\u0301",
    "ä",
    "aa",
    "b",
    "ß",
    "ss",
    "z",
    "🎨",
    "🎉",
    "\ue000",
    "%",
    "\\",
    "'",
    "\0",
    "a\0",
]
ROWS = st.lists(
    st.tuples(st.sampled_from([-(2**63), -5, -1, 0, 1, 2**63 - 1]), st.integers(-2, 2), st.sampled_from(TITLES)),
    max_size=14,
)
# Every order of one to three of the names, in every mix of directions.
SORTS = [
    ",".join(f"{sign}{name}" for sign, name in zip(signs, names, strict=True))
    for many in (1, 2, 3)
    for names in permutations(NAMES, many)
    for signs in product(["", "-"], repeat=many)
] + ["id", "-id", "-rank,id,title"]
COLUMN = {"created_at": "created_us"}


def in_python(database: DatabaseManager, rows: list[dict[str, Any]], sort: str) -> list[int]:
    """The ids of the rows as Python sorts them: texts by code point.

    ``utf8mb4_bin`` fills the shorter of two texts with spaces: "a " is "a", and what is below a space comes before it.
    """
    if database.dialect != "sqlite":
        rows = [row | {"title": row["title"].ljust(40)} for row in rows]
    parts = sort.split(",")
    if not any(part.lstrip("-") == "id" for part in parts):
        parts.append("-id" if parts[0].startswith("-") else "id")
    ordered = list(rows)
    for part in reversed(parts):
        name = part.lstrip("-")
        ordered.sort(key=lambda row: row[COLUMN.get(name, name)], reverse=part.startswith("-"))
    return [row["id"] for row in ordered]


def test_every_order_is_walked_whole_in_its_order(database: DatabaseManager) -> None:
    """In each sort and at each limit the pages are the whole list, each row once, as Python would sort it."""
    random = Random(10)
    rows = [
        poster(n, created_us=random.choice([-7, 0, 0, 9]), rank=random.choice([-1, 0, 1]), title=random.choice(TITLES))
        for n in range(1, 25)
    ]
    with filled(database, posters, rows):
        pass
    for number, sort in enumerate(SORTS if database.dialect == "sqlite" else SORTS[::4]):
        assert seen(database, POSTERS, sort=sort, limit=[1, 2, 7, 23, 24, 25][number % 6]) == in_python(
            database, rows, sort
        ), sort


@examples(15, 1_000)
def test_rows_that_stay_are_seen_once_while_others_come_and_go(database: DatabaseManager, examples: int) -> None:
    """Between two pages rows are put in and taken away anywhere, also the one that the last page ended at."""

    @trying(examples)
    @given(
        ROWS,
        st.lists(st.integers(0, 13)),
        ROWS,
        st.sampled_from(SORTS),
        st.integers(1, 5),
        st.randoms(use_true_random=False),
    )
    def holds(
        stay: list[tuple[int, int, str]],
        going: list[int],
        come: list[tuple[int, int, str]],
        sort: str,
        limit: int,
        random: Any,
    ) -> None:
        rows = [poster(2 * n, created_us=c, rank=r, title=t) for n, (c, r, t) in enumerate(stay, 1)]
        leaving = {2 * n for n in going if n <= len(rows)}
        coming = [poster(2 * n + 1, created_us=c, rank=r, title=t) for n, (c, r, t) in enumerate(come)]
        all_coming = list(coming)
        random.shuffle(coming)
        with filled(database, posters, rows):
            pass
        last: list[int] = []

        def change() -> None:
            with database.write() as tx:
                if coming:
                    tx.execute(posters.insert().values(**coming.pop()))
                gone = leaving.intersection(last[-1:]) or set(list(leaving)[:1])
                tx.execute(posters.delete().where(posters.c.id.in_(gone)))
                leaving.difference_update(gone)

        stays = {row["id"] for row in rows} - leaving
        for page in pages(database, POSTERS, between=change, sort=sort, limit=limit):
            last += [row["id"] for row in page]
        assert len(last) == len(set(last)), "a row came twice"
        assert stays <= set(last), "a row that stayed was not seen"
        known = {row["id"]: row for row in [*rows, *all_coming]}
        assert last == in_python(database, [known[number] for number in last], sort)

    holds()


def test_numbered_pages_lose_and_double_rows_where_these_do_not(database: DatabaseManager) -> None:
    """A control: OFFSET, under the same changes, shows one row twice and never another."""
    rows = [poster(n, created_us=n) for n in range(1, 13)]

    def by_offset() -> list[int]:
        found: list[int] = []
        for number, change in enumerate([posters.insert().values(poster(99, created_us=99)), *removals(), None]):
            with database.write() as tx:
                wanted = select(posters.c.id).order_by(posters.c.created_us.desc()).limit(3).offset(3 * number)
                found += tx.scalars(wanted).all()
                if change is not None:
                    tx.execute(change)
        return found

    def removals() -> list[Any]:
        return [posters.delete().where(posters.c.id.in_(gone)) for gone in ([12, 11], [99])]

    with filled(database, posters, rows):
        pass
    lost = by_offset()
    with filled(database, posters, rows):
        pass
    changes = [posters.insert().values(poster(99, created_us=99)), *removals()]

    def change() -> None:
        with database.write() as tx:
            tx.execute(changes.pop(0))

    kept = [row["id"] for page in pages(database, POSTERS, between=change, limit=3) for row in page]
    assert len(set(lost)) < len(lost)
    assert not set(range(1, 11)) <= set(lost)
    assert kept == list(range(12, 0, -1))


def test_rows_that_stay_are_seen_while_threads_write(database: DatabaseManager) -> None:
    """Two threads insert and delete as fast as they can, around rows that stay; each walk sees those once."""
    stays = [poster(n, created_us=n % 7, rank=n % 3, title=TITLES[n % len(TITLES)]) for n in range(10, 61, 2)]
    with filled(database, posters, stays):
        pass
    done = threading.Event()
    writes = [0, 0]

    def write(number: int) -> None:
        random = Random(number)
        while not done.is_set():
            new = 1_001 + number + 2 * writes[number]
            row = poster(new, created_us=random.randrange(7), rank=random.randrange(3), title=random.choice(TITLES))
            try:
                with database.write() as tx:
                    tx.execute(posters.delete().where(posters.c.id == new - 2 * random.randrange(1, 9)))
                    tx.execute(posters.insert().values(**row))
            except Conflict:
                continue
            writes[number] += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        for sort in cycle(["-created_at", "rank,-created_at", "-title"]):
            if min(writes) > 20:
                break
            found = seen(database, POSTERS, sort=sort, limit=4)
            assert len(found) == len(set(found))
            assert {row["id"] for row in stays} <= set(found)
    finally:
        done.set()
        for thread in threads:
            thread.join()


@examples(15, 1_000)
def test_a_collation_that_takes_texts_for_equal_loses_no_row(database: DatabaseManager, examples: int) -> None:
    """Under utf8mb4_general_ci "a", "A" and "á" are one text, and the order is another: still each row once."""

    @trying(examples)
    @given(st.lists(st.sampled_from(TITLES), max_size=16), st.integers(1, 4), st.sampled_from(["title", "-title"]))
    def holds(titles: list[str], limit: int, sort: str) -> None:
        with filled(database, folded, [{"id": n, "title": title} for n, title in enumerate(titles, 1)]) as tx:
            order = folded.c.title.desc() if sort == "-title" else folded.c.title
            last = folded.c.id.desc() if sort == "-title" else folded.c.id
            expected = tx.scalars(select(folded.c.id).order_by(order, last)).all()
        listing = Listing(
            "folded", select(folded), order={"title": folded.c.title}, default="title", unique=folded.c.id
        )
        assert seen(database, listing, limit=limit, sort=sort) == expected

    holds()


TYPED = Listing(
    "typed",
    select(typed),
    order={name: typed.c[name] for name in ("id", "ratio", "day", "instant", "digest", "price")},
    default="ratio",
    unique=typed.c.id,
)


@pytest.mark.filterwarnings("ignore:Dialect sqlite")  # SQLAlchemy warns that SQLite has no Decimal: ours is none
@pytest.mark.parametrize("sort", ["id", "-ratio", "day", "-instant", "digest", "-price"])
def test_values_of_every_type_come_back_as_they_were(database: DatabaseManager, sort: str) -> None:
    """Floats to their last bit, microseconds, bytes that are no text, decimals, keys with trailing spaces."""
    floats = [0.1, 0.1 + 2**-56, -1e-300, 1 / 3, 2.0**60 + 256, -0.0, 0.30000000000000004]
    instants = [dt.datetime.fromisoformat(one) for one in ("2024-01-01T00:00:00", "1999-12-31T23:59:59")]
    rows: list[dict[str, Any]] = [
        {
            "id": f"k{n % 4}" + " " * (n // 4),
            "ratio": value,
            "day": dt.date(1970 + n % 3, 1, 1),
            "instant": instants[n % 2],
            "digest": bytes([n % 3, 255, 0, 39]),
            "price": Decimal(n % 3) / 8 + Decimal("99999999.001"),
        }
        for n, value in enumerate(floats)
    ]
    with filled(database, typed, rows):
        pass
    found = seen(database, TYPED, sort=sort, limit=1)
    assert sorted(found) == sorted(row["id"] for row in rows)
    name = sort.lstrip("-")
    by_id = {row["id"]: row[name] for row in rows}
    assert [by_id[one] for one in found] == sorted(by_id.values(), reverse=sort != name)


def test_what_sqlite_holds_beside_its_declaration_is_still_walked_whole() -> None:
    """Texts and fractions in a column of integers, which SQLite allows: nothing is lost, as nothing is converted."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE posters (id INTEGER PRIMARY KEY, user_id, created_us, rank INTEGER, title, note)")
        )
        for number, rank in enumerate(["1", "1.5", "'x'", "x'00ff'", "2", "1e300", "''"], 1):
            connection.execute(text(f"INSERT INTO posters VALUES ({number}, 1, 0, {rank}, '', '')"))
        for sort in ("rank", "-rank"):
            found, after = [], None
            while True:
                asked = POSTERS.ask(POSTERS.Query(sort=sort, limit=1, after=after), keys=KEYS, subject="")
                page = asked.page(connection.execute(asked.select()).all())
                found += [row["id"] for row in page.rows]
                if (after := page.next) is None:
                    break
            assert sorted(found) == list(range(1, 8))
    engine.dispose()
