"""A place for a drill: a directory, and for MySQL and MariaDB a database; gone afterwards, also after a kill.

Names tell what is a drill's and since when: ``drill-<8 hexadecimal digits of the time><8 of chance>`` for directories,
``<database>_drill_<the same>`` for databases. Whoever makes a place removes those whose maker is dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .._sql import Timeouts
from ..errors import ConfigurationError, DrillFailed, PostrMagicError, translating
from .dumps.mysql.session import place_of, quoted
from .interface import DatabaseKind

if TYPE_CHECKING:
    from .._clock import Clock
    from .._sql.mysql_server import MysqlServer

_log = logging.getLogger("postrmagic_core.backups")

_DIRECTORY = re.compile(r"drill-([0-9a-f]{8})[0-9a-f]{8}")
_DATABASE = re.compile(r"_drill_([0-9a-f]{8})[0-9a-f]{8}")
_LOCK = "lock"
_TIMEOUTS = Timeouts(connect=10.0, statement=600.0)
# A database's name has at most so many characters.
_LONGEST = 64
# Seconds. A place that is younger may be about to be locked by its maker.
_YOUNG = 60
# Seconds for which the session that holds a database's lock may say nothing.
_SILENT = 7 * 86_400


class Urls(NamedTuple):
    """Where the application's database is, beside which a new one is made, and where one for drills is, if there is.

    The name of the latter has to hold ``drill``: everything in it is replaced, and it is empty afterwards.
    """

    application: str
    drills: str | None = None


@contextmanager
def directory(parent: Path, clock: Clock, kept: Path | None = None) -> Iterator[Path]:
    """An empty directory below ``parent``, mode 0700, removed with all that is in it; ``kept`` is used, and stays.

    Raises :class:`ConfigurationError` where ``kept`` holds something already.
    """
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(kept.iterdir()):
            raise ConfigurationError(f"{kept} holds something already: name an empty directory, or one to be made")
        yield kept
        return
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(parent, clock)
    place = parent / f"drill-{_stamp(clock)}"
    place.mkdir(mode=0o700)
    with (place / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield place
        finally:
            _remove(place)


def _sweep(parent: Path, clock: Clock) -> None:
    """Remove the places whose makers are dead: nobody holds their lock."""
    for place in parent.glob("drill-*"):
        if _DIRECTORY.fullmatch(place.name) and place.is_dir() and not place.is_symlink() and _is_dead(place, clock):
            _log.info("what a killed drill left is removed", extra={"place": place.name})
            _remove(place)


def _is_dead(place: Path, clock: Clock) -> bool:
    try:
        lock = os.open(place / _LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return _age(_DIRECTORY, place.name, clock) > _YOUNG
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _remove(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    if place.exists():
        _log.warning("a drill's place cannot be removed whole", extra={"place": place.name})


@contextmanager
def database(kind: DatabaseKind, place: Path, urls: Urls, clock: Clock, *, keep: bool = False) -> Iterator[str]:
    """The URL of a database to restore into: a file in ``place``, or one of a server, dropped afterwards.

    With ``keep`` it stays, as ``<database>_kept_…``, and no later drill removes it.
    """
    if kind == "sqlite":
        yield f"sqlite:///{place.absolute() / 'app.db'}"
        return
    url, drill_url = urls
    if drill_url is not None:
        with _given(_for_drills(drill_url, url)) as found:
            yield found
        return
    if url.startswith("sqlite"):
        raise ConfigurationError(
            f"the backup is of a {kind} database, and the settings name a file: set POSTRMAGIC_BACKUPS__DRILL_URL to "
            "a database of such a server, whose name holds `drill`"
        )
    with _beside(place_of(url), clock, keep=keep) as found:
        yield found


def _for_drills(drill_url: str, url: str) -> MysqlServer:
    server = place_of(drill_url)
    if "drill" not in server.database.lower():
        raise ConfigurationError(
            f"POSTRMAGIC_BACKUPS__DRILL_URL names the database {server.database}: everything in it would be replaced, "
            "so its name has to hold `drill`"
        )
    if not url.startswith("sqlite") and place_of(url).database_id == server.database_id:
        raise ConfigurationError("POSTRMAGIC_BACKUPS__DRILL_URL is the application's own database")
    return server


@contextmanager
def _given(server: MysqlServer) -> Iterator[str]:
    """One that an operator made: emptied, by dropping it and making it anew, when no other drill uses it."""
    lock = "pm_drill_" + hashlib.sha256(server.database.encode()).hexdigest()[:32]
    with _session(server) as session:
        _run(session, f"SET SESSION wait_timeout={_SILENT}")
        ((got,),) = _run(session, f"SELECT GET_LOCK('{lock}', 0)")
        if not got:
            raise DrillFailed(f"another drill uses the database {server.database}: wait until it has ended")
        try:
            yield server.url(secret=True)
        finally:
            with contextlib.suppress(PostrMagicError), _session(server) as another:
                _run(another, f"DROP DATABASE IF EXISTS {quoted(server.database)}")
                _run(another, f"CREATE DATABASE {quoted(server.database)}")


@contextmanager
def _beside(server: MysqlServer, clock: Clock, *, keep: bool) -> Iterator[str]:
    with _session(server) as session:
        _run(session, f"SET SESSION wait_timeout={_SILENT}")
        prefix = server.database[: _LONGEST - len("_drill_") - 16]
        for name in _left(session, prefix, clock):
            _log.info("what a killed drill left is removed", extra={"place": name})
            _run(session, f"DROP DATABASE IF EXISTS {quoted(name)}")
        purpose = "kept" if keep else "drill"
        name = f"{prefix}_{purpose}_{_stamp(clock)}"
        _run(session, f"SELECT GET_LOCK('{_told(name)}', 0)")
        try:
            _run(session, f"CREATE DATABASE {quoted(name)}")
        except PostrMagicError as error:
            raise ConfigurationError(
                f"a drill needs a database beside {server.database}, and the user may not make one: grant it ALL ON "
                f"`{prefix}\\_{purpose}\\_%`.*, or make a database whose name holds `drill` and set "
                "POSTRMAGIC_BACKUPS__DRILL_URL"
            ) from error
        try:
            yield replace(server, database=name).url(secret=True)
        finally:
            if not keep:
                _drop(server, session, name)


def _drop(server: MysqlServer, session: Any, name: str) -> None:
    try:
        _run(session, f"DROP DATABASE IF EXISTS {quoted(name)}")
    except PostrMagicError:  # the session may have been lost during hours of silence
        with _session(server) as another:
            _run(another, f"DROP DATABASE IF EXISTS {quoted(name)}")


def _left(session: Any, prefix: str, clock: Clock) -> list[str]:
    """The databases of drills whose makers are dead: nobody holds the lock of the name."""
    found = []
    for (name,) in _run(session, "SHOW DATABASES"):
        if not name.startswith(prefix) or not _DATABASE.fullmatch(name.removeprefix(prefix)):
            continue
        ((free,),) = _run(session, f"SELECT IS_FREE_LOCK('{_told(name)}')")
        if free and _age(_DATABASE, name.removeprefix(prefix), clock) > _YOUNG:
            found.append(name)
    return found


@contextmanager
def _session(server: MysqlServer) -> Iterator[Any]:
    from .._sql.mysql_connection import ServerConnection

    # No database is chosen: after a loss there may be none.
    session = replace(server, database="").connect(ServerConnection, _TIMEOUTS)
    session.bear_silence(_TIMEOUTS.statement)
    try:
        session.autocommit(True)
        yield session
    finally:
        with contextlib.suppress(Exception):
            session.close()


def _run(session: Any, statement: str) -> list[Any]:
    from .._sql.mysql_errors import ours

    with translating(ours), session.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def _stamp(clock: Clock) -> str:
    return f"{clock.now_us() // 1_000_000:08x}{secrets.token_hex(4)}"


def _age(pattern: re.Pattern[str], name: str, clock: Clock) -> float:
    found = pattern.fullmatch(name)
    return 0.0 if found is None else clock.now_us() / 1e6 - int(found[1], 16)


def _told(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "''")
