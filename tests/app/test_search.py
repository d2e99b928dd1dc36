"""The query grammar: any text is a query, and it means the same on SQLite and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from media_library import search, tables
from postrmagic_core.database import DatabaseManager, Migrations

TITLES = {
    1: "Jazz at Dusk",
    2: "Night of the Long Films",
    3: "The The",
    4: "Repair Café",
    5: "CONTEMPORARY dance, part x",
    6: "x-ray_vision 2",
    7: "Straße der Musik",
    8: "日本 ポスター",
    9: "to be or not to be",
}
TAGS = {1: ("night", "music"), 2: ("night",), 4: ("two words",)}

CASES = {
    "jazz": {1},
    "JAZZ dusk": {1},
    "jazz films": set(),
    "the": {2, 3},
    "the -long": {3},
    "at": {1},
    "cafe": {4},
    "CAFÉ": {4},
    "cont*": {5},
    "con": set(),
    "x": {5, 6},
    "x-ray": {6},
    "x*": {5, 6},
    "2": {6},
    "strasse": {7},
    "日本": {8},
    "日*": {8},
    "not": {9},
    "-the": {1, 4, 5, 6, 7, 8, 9},
    "-the -jazz": {4, 5, 6, 7, 8, 9},
    "-x*": {1, 2, 3, 4, 7, 8, 9},
    "the -long -jazz": {3},
    "cont* -x": set(),
    "cont* dance -jazz -day*": {5},
    "tag:night": {1, 2},
    "tag:night -tag:music": {2},
    'tag:"two words"': {4},
    "tag:NIGHT jazz": {1},
    "": set(TITLES),
    "* - \" ' ( ) + ~ < > @": set(TITLES),
    "jazz OR films": set(),
    "') OR 1=1 --": set(),
    "NEAR(jazz dusk)": set(),
}


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def database(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[DatabaseManager]:
    """The library's tables with a few media, on each database."""
    url = f"sqlite:///{tmp_path}/app.db" if request.param == "sqlite" else request.getfixturevalue("mariadb_url")
    with DatabaseManager(url, migrations=Migrations("media_library:migrations")) as manager:
        manager.upgrade()
        with manager.write() as tx:
            tx.execute(insert(tables.users).values(id=1, name="a", password_hash="-", quota_bytes=1, created_us=0))
            blob = {"size": 1, "mime": "-", "width": 1, "height": 1}
            tx.execute(insert(tables.blobs), [{"digest": str(number)} | blob for number in TITLES])
            for number, title in TITLES.items():
                row = {"id": number, "user_id": 1, "digest": str(number), "filename": "f", "created_us": number}
                tx.execute(insert(tables.media).values(title=title, **row))
                search.index(tx, number, search.terms_of(title))
                for name in TAGS.get(number, ()):
                    tx.execute(insert(tables.tags).values(media_id=number, name=name))
        yield manager


def found(database: DatabaseManager, asked: str) -> set[int]:
    """The ids of the media that the query finds."""
    wanted = search.conditions(search.parse(asked), database.dialect)
    with database.read() as unit:
        return set(unit.scalars(select(tables.media.c.id).where(wanted)))


def test_every_query_of_the_table_finds_its_rows(database: DatabaseManager) -> None:
    """Stop words, short words, accents, prefixes, exclusions, tags, other scripts and hostile text."""
    assert {asked: found(database, asked) for asked in CASES} == CASES


def test_a_changed_and_a_removed_row_are_found_accordingly(database: DatabaseManager) -> None:
    """The index follows in the same transaction."""
    with database.write() as tx:
        search.index(tx, 1, search.terms_of("Blues at Dawn"))
        search.remove(tx, 2)
    assert (found(database, "blues"), found(database, "jazz"), found(database, "films")) == ({1}, set(), set())


def test_the_index_is_made_anew_whatever_it_held(database: DatabaseManager) -> None:
    """As after a move to another database; each medium is found by its title and file name."""
    with database.write() as tx:
        search.remove(tx, 2)
        search.index(tx, 1, search.terms_of("Blues at Dawn"))
    with database.read() as unit:
        titles = {row.id: row.title for row in unit.execute(select(tables.media.c.id, tables.media.c.title))}
    assert search.rebuild(database) == len(titles)
    assert not found(database, "dawn")
    for number, title in titles.items():
        assert number in found(database, title)


@given(st.text(max_size=80))
def test_any_text_parses_to_plain_terms(asked: str) -> None:
    """Whatever is asked, the engines see only letters they take as they are."""
    query = search.parse(asked)
    for term in (*query.required, *query.excluded):
        assert term.startswith("zz")
        assert term.rstrip("*").isascii()
        assert term.rstrip("*").isalnum()


@given(st.text(alphabet="abcxyz09äéßжя日本ポ", min_size=1, max_size=20), st.integers(1, 20))
def test_the_beginning_of_a_word_is_the_beginning_of_its_term(word: str, length: int) -> None:
    """Prefix search is right letter by letter, in every script."""
    whole, beginning = search.terms_of(search.normal(word)), search.terms_of(search.normal(word)[:length])
    assert whole.startswith(beginning)
