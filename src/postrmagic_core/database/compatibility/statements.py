"""SQL as changes: a small reading of its own, which says so where it does not understand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import changes as c
from .altering import altered, described
from .sqlwords import Token, open_bodies, parts, statements
from .words import Unread, Words

_SHOWN = 60
# SELECT … INTO OUTFILE writes, but no table.
_HARMLESS = {"SELECT", "VALUES", "SHOW", "SAVEPOINT", "RELEASE", "ROLLBACK"}
_BOUNDS = {
    "TRANSACTION",
    "WORK",
    "DEFERRED",
    "IMMEDIATE",
    "EXCLUSIVE",
    "READ",
    "ONLY",
    "WRITE",
    ",",
    "WITH",
    "CONSISTENT",
}
_BOUNDS |= {"SNAPSHOT", "AND", "NO", "CHAIN", "RELEASE"}
# PRAGMA name(value) sets, too; these read, or hold for the connection alone.
_PRAGMAS = {"TABLE_INFO", "TABLE_XINFO", "TABLE_LIST", "INDEX_LIST", "INDEX_INFO", "INDEX_XINFO", "FOREIGN_KEY_LIST"}
_PRAGMAS |= {"FOREIGN_KEY_CHECK", "INTEGRITY_CHECK", "QUICK_CHECK", "FOREIGN_KEYS", "DEFER_FOREIGN_KEYS"}
_CREATED = ("TABLE", "VIRTUAL", "UNIQUE", "FULLTEXT", "SPATIAL", "INDEX", "VIEW", "TRIGGER")
_VERBS = {"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE"}


def read(sql: str, dialect: str) -> list[c.Change]:
    """What each statement of ``sql`` does; one that is not understood is a case of ``unread-sql``."""
    found: list[c.Change] = []
    for statement in statements(sql, dialect):
        try:
            found += _statement(Words(statement))
        except Unread:
            found.append(c.Other("unread-sql", f"SQL is not understood: {_shown(statement)}"))
    return found


def _statement(words: Words) -> list[c.Change]:
    verb = words.next()
    if verb in _HARMLESS:
        return []
    reader = _READERS.get(verb)
    if reader is None:
        raise Unread
    return list(reader(words))


def _with(words: Words) -> Iterator[c.Change]:
    depth = 0
    while not words.done:
        word = words.next()
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0 and word in _VERBS:
            if word != "SELECT":
                yield from _READERS[word](words)
            return
    raise Unread


def _insert(words: Words) -> Iterator[c.Change]:
    words.take_any("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY")
    replaces = words.take("OR", "REPLACE")
    if not replaces and words.take("OR"):
        words.next()
    words.take_any("IGNORE")
    words.take("INTO")
    table = words.name()
    if replaces or words.holds("DUPLICATE") or (words.holds("CONFLICT") and words.holds("UPDATE")):
        yield c.WriteRows(table, "update")
    yield c.WriteRows(table, "insert")


def _replace(words: Words) -> Iterator[c.Change]:
    words.take_any("LOW_PRIORITY", "DELAYED")
    words.take("INTO")
    yield c.WriteRows(words.name(), "update")


def _update(words: Words) -> Iterator[c.Change]:
    words.take_any("LOW_PRIORITY", "IGNORE")
    if words.take("OR"):
        words.next()
    table = words.name()
    # MySQL joins in an UPDATE: which of the tables is written is not told.
    joined = words.before("SET", {",", "JOIN"})
    yield c.WriteRows(None if joined else table, "update")


def _delete(words: Words) -> Iterator[c.Change]:
    words.take_any("LOW_PRIORITY", "QUICK", "IGNORE")
    yield c.WriteRows(words.name() if words.take("FROM") and not words.holds("USING") else None, "delete")


def _truncate(words: Words) -> Iterator[c.Change]:
    words.take("TABLE")
    yield c.WriteRows(words.name(), "delete")


def _create(words: Words) -> Iterator[c.Change]:
    replaces = words.take("OR", "REPLACE")
    temporary = words.take_any("TEMP", "TEMPORARY")
    # MySQL says DEFINER=, ALGORITHM= and SQL SECURITY before what it creates.
    while not words.done and not words.at(*_CREATED):
        if not words.skip_option():
            raise Unread
    kind = words.next()
    unique, searched = kind == "UNIQUE", kind in {"FULLTEXT", "SPATIAL"}
    if kind in {"FULLTEXT", "SPATIAL", "UNIQUE"}:
        words.need("INDEX")
        kind = "INDEX"
    elif kind == "VIRTUAL":  # its parts are arguments of the module that makes it
        words.need("TABLE")
        if_absent = words.take("IF", "NOT", "EXISTS")
        yield c.AddTable(words.name(), if_absent=if_absent)
        return
    match kind:
        case "TABLE":
            yield from _table(words, replaces=replaces, temporary=temporary)
        case "INDEX":
            yield _index(words, unique=unique, searched=searched)
        case "VIEW" | "TRIGGER":
            made = _trigger(words) if kind == "TRIGGER" else _view(words)
            if replaces:
                yield c.DropNamed(made.kind, made.name, replaced=True)
            yield made
        case _:
            raise Unread


def _table(words: Words, *, replaces: bool, temporary: bool) -> Iterator[c.Change]:
    if_absent = words.take("IF", "NOT", "EXISTS")
    table = words.name()
    if replaces:
        yield c.DropTable(table)
    if temporary:
        # It hides a table of its name on this connection alone, and what comes next may be meant for either.
        raise Unread
    found = [described(Words(part)) for part in parts(words.inside())] if words.at("(") else []
    columns = tuple(column for column, _ in found if column is not None)
    yield c.AddTable(table, columns, tuple(key for _, keys in found for key in keys), if_absent)


def _index(words: Words, *, unique: bool, searched: bool) -> c.AddIndex:
    words.take("IF", "NOT", "EXISTS")
    name = words.name()
    if words.take("USING"):
        words.next()
    words.need("ON")
    table = words.name()
    columns = tuple((Words(part).named() or "") if len(part) < 3 else "" for part in parts(words.inside()))
    return c.AddIndex(table, name, columns, unique, searched)


def _view(words: Words) -> c.AddNamed:
    if_absent = words.take("IF", "NOT", "EXISTS")
    return c.AddNamed("view", words.name(), None, if_absent)


def _trigger(words: Words) -> c.AddNamed:
    if_absent = words.take("IF", "NOT", "EXISTS")
    name = words.name()
    while not words.take("ON"):
        words.next()
    table = words.name()
    if open_bodies(words.rest()):
        raise Unread
    return c.AddNamed("trigger", name, table, if_absent)


def _drop(words: Words) -> Iterator[c.Change]:
    words.take_any("TEMPORARY")
    kind = words.next()
    words.take("IF", "EXISTS")
    match kind:
        case "TABLE" | "VIEW":
            for part in parts(words.rest()):
                name = Words(part).name()
                yield c.DropTable(name) if kind == "TABLE" else c.DropNamed("view", name)
        case "INDEX":
            name = words.name()
            yield c.DropIndex(words.name() if words.take("ON") else None, name)
        case "TRIGGER":
            yield c.DropNamed("trigger", words.name())
        case _:
            raise Unread


def _rename(words: Words) -> Iterator[c.Change]:
    if not words.take_any("TABLE", "TABLES"):
        raise Unread
    for part in parts(words.rest()):
        pair = Words(part)
        before = pair.name()
        pair.need("TO")
        yield c.RenameTable(before, pair.name())


def _alter(words: Words) -> Iterator[c.Change]:
    words.take_any("ONLINE", "IGNORE")
    if not words.take("TABLE"):
        raise Unread
    words.take("IF", "EXISTS")
    table = words.name()
    if not words.take("NOWAIT") and words.take("WAIT"):
        words.next()
    specs = parts(words.rest())
    if not specs:
        raise Unread
    for spec in specs:
        yield from altered(table, Words(spec))


def _pragma(words: Words) -> Iterator[c.Change]:
    name = words.name().rpartition(".")[2].upper()
    if name not in _PRAGMAS and not words.done:
        raise Unread
    return iter(())


def _set(words: Words) -> Iterator[c.Change]:
    # MariaDB's SET STATEMENT … FOR runs another statement.
    if any(words.holds(each) for each in ("GLOBAL", "PERSIST", "PERSIST_ONLY", "PASSWORD", "STATEMENT", "ROLE")):
        raise Unread
    return iter(())


def _bound(words: Words) -> Iterator[c.Change]:
    """The beginning or end of a transaction, and not of MariaDB's ``BEGIN NOT ATOMIC``."""
    while not words.done:
        if words.next() not in _BOUNDS:
            raise Unread
    return iter(())


def _explained(words: Words) -> Iterator[c.Change]:
    """What is only explained; MariaDB's ``ANALYZE`` runs the statement that it explains."""
    if any(words.holds(each) for each in _VERBS - {"SELECT"}):
        raise Unread
    return iter(())


_READERS: dict[str, Callable[[Words], Iterator[c.Change]]] = {
    "ALTER": _alter,
    "ANALYZE": _explained,
    "BEGIN": _bound,
    "COMMIT": _bound,
    "DESC": _explained,
    "DESCRIBE": _explained,
    "END": _bound,
    "EXPLAIN": _explained,
    "START": _bound,
    "CREATE": _create,
    "DELETE": _delete,
    "DROP": _drop,
    "INSERT": _insert,
    "PRAGMA": _pragma,
    "RENAME": _rename,
    "REPLACE": _replace,
    "SET": _set,
    "TRUNCATE": _truncate,
    "UPDATE": _update,
    "WITH": _with,
}


def _shown(statement: list[Token]) -> str:
    text = " ".join(token.text for token in statement)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
