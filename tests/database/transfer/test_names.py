"""Names that MySQL cannot have become ones it can; all others stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.database.transfer.names import (
    INDEX_NAMES,
    MAX_CHARACTERS,
    compared,
    quoted,
    quoted_sqlite,
    target_name,
    why,
)
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.errors import PostrMagicError

KEPT = [
    "order",
    "primary",
    "select",
    "a.b",
    "a/b",
    "a\\b",
    "`",
    "a`b",
    "it's",
    'say "it"',
    " leading",
    "two\nlines",
    "a%s",
    "naïve",
    "漢字",
    "漢" * 48,
    "é" * 64,
    "#sql1",
    "x" * 64,
    "a\u00a0",
    "0",
]
CHANGED = [
    "",
    " ",
    "a ",
    "a\n",
    "x" * 65,
    "x" * 500,
    "😀",
    "a😀b",
    "a\x00b",
    "DB_ROW_ID",
    "fts_doc_id",
    "#mysql50#x",
    "漢" * 64,
]


@pytest.mark.parametrize("name", KEPT)
def test_a_name_that_can_be_had_stays(name: str) -> None:
    """Reserved words, dots, quotes and line ends are only quoted."""
    assert target_name(name, ()) == name
    assert why(name) == ""


@pytest.mark.parametrize("name", CHANGED)
def test_a_name_that_cannot_be_had_is_changed_and_why_is_told(name: str) -> None:
    """What becomes of it can be had, and is the same each time."""
    changed = target_name(name, ())

    assert changed != name
    assert why(name)
    assert why(changed) == ""
    assert target_name(name, ()) == changed


def test_two_long_names_with_one_beginning_stay_two() -> None:
    """A name that is cut gets digits of its own."""
    first, second = (target_name("x" * 70 + end, ()) for end in "ab")
    assert first != second


@pytest.mark.parametrize(("name", "taken"), [("Name", "nAME"), ("É", "é"), ("\u212a", "k"), ("İ", "i"), ("x", "X")])
def test_a_name_that_is_taken_in_another_case_is_changed(name: str, taken: str) -> None:
    """SQLite tells two columns apart by letters beyond ASCII whose case MySQL ignores."""
    assert compared(target_name(name, [taken])) != compared(taken)


@pytest.mark.parametrize(("name", "taken"), [("e", "é"), ("ss", "ß"), ("\u0131", "i"), ("\u03c2", "\u03c3")])
def test_a_name_that_differs_by_more_than_case_stays(name: str, taken: str) -> None:
    """Accents make another name."""
    assert target_name(name, [taken]) == name


def test_no_index_is_called_as_the_servers_own() -> None:
    """A column may be called so, an index not: who names an index says that these are taken."""
    assert target_name("primary", INDEX_NAMES) != "primary"


def test_quotes_are_doubled() -> None:
    """Each server has its own mark."""
    assert quoted('a`b"c') == '`a``b"c`'
    assert quoted_sqlite('a`b"c') == '"a`b""c"'


@given(st.lists(st.text(max_size=80), max_size=8))
def test_any_names_become_different_ones_that_can_be_had(names: list[str]) -> None:
    """Also where the name that one is changed into is another's already."""
    taken: list[str] = []
    for name in names:
        taken.append(target_name(name, taken))

    assert len({compared(name) for name in taken}) == len(names)
    assert not any(why(name) for name in taken)
    assert max(map(len, taken), default=0) <= MAX_CHARACTERS


@pytest.mark.mysql
@pytest.mark.parametrize("name", [*KEPT, *CHANGED])
def test_the_server_has_tables_columns_and_indexes_of_such_names(session: Session, name: str) -> None:
    """What is said of names is what the server does."""
    table = quoted(target_name(name, ()))
    index = quoted(target_name(name, INDEX_NAMES))

    session.execute(
        f"CREATE TABLE {table} ({table} INT, INDEX {index} ({table}), CONSTRAINT {table} CHECK ({table} > 0))"
    )

    assert session.rows(f"SELECT COUNT(*) FROM {table}") == ((0,),)


@pytest.mark.mysql
@pytest.mark.parametrize("name", [name for name in CHANGED if name not in {"a\x00b", "#mysql50#x"}])
def test_the_server_does_not_have_what_is_changed(session: Session, name: str) -> None:
    """No name is changed in vain: it is refused, as a table's or as a column's, or silently made another."""

    def has(table: str, column: str) -> bool:
        try:
            session.execute(f"CREATE TABLE {quoted(table)} ({quoted(column)} INT)")
        except PostrMagicError:
            return False
        found = session.rows(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()"
        )
        return (table, column) in found

    assert not (has(name, "x") and has("t", name))


@pytest.mark.mysql
def test_the_servers_letters_are_ours(session: Session) -> None:
    """Wherever the server knows a small letter for a character, it is the same name here."""
    characters = [chr(code) for code in range(1, 0x10000) if not 0xD800 <= code <= 0xDFFF]
    for start in range(0, len(characters), 500):
        part = characters[start : start + 500]
        lowered = ", ".join(f"LOWER(_utf8mb3 X'{letter.encode().hex()}' COLLATE utf8mb3_general_ci)" for letter in part)
        (found,) = session.rows(f"SELECT {lowered}")
        for letter, small in zip(part, found, strict=True):
            text = small.decode() if isinstance(small, bytes) else small
            assert compared(letter) == compared(text), (letter, text)
