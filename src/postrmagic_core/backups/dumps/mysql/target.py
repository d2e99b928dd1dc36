"""A database of a server that a backup is put into."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ....errors import BackendRejected, BackupDamaged, BackupError, DataError, RestoreRefused
from ...interface import Archive, Entry, Manifest, Report, Standing, unreported
from .catalogue import PROGRESS, is_named, needed
from .faults import foreign_keys, tables_checked
from .rights import distrusting
from .session import AT_WORK, MODE, Opened, is_there, make, opened, place_of, quoted
from .statements import disabled, statements, without_definer
from .values import pieced

# Seconds to wait for the server's answer to a statement of a dump; and for those to go that are just leaving.
_SILENT, _LEAVING, _GLANCE = 600.0, 5.0, 1.0
_LOCKED = 2
_HOLDS_NONE = "this backup holds no database"
# So that a table can be made as it was made in another session, and as nothing else.
_AS_MADE = (
    "check_constraint_checks = 0",
    "innodb_strict_mode = 0",
    "restrict_fk_on_non_standard_key = 0",
    "sql_require_primary_key = 0",
    "sql_generate_invisible_primary_key = 0",
)
# Statements between two commits: what the server must keep for going back stays small.
_COMMIT = 64
_SERVERS = ("mysql", "mariadb")
_DROPPED = {"VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}
_VIEW = re.compile(rb"CREATE [^`]*?VIEW (`(?:[^`]|``)+`)")
# What a view names is not there: a table, a column, a function, or the view that it is made of.
_INVALID = frozenset({1146, 1054, 1305, 1356})
_log = logging.getLogger("postrmagic_core.backups")
_NO_TABLE = frozenset({1146, 1051})


class MysqlTarget:
    """The database that ``url`` names, to be restored into; it is made where it is missing.

    Nothing of what stands there is kept: the tables are dropped before the first is restored. A damaged backup, or one
    that this server cannot take as far as that is told beforehand, is found before that. Views, triggers, routines and
    events belong to whoever restores them: the user who made them may not be there, and to name another takes rights.
    In a database of another name than the one that was backed up no event runs: what is restored beside does nothing.
    """

    def __init__(self, url: str, workspace: Path) -> None:
        self._place = place_of(url)
        self._examined: str | None = None

    def close(self) -> None:
        """Nothing is held between two calls."""

    def look(self, manifest: Manifest) -> Standing:
        """What is there; :class:`RestoreRefused` where the backup is of no server's database."""
        if manifest.database.kind not in _SERVERS:
            raise RestoreRefused(
                f"this is a backup of {manifest.database.kind} and goes not into {self._place.url(secret=False)}: "
                "restore it into a database of its kind, and move that by `postrmagic db transfer`"
            )
        if not is_there(self._place):
            return Standing({})
        with opened(self._place, silent=AT_WORK) as server:
            return Standing(_counted(server), _users(server, _GLANCE), _begun(server)[0])

    def examine(self, archive: Archive, report: Report = unreported) -> None:
        """Read all of it before anything is changed: damage, what the server lacks, a statement that it cannot take.

        Raises :class:`BackupDamaged` or :class:`RestoreRefused`. A restore that begins anew does so by itself, unless
        it was done; one that was begun goes on, and its backup was examined then.
        """
        there = is_there(self._place)
        with opened(self._place if there else replace(self._place, database="")) as server:
            if not there or _begun(server)[0] != archive.manifest.id:
                self._examine(server, archive, report)

    def restore(self, archive: Archive, report: Report) -> None:
        """Make the database what the backup says; see the class.

        Raises :class:`RestoreRefused` before anything is changed, while others are connected or where the server lacks
        what the backup needs. :class:`BackupError` names the part and the number of a statement that the server does
        not take; until a later call has ended, the database is of no revision and no application starts on it.
        """
        entries = archive.manifest.of_database()
        if not entries:
            raise RestoreRefused(_HOLDS_NONE)
        if not is_there(self._place):
            self.examine(archive, report)
            make(self._place)
        with self._alone() as server:
            before, done = _begun(server)
            if before != archive.manifest.id or done < 0:
                self._examine(server, archive, report)
                _empty(server, archive.manifest.id, fresh=before is None)
                done = 0
            server.run("SET SESSION foreign_key_checks = 0, unique_checks = 0")
            server.let(*_AS_MADE)
            ours = is_named(b"".join(archive.blocks(entries[0])), self._place.database)
            total = sum(entry.size for entry in entries)
            finished = sum(entry.size for entry in entries[:done])
            for number, entry in enumerate(entries[done:], done + 1):
                for size in _run(server, archive, entry, awake=ours):
                    report("database", finished + size, total)
                finished += entry.size
                server.session.execute(f"UPDATE {PROGRESS} SET done = %s", [number])  # noqa: S608 - a constant
                server.session.commit()
            server.run(f"DROP TABLE {PROGRESS}")
            report("database", total, total)

    def counted(self) -> Mapping[str, int]:
        """The tables there, with their rows, counted now; none where there is no database."""
        if not is_there(self._place):
            return {}
        with opened(self._place, silent=AT_WORK) as server:
            return _counted(server)

    def faults(self) -> list[str]:
        """What CHECK TABLE finds, and foreign keys that point nowhere."""
        with opened(self._place, silent=AT_WORK) as server:
            return [*tables_checked(server, list(_tables(server))), *foreign_keys(server)]

    def _examine(self, server: Opened, archive: Archive, report: Report) -> None:
        if self._examined != archive.manifest.id:
            _examine(server, archive, archive.manifest.of_database(), report)
            self._examined = archive.manifest.id

    @contextmanager
    def _alone(self) -> Iterator[Opened]:
        with opened(self._place, silent=_SILENT) as server:
            # Two restores at once would each be told that the other is connected, or of different users neither.
            lock = "pm_restore_" + hashlib.sha256(self._place.database.encode()).hexdigest()[:32]
            ((got,),) = server.rows("SELECT GET_LOCK(%s, %s)", lock, _LOCKED)
            users = _users(server, _LEAVING) if got else 1
            if users:
                raise RestoreRefused(
                    f"{users} other connection(s) use the database {self._place.database}: "
                    "stop the application and its workers, then restore again"
                )
            yield server


def _users(server: Opened, patience: float) -> int:
    """How many others are connected to the database, as far as the rights show; who is leaving gets a while."""
    ended = time.monotonic() + patience
    ((own,),) = server.rows("SELECT CONNECTION_ID()")
    while True:
        found = server.rows("SHOW PROCESSLIST")
        users = [row[0] for row in found if row[3] == server.database and row[0] != own]
        if not users or time.monotonic() > ended:
            return len(users)
        time.sleep(0.05)


def _begun(server: Opened) -> tuple[str | None, int]:
    """Of which backup a restore was begun, and how many of its parts are done; -1 before the first may be run."""
    try:
        found = server.rows(f"SELECT archive, done FROM {PROGRESS}")  # noqa: S608 - a constant
    except BackendRejected:
        if server.session.code in _NO_TABLE:
            return None, -1
        raise
    return (found[0][0], int(found[0][1])) if found else (None, -1)


def _tables(server: Opened) -> dict[str, str]:
    asked = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE()"
    return {name: kind for name, kind in server.rows(asked) if name != PROGRESS and kind in _WITH_ROWS}


def _counted(server: Opened) -> dict[str, int]:
    counted: dict[str, int] = {}
    for name, kind in sorted(_tables(server).items()):
        former = " FOR SYSTEM_TIME ALL" if kind == "SYSTEM VERSIONED" else ""
        ((rows,),) = server.rows(f"SELECT COUNT(*) FROM {quoted(name)}{former}")  # noqa: S608 - a quoted name
        counted[name] = int(rows)
    return counted


def _examine(server: Opened, archive: Archive, entries: list[Entry], report: Report) -> None:
    if not entries:
        raise RestoreRefused(_HOLDS_NONE)
    begin = b"".join(archive.blocks(entries[0]))
    lacking = [told for need in needed(begin) if (told := _lacks(server, need))]
    if lacking:
        raise RestoreRefused(
            f"this server ({server.kind} {server.server}) cannot take the backup: {'; '.join(lacking)}"
        )
    refuses = distrusting(server)
    total, done = sum(entry.size for entry in entries), 0
    for entry in entries:
        report("checking the backup", done, total)
        done += entry.size
        whole: dict[bytes, int] = {}
        for statement in statements(archive.blocks(entry)):
            if refuses(without_definer(statement)):
                raise RestoreRefused(
                    f"{entry.name} has a function or trigger, and this server, which has a binary log, lets your user "
                    "make none: set its log_bin_trust_function_creators"
                )
            variable, size = pieced(statement)
            # The server would make NULL of a value that is put together of pieces and too large.
            whole = {variable: whole.get(variable, 0) + size} if variable else {}
            largest = max(len(statement), *whole.values()) if whole else len(statement)
            if largest >= server.packet:
                raise RestoreRefused(
                    f"{entry.name} has a statement or a value of {largest} bytes, and this server takes "
                    f"{server.packet - 1}: set its max_allowed_packet higher"
                )


def _lacks(server: Opened, need: str) -> str:
    what, _, name = need.partition(" ")
    if what == "mariadb":
        return "" if server.kind == "mariadb" else f"it needs MariaDB {name}"
    if what != "collation" or not re.fullmatch(r"\w+", name):
        return f"it needs {need}, which this version does not know"
    try:
        # MariaDB lists some of its collations without their character set.
        server.rows(f"SELECT CONVERT('a' USING {name.partition('_')[0]}) COLLATE {name}")
    except BackendRejected:
        return f"it has no collation {name}"
    return ""


def _empty(server: Opened, archive: str, *, fresh: bool) -> None:
    """Leave nothing there but how far the restore is; ``fresh``: none was begun there."""
    server.run(
        f"CREATE TABLE IF NOT EXISTS {PROGRESS} (archive VARCHAR(64) PRIMARY KEY, done INT NOT NULL) ENGINE=InnoDB"
    )
    server.run(f"DELETE FROM {PROGRESS}")  # noqa: S608 - a constant
    server.session.execute(f"INSERT INTO {PROGRESS} VALUES (%s, -1)", [archive])  # noqa: S608 - a constant
    server.session.commit()
    _drop_all(server, fresh=fresh)
    server.run(f"UPDATE {PROGRESS} SET done = 0")  # noqa: S608 - a constant
    server.session.commit()


def _drop_all(server: Opened, *, fresh: bool) -> None:
    server.run("SET SESSION foreign_key_checks = 0")
    dropped = 0
    for name, kind in server.rows(_EVERYTHING):
        if kind == "PACKAGE":
            server.run("SET sql_mode = 'ORACLE'")  # in which alone MariaDB knows packages
        if name == PROGRESS:
            continue
        try:
            server.run(f"DROP {kind} IF EXISTS {quoted(name)}")
            dropped += 1
        except BackendRejected as error:
            code = server.session.code
            if fresh and not dropped:
                server.run(f"DROP TABLE {PROGRESS}")
            raise RestoreRefused(
                f"the {kind.lower()} {name} cannot be dropped (error {code}): drop it, or restore as a "
                f"user who may; {error}"
            ) from error
    server.run(f"SET sql_mode = '{MODE}'")


def _run(server: Opened, archive: Archive, entry: Entry, *, awake: bool) -> Iterator[int]:
    """Run a part; how many of its bytes are done, again and again. Events run only if ``awake``."""
    done = 0
    server.run(f"SET NAMES utf8mb4, sql_mode = '{MODE}'")
    for number, kept in enumerate(statements(archive.blocks(entry)), 1):
        statement = without_definer(kept)
        statement = statement if awake else disabled(statement)
        try:
            server.run(statement)
        except (BackendRejected, DataError) as error:
            if server.session.code in _INVALID and (view := _VIEW.match(statement)) is not None:
                # It did not work where it was backed up either: it is told, and stands in nobody's way.
                _log.warning("a view cannot be made and is left out", extra={"view": view[1].decode(errors="replace")})
                server.run(b"DROP VIEW IF EXISTS " + view[1])
                continue
            raise BackupError(
                f"the server refuses statement {number} of {entry.name} (error {server.session.code}): {error}"
            ) from error
        done += len(kept)
        if number % _COMMIT == 0:
            server.session.commit()
        yield done
    server.session.commit()
    if not done:
        raise BackupDamaged(f"{entry.name} holds no statement")


_WITH_ROWS = frozenset({"BASE TABLE", "SYSTEM VERSIONED"})
# Tables last: a view or routine of a mightier user's, which not everybody may drop, is met while all rows are there.
_EVERYTHING = """
SELECT event_name, 'EVENT' FROM information_schema.events WHERE event_schema = DATABASE()
UNION ALL SELECT routine_name, routine_type FROM information_schema.routines
WHERE routine_schema = DATABASE() AND routine_type <> 'PACKAGE BODY'
UNION ALL SELECT table_name, 'VIEW' FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'VIEW'
UNION ALL SELECT table_name, CASE table_type WHEN 'SEQUENCE' THEN 'SEQUENCE' ELSE 'TABLE' END
FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type <> 'VIEW'
"""
