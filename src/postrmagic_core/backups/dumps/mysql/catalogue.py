"""What is in a database beside its rows, as the statements that make it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from ....database.migrating.interface import RESTORE_TABLE
from ....errors import BackendRejected, BackupFailed
from .rights import hidden
from .session import MODE, Opened, quoted
from .statements import framed
from .values import Field

# The table in which a restore keeps how far it is; no migration runs while it is there.
PROGRESS = RESTORE_TABLE
_ROUTINES = ("PACKAGE", "PACKAGE BODY", "FUNCTION", "PROCEDURE")
_KINDS = {"BASE TABLE", "VIEW", "SYSTEM VERSIONED", "SEQUENCE"}
_WORDS = re.compile(rb"'(?:[^'\\]|\\.|'')*'|`(?:[^`]|``)*`|[^'`]+|['`]", re.DOTALL)
_FROM = re.compile(rb"\b(?:from|join)[\s(]*\Z", re.IGNORECASE)
# Up to the table of a trigger, with the database before the trigger's name and before the table's.
_TRIGGER = re.compile(
    rb"""
    (\A\s*CREATE\s+(?:DEFINER\s*=\s*`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)?\s+)?TRIGGER\s+(?:IF\s+NOT\s+EXISTS\s+)?)
    (?:(?:`(?:[^`]|``)*`|"(?:[^"]|"")*"|[^\s`".]+)\s*\.\s*)?
    ((?:`(?:[^`]|``)*`|"(?:[^"]|"")*"|[^\s`".]+)\s+(?:BEFORE|AFTER)\s[\w\s]*?\sON\s+)
    (?:(?:`(?:[^`]|``)*`|"(?:[^"]|"")*"|[^\s`".]+)\s*\.\s*)?
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Engines of tables that show the rows of others.
_ELSEWHERE = frozenset({"mrg_myisam", "federated", "connect", "spider", "s3"})
_INVALID_VIEW = 1356
_NUMBER = re.compile(rb" AUTO_INCREMENT=\d+")
_OF_MARIADB = frozenset({"inet4", "inet6", "uuid", "xmltype"})


@dataclass(frozen=True, slots=True)
class TableOf:
    """A table: how it is made, and the columns that hold what cannot be computed.

    ``computed``: it has other columns too. ``history``: the server keeps its former rows. ``revisions``: it is one of
    Alembic's tables of versions.
    """

    name: str
    created: bytes
    fields: Sequence[Field]
    engine: str
    computed: bool = False
    history: bool = False
    revisions: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A database without its rows; what is made after the tables is by the name of its entry, in order."""

    begin: bytes
    tables: Sequence[TableOf]
    sequences: bytes = b""
    later: Mapping[str, bytes] = field(default_factory=dict)
    broken: Sequence[str] = ()
    hidden: Sequence[str] = ()

    @property
    def notes(self) -> list[str]:
        """What somebody who restores it has to know."""
        told = [
            f"the table {table.name} is of the moment at which it was read: {table.engine} knows no transactions"
            for table in self.tables
            if table.engine.lower() != "innodb"
        ]
        told += [f"{what}: there may be some that are not in the backup" for what in self.hidden]
        if "events" in self.later:
            told.append("events are restored disabled where the database has another name")
        return told + [f"the view {name} does not work; it is kept, and left out by a restore" for name in self.broken]


def read(server: Opened) -> Catalogue:
    """What there is now; :class:`BackupFailed` names what cannot be backed up, or may not be read."""
    server.let("show_gipk_in_create_table_and_information_schema = 1")
    kinds = dict(server.rows(_TABLES))
    unknown = [f"{name} ({kind})" for name, kind in kinds.items() if kind not in _KINDS]
    if unknown:
        raise BackupFailed(f"it is not known how to back up: {', '.join(unknown)}")
    if PROGRESS in kinds:
        raise BackupFailed(
            f"a restore was begun in this database and not ended (it has the table {PROGRESS}): restore it first"
        )
    fields, computed = _fields(server)
    tables = [
        _table(server, name, fields.get(name, []), computed=name in computed, history=kind == "SYSTEM VERSIONED")
        for name, kind in kinds.items()
        if kind in ("BASE TABLE", "SYSTEM VERSIONED")
    ]
    elsewhere = [f"{table.name} ({table.engine})" for table in tables if table.engine.lower() in _ELSEWHERE]
    if elsewhere:
        raise BackupFailed(
            f"these show the rows of other tables and cannot be backed up: {', '.join(elsewhere)}: drop them, or make "
            "them views"
        )
    sequences = b"".join(_sequence(server, name) for name, kind in kinds.items() if kind == "SEQUENCE")
    views = [name for name, kind in kinds.items() if kind == "VIEW"]
    standard = _standard(server)
    later = {
        "routines": b"".join(_routines(server, standard)),
        "views": b"".join(_views(server, views, fields)),
        "triggers": b"".join(_triggers(server, standard)),
        "events": b"".join(_events(server, standard)),
    }
    broken = [name for name in views if _is_broken(server, name)]
    later = {name: text for name, text in later.items() if text}
    return Catalogue(_begin(server, standard, kinds), tables, sequences, later, broken, hidden(server))


def refuse_changed(before: Catalogue, after: Catalogue) -> None:
    """See that nothing was made or altered between two readings, so that all of it is of the moment between them."""
    if _definitions(before) != _definitions(after):
        raise BackupFailed("tables or other definitions were altered while the backup began: take it again")


def _definitions(found: Catalogue) -> list[object]:
    tables = [(table.name, _NUMBER.sub(b"", table.created), table.fields) for table in found.tables]
    return [tables, found.begin, found.later]


def revisions(rows: Sequence[Sequence[object]]) -> list[str]:
    """The revisions in a table of versions, of the columns that were read of it."""
    return sorted(value.decode() for column in rows for value in column if isinstance(value, bytes))


def _begin(server: Opened, standard: tuple[str, str], kinds: Mapping[str, str]) -> bytes:
    needs = [f"collation {name}" for name in sorted({name for (name,) in server.rows(_COLLATIONS) if name})]
    if server.kind == "mariadb":
        types = {kind for (kind,) in server.rows(_TYPES)} & _OF_MARIADB
        needs += [f"mariadb for columns of type {kind}" for kind in sorted(types)]
        needs += [
            f"mariadb for {name!a}, a {kind.lower()}"
            for name, kind in kinds.items()
            if kind in ("SEQUENCE", "SYSTEM VERSIONED")
        ]
    told = [f"-- A database of {server.kind} {server.server}, in the mode and time zone that are set here."]
    told += [f"-- named {server.database!a}", *(f"-- needs {need}" for need in needs)]
    charset, collation = standard
    return ("\n".join(told) + "\n").encode() + framed(
        f"ALTER DATABASE CHARACTER SET {charset} COLLATE {collation}".encode()
    )


def needed(begin: bytes) -> list[str]:
    """What the begin of a dump says that a server must have for it."""
    return _told(begin, "-- needs ")


def is_named(begin: bytes, database: str) -> bool:
    """Whether the begin of a dump says that its database was called so."""
    return _told(begin, "-- named ") == [ascii(database)]


def _told(begin: bytes, what: str) -> list[str]:
    lines = begin.decode(errors="replace").splitlines()
    return [line.removeprefix(what) for line in lines if line.startswith(what)]


def _standard(server: Opened) -> tuple[str, str]:
    ((charset, collation),) = server.rows("SELECT @@character_set_database, @@collation_database")
    return charset, collation


def _fields(server: Opened) -> tuple[dict[str, list[Field]], set[str]]:
    found: dict[str, list[Field]] = {}
    computed: set[str] = set()
    for table, name, kind, charset, generated, extra in server.rows(_COLUMNS):
        # MariaDB's columns of a period are computed too; their history is asked for by name.
        if not generated and "generated" not in str(extra).lower().replace("default_generated", ""):
            found.setdefault(table, []).append(Field(name, str(kind).lower(), charset or ""))
        else:
            computed.add(table)
    return found, computed


def _table(server: Opened, name: str, fields: Sequence[Field], *, computed: bool, history: bool) -> TableOf:
    made = _created(server, "TABLE", name)["Create Table"] or b""
    made = unqualified(made, server.database, {b"nextval", b"lastval", b"setval"})
    ((engine,),) = server.rows(_ENGINE, name)
    if history:
        if not server.rows("SHOW VARIABLES LIKE 'system_versioning_insert_history'"):
            raise BackupFailed(f"{name} has a history, which MariaDB takes back from 10.11 on")
        if b"`row_start`" in made.lower() or b"as row start" in made.lower():
            raise BackupFailed(
                f"{name} names the columns of its history itself, which cannot be backed up: "
                "leave them to the server, or take the history away"
            )
        fields = [*fields, Field("row_start", "timestamp"), Field("row_end", "timestamp")]
    is_revisions = [column.name for column in fields] == ["version_num"]
    return TableOf(name, made, tuple(fields), engine or "", computed, history, is_revisions)


def _created(server: Opened, kind: str, name: str) -> dict[str, bytes | None]:
    try:
        return server.made(f"SHOW CREATE {kind} {quoted(name)}")
    except BackendRejected as error:
        raise BackupFailed(f"the definition of {kind} {quoted(name)} cannot be read: {error}") from error


def _is_broken(server: Opened, view: str) -> bool:
    try:
        server.rows(f"SELECT 1 FROM {quoted(view)} LIMIT 0")  # noqa: S608 - a quoted name
    except BackendRejected:
        if server.session.code == _INVALID_VIEW:
            return True
    return False


def _sequence(server: Opened, name: str) -> bytes:
    made = _created(server, "SEQUENCE", name)["Create Table"] or b""
    ((following,),) = server.rows(f"SELECT next_not_cached_value FROM {quoted(name)}")  # noqa: S608 - a quoted name
    return (
        framed(f"DROP SEQUENCE IF EXISTS {quoted(name)}".encode())
        + framed(made)
        + framed(f"DO SETVAL({quoted(name)}, {following}, 0)".encode())
    )


def _views(server: Opened, names: Sequence[str], fields: Mapping[str, Sequence[Field]]) -> Iterator[bytes]:
    functions = {name.encode() for name, kind in server.rows(_NAMES_OF_ROUTINES) if kind == "FUNCTION"}
    tables = {name.encode() for name, _ in server.rows(_TABLES)}
    # Each stands as a view of constants first: what seems to be made of each other can be made, too.
    for name in names:
        columns = ", ".join(f"1 AS {quoted(column.name)}" for column in fields.get(name, []))
        yield framed(f"DROP TABLE IF EXISTS {quoted(name)}".encode())
        yield framed(f"CREATE OR REPLACE VIEW {quoted(name)} AS SELECT {columns or '1'}".encode())
    made = {name: _created(server, "VIEW", name) for name in names}
    texts = {name: made[name]["Create View"] or b"" for name in names}
    for name in in_order(texts):
        yield framed(f"SET collation_connection = {_word(made[name]['collation_connection'])}".encode())
        yield framed(f"DROP VIEW IF EXISTS {quoted(name)}".encode())
        yield framed(unqualified(texts[name], server.database, functions, tables))
    yield framed(b"SET NAMES utf8mb4")


def in_order(texts: Mapping[str, bytes]) -> list[str]:
    """The views, each behind those that its text names: of a constant none can be made that may be written, say."""
    named = {quoted(name).encode(): name for name in texts}
    order: list[str] = []
    met: set[str] = set()

    def put(name: str) -> None:
        if name not in met:
            met.add(name)
            for word in _WORDS.findall(texts[name]):
                if word in named:
                    put(named[word])
            order.append(name)

    for name in texts:
        put(name)
    return order


def _routines(server: Opened, standard: tuple[str, str]) -> Iterator[bytes]:
    found = sorted(server.rows(_NAMES_OF_ROUTINES), key=lambda row: (_rank(row[1]), row[0]))
    for name, kind in found:
        made = _created(server, kind, name)
        yield from _stored(made, f"{kind} {quoted(name)}", f"Create {kind.title()}", standard)
    yield from _settled(found, standard)


def _triggers(server: Opened, standard: tuple[str, str]) -> Iterator[bytes]:
    found = server.rows(_TRIGGERS)
    for (name,) in found:
        made = _created(server, "TRIGGER", name)
        text = made["SQL Original Statement"]
        made["SQL Original Statement"] = text and without_database(text)
        yield from _stored(made, f"TRIGGER {quoted(name)}", "SQL Original Statement", standard)
    yield from _settled(found, standard)


def without_database(text: bytes) -> bytes:
    """The text of a trigger, which MariaDB keeps as it was typed, without the database that it may name."""
    return _TRIGGER.sub(rb"\1\2", text, count=1)


def _events(server: Opened, standard: tuple[str, str]) -> Iterator[bytes]:
    found = server.rows(_EVENTS)
    for (name,) in found:
        made = _created(server, "EVENT", name)
        zone = (made["time_zone"] or b"SYSTEM").decode()
        yield framed(f"SET time_zone = '{_word(zone.encode())}'".encode())
        yield from _stored(made, f"EVENT {quoted(name)}", "Create Event", standard)
    if found:
        yield framed(b"SET time_zone = '+00:00'")
    yield from _settled(found, standard)


def _stored(made: Mapping[str, bytes | None], named: str, column: str, standard: tuple[str, str]) -> Iterator[bytes]:
    text = made.get(column) or next((made[name] for name in made if name.lower() == column.lower()), None)
    if not text:
        raise BackupFailed(f"the text of {named} may not be read: give the user of the backup the right to see it")
    modes = (made.get("sql_mode") or b"").decode()
    if not re.fullmatch(r"[A-Za-z0-9_,]*", modes):
        raise BackupFailed(f"the SQL mode of {named} is not understood")
    collation = _word(made.get("Database Collation") or standard[1].encode())
    yield framed(f"ALTER DATABASE COLLATE {collation}".encode())
    yield framed(f"SET collation_connection = {_word(made['collation_connection'])}, sql_mode = '{modes}'".encode())
    yield framed(f"DROP {named.replace(' ', ' IF EXISTS ', 1) if 'BODY' not in named else _body(named)}".encode())
    yield framed(text, body=True)


def _settled(found: Sequence[object], standard: tuple[str, str]) -> Iterator[bytes]:
    if found:
        yield framed("ALTER DATABASE CHARACTER SET {} COLLATE {}".format(*standard).encode())
        yield framed(f"SET NAMES utf8mb4, sql_mode = '{MODE}'".encode())


def _body(named: str) -> str:
    return named.replace("PACKAGE BODY ", "PACKAGE BODY IF EXISTS ", 1)


def _rank(kind: str) -> int:
    if kind not in _ROUTINES:
        raise BackupFailed(f"it is not known how to back up a {kind}")
    return _ROUTINES.index(kind)


def _word(value: bytes | None) -> str:
    text = (value or b"").decode(errors="replace")
    if not re.fullmatch(r"[\w+:/-]+", text):
        raise BackupFailed(f"a name of the server's is not understood: {text!r}")
    return text


def unqualified(text: bytes, database: str, functions: set[bytes], tables: Set[bytes] = frozenset()) -> bytes:
    """The text without the database before ``functions`` that are called and ``tables`` that are read.

    It may be restored under another name. MariaDB names it before a table that is joined with a JSON_TABLE.
    """
    parts = _WORDS.findall(text)
    own = quoted(database).encode()
    kept: list[bytes] = []
    for at, part in enumerate(parts):
        if (
            part == own
            and parts[at + 1 : at + 2] == [b"."]
            and (_calls(parts, at, functions) or _reads(parts, at, tables))
        ):
            parts[at + 1] = b""
            continue
        kept.append(part)
    return b"".join(kept)


def _calls(parts: Sequence[bytes], at: int, functions: set[bytes]) -> bool:
    name = parts[at + 2] if len(parts) > at + 2 else b""
    called = len(parts) > at + 3 and parts[at + 3].startswith(b"(") and name[1:-1].replace(b"``", b"`") in functions
    # `nextval(` stands before its sequence, and in that a database before its name.
    before = parts[at - 1].rstrip().lower() if at else b""
    return called or any(before.endswith(function + b"(") for function in functions)


def _reads(parts: Sequence[bytes], at: int, tables: Set[bytes]) -> bool:
    name = parts[at + 2] if len(parts) > at + 2 else b""
    return name[1:-1].replace(b"``", b"`") in tables and _FROM.search(parts[at - 1]) is not None


_TABLES = """
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name
"""
_ENGINE = "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s"
_COLUMNS = """
SELECT table_name, column_name, data_type, character_set_name, generation_expression, extra
FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position
"""
_COLLATIONS = """
SELECT collation_name FROM information_schema.columns WHERE table_schema = DATABASE() AND collation_name IS NOT NULL
UNION SELECT table_collation FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_collation IS NOT NULL
UNION SELECT @@collation_database
UNION SELECT collation_connection FROM information_schema.views WHERE table_schema = DATABASE()
UNION SELECT collation_connection FROM information_schema.triggers WHERE trigger_schema = DATABASE()
UNION SELECT database_collation FROM information_schema.triggers WHERE trigger_schema = DATABASE()
UNION SELECT collation_connection FROM information_schema.routines WHERE routine_schema = DATABASE()
UNION SELECT database_collation FROM information_schema.routines WHERE routine_schema = DATABASE()
UNION SELECT collation_connection FROM information_schema.events WHERE event_schema = DATABASE()
"""
_TYPES = "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = DATABASE()"
_NAMES_OF_ROUTINES = """
SELECT routine_name, routine_type FROM information_schema.routines WHERE routine_schema = DATABASE()
"""
_TRIGGERS = """
SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()
ORDER BY event_object_table, event_manipulation, action_timing, action_order
"""
_EVENTS = "SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE() ORDER BY event_name"
