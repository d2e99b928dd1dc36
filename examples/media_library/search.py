"""One query grammar that finds the same rows on SQLite's FTS5 and MySQL's FULLTEXT.

Grammar: words are all required; ``word*`` matches a beginning; ``-word`` excludes; ``tag:name``, ``tag:"two words"``
and ``-tag:name`` go by tag. Case and accents do not matter. There is nothing to escape: every other character separates
words.

Both engines have ideas of their own about stop words, short words and letters. So neither sees the words: they index
*terms* made of ``zz`` and a-z0-9 only, long enough and strange enough that each engine takes them as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    and_,
    bindparam,
    column,
    delete,
    exists,
    insert,
    not_,
    select,
    table,
    text,
)

from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.validation.text import tag

from .tables import media, tags

MAX_WORDS = 16
# InnoDB drops words of more than 84 characters.
_LONGEST_TERM = 80
# Media that are indexed in one transaction.
_PIECE = 5000
_WORD = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r'(-?)(tag:)?("[^"]*"|[^\s"]+)')


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked: terms as both engines index them, and tags as they are stored."""

    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    with_tags: tuple[str, ...] = ()
    without_tags: tuple[str, ...] = ()


def parse(asked: str) -> Query:
    """The query in ``asked``; any text is a valid one. Words beyond ``MAX_WORDS`` are ignored."""
    required: list[str] = []
    excluded: list[str] = []
    with_tags: list[str] = []
    without_tags: list[str] = []
    for minus, is_tag, rest in _TOKEN.findall(asked)[:MAX_WORDS]:
        if is_tag:
            (without_tags if minus else with_tags).append(tag(rest.strip('"')))
            continue
        words = _WORD.findall(normal(rest))
        terms = [_term(word) for word in words]
        if terms and rest.endswith("*"):
            terms[-1] += "*"
        (excluded if minus else required).extend(terms)
    return Query(*(tuple(dict.fromkeys(part)) for part in (required, excluded, with_tags, without_tags)))


def terms_of(*texts: str) -> str:
    """What is indexed for these texts."""
    words = {word for part in texts for word in _WORD.findall(normal(part))}
    return " ".join(sorted(_term(word) for word in words))


def normal(word: str) -> str:
    """Lower case without accents: ``Café`` and ``CAFE`` are one."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def conditions(query: Query, dialect: str) -> ColumnElement[bool]:
    """The condition on ``media`` rows that ``query`` means on ``dialect``."""
    found: list[ColumnElement[bool]] = []
    if query.required:
        found.append(_indexed(_all_of(query, dialect), dialect))
    elif query.excluded:
        found.append(not_(_indexed(_any_of(query.excluded, dialect), dialect)))
    found.extend(has_tag(name) for name in query.with_tags)
    found.extend(not_(has_tag(name)) for name in query.without_tags)
    return and_(True, *found)


def has_tag(name: str) -> ColumnElement[bool]:
    """Whether a ``media`` row carries the tag."""
    return exists(select(1).where(tags.c.media_id == media.c.id, tags.c.name == name))


def index(tx: Unit, media_id: int, terms: str) -> None:
    """Replace what is indexed for one media row, in the caller's transaction."""
    remove(tx, media_id)
    tx.execute(insert(_index).values({_key(tx): media_id, _index.c.terms: terms}))


def fill(tx: Unit, terms: Iterable[tuple[int, str]]) -> None:
    """Index many media rows that are not indexed yet, each with its terms."""
    rows = [{"media": media_id, "terms": words} for media_id, words in terms]
    statement = insert(_index).values({_key(tx): bindparam("media"), _index.c.terms: bindparam("terms")})
    tx.execute(statement, rows)


def rebuild(database: DatabaseManager) -> int:
    """Index all media anew, in pieces, and say how many there are; meanwhile a search finds what is done."""
    count, after = 0, 0
    while True:
        with database.write() as tx:
            if not after:
                tx.execute(delete(_index))
            asked = select(media.c.id, media.c.title, media.c.filename).where(media.c.id > after)
            rows = tx.execute(asked.order_by(media.c.id).limit(_PIECE)).all()
            if not rows:
                return count
            fill(tx, ((row.id, terms_of(row.title, row.filename)) for row in rows))
        count, after = count + len(rows), rows[-1].id


def remove(tx: Unit, media_id: int) -> None:
    """Forget one media row, in the caller's transaction."""
    tx.execute(delete(_index).where(_key(tx) == media_id))


_MATCH = {True: text("media_search MATCH :terms"), False: text("MATCH (terms) AGAINST (:terms IN BOOLEAN MODE)")}
# The column that names the media row differs by engine: FTS5 has only its rowid.
_index = table("media_search", column("rowid"), column("media_id"), column("terms"))


def _key(tx: Unit) -> ColumnClause[int]:
    return _index.c.rowid if tx.connection.dialect.name == "sqlite" else _index.c.media_id


def _indexed(expression: str, dialect: str) -> ColumnElement[bool]:
    """Whether a ``media`` row is among those whose terms fit the engine's ``expression``."""
    key = _index.c.rowid if dialect == "sqlite" else _index.c.media_id
    matching = select(key).where(_MATCH[dialect == "sqlite"].bindparams(terms=expression))
    return media.c.id.in_(matching)


# One question to the index, however many words: each would be a list of all rows that have it.
def _all_of(query: Query, dialect: str) -> str:
    if dialect == "sqlite":
        required = " AND ".join(query.required)
        return f"({required}) NOT ({_any_of(query.excluded, dialect)})" if query.excluded else required
    return " ".join([*(f"+{term}" for term in query.required), *(f"-{term}" for term in query.excluded)])


def _any_of(terms: tuple[str, ...], dialect: str) -> str:
    return (" OR " if dialect == "sqlite" else " ").join(terms)


def _term(word: str) -> str:
    """Letter by letter, so that the beginning of a word is the beginning of its term; x spells what is not a-z0-9."""
    spelled = "".join(c if c.isascii() and c.isalnum() and c != "x" else f"x{ord(c):x}x" for c in word)
    return ("zz" + spelled)[:_LONGEST_TERM]
