"""``ALTER TABLE``: what each of its parts does, on SQLite, MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from . import changes as c
from .sqlwords import Token, parts
from .words import Unread, Words

# Parts that change how it is done, or what is said of the table, not what it holds.
_MANNER = {"ALGORITHM", "LOCK", "COMMENT", "WITHOUT"}
# Words by which a type ends and the column's other properties begin.
_PROPERTIES = {"NOT", "NULL", "DEFAULT", "UNIQUE", "PRIMARY", "KEY", "REFERENCES", "CHECK", "CONSTRAINT", "COMMENT"}
_PROPERTIES |= {"AUTO_INCREMENT", "AUTOINCREMENT", "GENERATED", "AS", "AFTER", "FIRST", "ON", "INVISIBLE", "VISIBLE"}
_FILLS = {"DEFAULT", "GENERATED", "AS"}


def altered(table: str, words: Words) -> Iterator[c.Change]:
    """What one part of an ``ALTER TABLE`` of ``table`` does; :class:`Unread` where it is not understood."""
    verb = words.next()
    match verb:
        case "ADD":
            yield from _added(table, words)
        case "DROP":
            yield _dropped(table, words)
        case "RENAME":
            yield from _renamed(table, words)
        case "CHANGE" | "MODIFY":
            yield from _given_anew(table, words, renames=verb == "CHANGE")
        case "ALTER":
            yield _defaulted(table, words)
        case "CONVERT" | "ENGINE" | "ROW_FORMAT" | "FORCE":
            if verb == "CONVERT":
                yield c.Other("unread-sql", f"the text of {table} is converted to another character set", table)
            words.take("=")
            if verb == "ENGINE" and not words.at("INNODB"):
                raise Unread  # one without transactions or foreign keys
            yield c.Other("copies-table", f"{table} is made anew", table)
        case _ if verb in _MANNER:
            words.take("=")
            words.next()
            if not words.done:  # a change that no comma parts from it
                raise Unread
        case _:
            raise Unread


def described(words: Words) -> tuple[c.Column | None, tuple[c.Key, ...]]:
    """What a part of ``CREATE TABLE`` describes: a column with its keys, or a constraint; of an index nothing."""
    if (key := _constraint(words)) is not None:
        return None, (key,)
    if words.at("INDEX", "KEY", "FULLTEXT", "SPATIAL"):
        return None, ()
    return _column(words)


def _constraint(words: Words) -> c.Key | None:
    """The table constraint that comes next, if one does."""
    name = None
    named = words.take("CONSTRAINT")
    if named and not words.at("PRIMARY", "UNIQUE", "FOREIGN", "CHECK"):
        name = words.name()
    if words.take("PRIMARY", "KEY"):
        return c.Key("primary", _columns(words), name)
    if words.take("UNIQUE"):
        words.take_any("KEY", "INDEX")
        name = words.named() or name
        return c.Key("unique", _columns(words), name)
    if words.take("FOREIGN", "KEY"):
        words.named()
        columns = _columns(words)
        words.need("REFERENCES")
        return _foreign(columns, name, words)
    if words.take("CHECK"):
        return c.Key("check", (), name)
    if named:
        raise Unread
    return None


def _foreign(columns: tuple[str, ...], name: str | None, words: Words) -> c.Key:
    refers = words.name()
    lets_go = False
    while not words.done:
        if words.take("ON", "DELETE"):
            lets_go = words.at("CASCADE", "SET")
        else:
            words.next()
    return c.Key("foreign", columns, name, refers, lets_go)


def _columns(words: Words) -> tuple[str, ...]:
    while not words.at("("):
        words.next()
    return tuple(Words(part).named() or "" for part in parts(words.inside()))


def _added(table: str, words: Words) -> Iterator[c.Change]:
    if (key := _constraint(words)) is not None:
        yield c.AddKey(table, key)
        return
    searched = words.at("FULLTEXT", "SPATIAL")
    if words.take_any("INDEX", "KEY", "FULLTEXT", "SPATIAL"):
        words.take("IF", "NOT", "EXISTS")
        name = words.named()
        yield c.AddIndex(table, name, _columns(words), searched=searched)
        return
    if words.at("PARTITION") or words.take("SYSTEM", "VERSIONING") or words.take("PERIOD", "FOR"):
        raise Unread
    words.take("COLUMN")
    words.take("IF", "NOT", "EXISTS")
    if words.at("("):
        for part in parts(words.inside()):
            yield c.AddColumn(table, *_column(Words(part)))
    else:
        yield c.AddColumn(table, *_column(words))


def _column(words: Words) -> tuple[c.Column, tuple[c.Key, ...]]:
    name = words.name()
    found = words.rest()
    keywords = [token.word for token in found]
    nullable = not _follows(keywords, "NOT", "NULL") and not _follows(keywords, "PRIMARY", "KEY")
    column = c.Column(name, _type(found), nullable, _filled(keywords), "AUTO_INCREMENT" in keywords)
    return column, tuple(_column_keys(name, found))


def _filled(keywords: list[str]) -> bool:
    return bool(_FILLS.intersection(keywords)) and not _follows(keywords, "DEFAULT", "NULL")


def _column_keys(name: str, found: list[Token]) -> Iterator[c.Key]:
    keywords = [token.word for token in found]
    if _follows(keywords, "PRIMARY", "KEY"):
        yield c.Key("primary", (name,))
    if "UNIQUE" in keywords:
        yield c.Key("unique", (name,))
    if "CHECK" in keywords:
        yield c.Key("check", (name,))
    if "REFERENCES" in keywords:
        yield _foreign((name,), None, Words(found[keywords.index("REFERENCES") + 1 :]))


def _type(found: list[Token]) -> str | None:
    text = ""
    for token in found:
        if token.word in _PROPERTIES:
            break
        word = f"'{token.text}'" if token.kind == "string" else token.text
        text += word if not text or word in "(),." or text[-1] in "(,." else f" {word}"
    return text or None


def _follows(keywords: list[str], first: str, second: str) -> bool:
    return any(pair == (first, second) for pair in pairwise(keywords))


def _dropped(table: str, words: Words) -> c.Change:
    if words.take("PRIMARY", "KEY"):
        return c.DropKey(table, None, "primary")
    if words.at("PARTITION"):
        return c.WriteRows(table, "delete")
    foreign, index = words.take("FOREIGN", "KEY"), words.take_any("INDEX", "KEY")
    check, constraint = words.take("CHECK"), words.take("CONSTRAINT")
    if not (foreign or index or check or constraint):
        words.take("COLUMN")
    words.take("IF", "EXISTS")
    name = words.name()
    if index:
        return c.DropIndex(table, name)
    if foreign or check or constraint:
        return c.DropKey(table, name, "foreign" if foreign else "check" if check else None)
    return c.DropColumn(table, name)


def _renamed(table: str, words: Words) -> Iterator[c.Change]:
    if words.take_any("INDEX", "KEY"):
        return
    if words.take("TO") or words.take("AS"):
        yield c.RenameTable(table, words.name())
        return
    column = words.take("COLUMN")
    before = words.name()
    if words.take("TO"):
        yield c.AlterColumn(table, c.Column(before, nullable=None), to=words.name())
    elif column:
        raise Unread
    else:
        yield c.RenameTable(table, before)


def _given_anew(table: str, words: Words, *, renames: bool) -> Iterator[c.Change]:
    words.take("COLUMN")
    words.take("IF", "EXISTS")
    before = words.name()
    after = words.name() if renames else before
    found = words.rest()
    keywords = [token.word for token in found]
    strict = _follows(keywords, "NOT", "NULL")
    yield c.AlterColumn(
        table,
        c.Column(before, nullable=None),
        to=after if renames else None,
        type=_type(found),
        nullable=not strict,
        default="set" if _filled(keywords) else "dropped",
        counts="AUTO_INCREMENT" in keywords or None,
    )
    for key in _column_keys(after, found):
        yield c.AddKey(table, key)


def _defaulted(table: str, words: Words) -> c.AlterColumn:
    words.take("COLUMN")
    name = words.name()
    if words.take("DROP", "DEFAULT"):
        return c.AlterColumn(table, c.Column(name, nullable=None), default="dropped")
    words.need("SET", "DEFAULT")
    return c.AlterColumn(table, c.Column(name, nullable=None), default="set")
