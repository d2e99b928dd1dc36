"""The database at the other end: how to open a session with it, what its server can, and which tables it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..._sql import Timeouts
from ...errors import BackendRejected, ConfigurationError, MissingExtra
from ...registry import scheme_of
from .interface import Server, ServerKind

if TYPE_CHECKING:
    from ..._sql.mysql_server import MysqlServer
    from .session import Session

_TIMEOUTS = Timeouts(connect=10.0, statement=600.0)
# Invisible columns; on MariaDB also an ALTER TABLE that is done whole or not at all.
_OLDEST: dict[ServerKind, tuple[int, ...]] = {"mysql": (8, 0, 23), "mariadb": (10, 6)}
_WHY: dict[ServerKind, str] = {
    "mysql": "8.0.23 or later, which has invisible columns",
    "mariadb": "10.6 or later, whose ALTER TABLE is atomic",
}
_EXACT: dict[ServerKind, str] = {"mysql": "utf8mb4_0900_bin", "mariadb": "utf8mb4_nopad_bin"}
_NOCASE: dict[ServerKind, str] = {"mysql": "utf8mb4_0900_as_ci", "mariadb": "utf8mb4_uca1400_nopad_as_ci"}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SYNTAX = 1064
# Our own table of checkpoints, which is nobody's data.
CHECKPOINTS = "pm_transfer"
# Texts whose weights are asked for at once, and their characters together.
_ASKED, _ASKED_CHARACTERS = 1000, 50_000


@dataclass(frozen=True, slots=True)
class ExistingColumn:
    """A column of the target; ``type`` as the server writes it, ``generated`` and ``default`` its expressions."""

    name: str
    type: str
    nullable: bool
    collation: str = ""
    generated: str = ""
    default: str | None = None
    auto_increment: bool = False


@dataclass(frozen=True, slots=True)
class ExistingTable:
    """A table of the target; ``filled``: whether it holds rows, ``triggers``: whether an INSERT sets one off.

    ``unique_keys`` are the columns of each beside the primary key, but of those over a part of a text or an expression.
    """

    name: str
    columns: tuple[ExistingColumn, ...]
    primary_key: tuple[str, ...]
    engine: str
    filled: bool
    triggers: bool = False
    unique_keys: tuple[tuple[str, ...], ...] = ()

    def column(self, name: str) -> ExistingColumn:
        """The column of that name, in whatever case; :class:`KeyError` where there is none."""
        for column in self.columns:
            if column.name.lower() == name.lower():
                return column
        raise KeyError(name)


class Target:
    """A database of a MySQL or MariaDB server; nothing is kept open between two sessions."""

    def __init__(self, place: MysqlServer) -> None:
        self._place = place

    @property
    def database_id(self) -> str:
        """Host, port and name: the same however the URL is written, without credentials."""
        return self._place.database_id

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return self._place.url(secret=False)

    def connect(self) -> Session:
        """A session of one's own, to be closed; raises this package's errors, as all it does."""
        kind = self.server.kind
        session = self._opened()
        session.set_up(mariadb=kind == "mariadb")
        return session

    @cached_property
    def server(self) -> Server:
        """What it is; one that is too old raises :class:`ConfigurationError`."""
        return self._asked[0]

    @property
    def local_infile(self) -> bool:
        """Whether it takes rows by LOAD DATA LOCAL, as far as it tells."""
        return self._asked[1]

    def existing(self) -> dict[str, ExistingTable]:
        """Its tables by name, without that of the checkpoints."""
        session = self.connect()
        try:
            return {table.name: table for table in _existing(session)}
        finally:
            session.close()

    def reserved(self, names: Iterable[str]) -> set[str]:
        """Those of ``names`` that are words of its own language, and not to be used without backticks."""
        session = self.connect()
        try:
            return {name for name in names if _WORD.fullmatch(name) and _is_reserved(session, name)}
        finally:
            session.close()

    def weights(self, texts: Sequence[str], collation: str) -> list[bytes]:
        """What ``collation`` compares each text by: texts with equal weights are equal to the server.

        Those of a collation that compares characters are known without asking.
        """
        if self._pads(collation):
            texts = [text.rstrip(" ") for text in texts]
        if collation.endswith("_bin"):
            return [text.encode() for text in texts]
        # As one value for all: a column for each takes many times longer.
        charset = collation.partition("_")[0]
        each = f"HEX(WEIGHT_STRING(CONVERT(%s USING {charset}) COLLATE {collation}))"
        found: list[bytes] = []
        session = self.connect()
        try:
            for some in _pieces(texts):
                ((weights,),) = session.rows(f"SELECT CONCAT_WS(',', {', '.join([each] * len(some))})", some)
                found += map(bytes.fromhex, weights.split(","))
        finally:
            session.close()
        return found

    def _pads(self, collation: str) -> bool:
        """Whether spaces at the end of a text do not count: to ``collation`` it goes on with spaces without end."""
        return collation in self._padding if self.server.kind == "mysql" else "nopad" not in collation

    @cached_property
    def _padding(self) -> frozenset[str]:
        """The names of all such collations of a MySQL."""
        session = self.connect()
        try:
            return frozenset(name for (name,) in session.rows(_PADDING))
        finally:
            session.close()

    @cached_property
    def _asked(self) -> tuple[Server, bool]:
        session = self._opened()
        try:
            ((version, packet, infile),) = session.rows("SELECT VERSION(), @@max_allowed_packet, @@local_infile")
            kind: ServerKind = "mariadb" if "mariadb" in version.lower() else "mysql"
            _check_age(kind, version)
            # MariaDB lists those of the Unicode algorithm without their character set.
            nocase = _NOCASE[kind]
            known = session.rows(_COLLATION, [nocase, nocase.removeprefix("utf8mb4_")])
        finally:
            session.close()
        return Server(kind, version, _EXACT[kind], nocase if known else _EXACT[kind], int(packet)), bool(infile)

    def _opened(self) -> Session:
        from pymysql.constants import CLIENT

        from .session import Session

        # The capability alone: the driver itself is not told that it may send files, and sends none.
        return self._place.connect(Session, _TIMEOUTS, client_flag=CLIENT.LOCAL_FILES)


def open_target(url: str) -> Target:
    """The database at ``url`` (``mysql://`` or ``mariadb://``); nothing is connected yet.

    Raises :class:`ConfigurationError` where the URL is of another kind, :class:`MissingExtra` without the driver.
    """
    if scheme_of(url) not in ("mysql", "mariadb"):
        raise ConfigurationError("expected the URL of a server: mysql://user:password@host:3306/name")
    try:
        from ..._sql.mysql_server import MysqlServer
    except ModuleNotFoundError as error:
        raise MissingExtra("a driver is needed that is not installed: pip install 'postrmagic-core[mysql]'") from error
    return Target(MysqlServer.from_url(url))


def _is_reserved(session: Session, word: str) -> bool:
    # Nobody lists them but the server's own grammar.
    try:
        session.rows(f"SELECT 1 AS {word}")
    except BackendRejected:
        if session.code != _SYNTAX:
            raise
        return True
    return False


def _check_age(kind: ServerKind, version: str) -> None:
    # "5.5.5-" stands before the versions that some proxies tell of MariaDB.
    numbers = re.match(r"\d+\.\d+\.\d+", version.removeprefix("5.5.5-"))
    if numbers is None or tuple(map(int, numbers[0].split("."))) < _OLDEST[kind]:
        raise ConfigurationError(f"the server is {version}; what is moved needs {_WHY[kind]}")


def _pieces(texts: Sequence[str]) -> Iterator[list[str]]:
    some: list[str] = []
    size = 0
    for text in texts:
        if some and (len(some) == _ASKED or size + len(text) > _ASKED_CHARACTERS):
            yield some
            some, size = [], 0
        some.append(text)
        size += len(text)
    if some:
        yield some


_COLLATION = "SELECT 1 FROM information_schema.collations WHERE collation_name IN (%s, %s)"
_PADDING = "SELECT collation_name FROM information_schema.collations WHERE pad_attribute = 'PAD SPACE'"
_TABLES = """
SELECT table_name, engine, EXISTS (
    SELECT 1 FROM information_schema.triggers
    WHERE event_object_schema = DATABASE() AND event_object_table = table_name AND event_manipulation = 'INSERT'
) FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name <> %s ORDER BY table_name
"""
_COLUMNS = """
SELECT table_name, column_name, column_type, is_nullable, collation_name, generation_expression, column_default, extra
FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position
"""
_PRIMARY = """
SELECT table_name, column_name FROM information_schema.statistics
WHERE table_schema = DATABASE() AND index_name = 'PRIMARY' ORDER BY table_name, seq_in_index
"""

_UNIQUE = """
SELECT table_name, index_name, column_name, sub_part FROM information_schema.statistics
WHERE table_schema = DATABASE() AND non_unique = 0 AND index_name <> 'PRIMARY'
ORDER BY table_name, index_name, seq_in_index
"""


def _existing(session: Session) -> Iterator[ExistingTable]:
    columns: dict[str, list[ExistingColumn]] = {}
    for table, name, kind, nullable, collation, generated, default, extra in session.rows(_COLUMNS):
        automatic = "auto_increment" in extra.lower()
        found = ExistingColumn(
            name, kind, nullable == "YES", collation or "", generated or "", _default(default), automatic
        )
        columns.setdefault(table, []).append(found)
    keys: dict[str, list[str]] = {}
    for table, name in session.rows(_PRIMARY):
        keys.setdefault(table, []).append(name)
    unique: dict[tuple[str, str], list[str]] = {}
    for table, index, name, length in session.rows(_UNIQUE):
        unique.setdefault((table, index), []).append(name if name and length is None else "")
    for name, engine, triggers in session.rows(_TABLES, [CHECKPOINTS]):
        yield ExistingTable(
            name,
            tuple(columns.get(name, ())),
            tuple(keys.get(name, ())),
            engine or "",
            is_filled(session, name),
            bool(triggers),
            tuple(tuple(unique[one]) for one in unique if one[0] == name and "" not in unique[one]),
        )


def is_filled(session: Session, table: str) -> bool:
    """Whether a table of the target holds a row."""
    from .names import quoted

    return bool(session.rows(f"SELECT 1 FROM {quoted(table)} LIMIT 1"))  # noqa: S608 - a quoted name


def _default(text: str | None) -> str | None:
    # MariaDB says NULL in words.
    return None if text is None or text.upper() == "NULL" else text
