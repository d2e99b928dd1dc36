"""The hold: a row that says that a backup is under way, so that files which it may need are left where they are."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, select, update

from .._clock import Clock, from_us
from .._ids import uuid7
from ..errors import BackendError, BackupFailed, Conflict, PostrMagicError
from .tables import runs

if TYPE_CHECKING:
    from ..database import DatabaseManager

_log = logging.getLogger("postrmagic_core.backups")

LASTS = 120.0
"""Seconds for which a hold is good after it was last renewed: so long files stay after a backup was killed.

It is renewed every 20 s: the clocks of machines that share the database may differ by a minute.
"""
_EVERY = 20.0
_AGAIN = 2.0
_ATTEMPTS = 5
_SECOND = 1_000_000
# Rows that are older are removed: what they tell, nobody asks any more.
_REMEMBERED = 400 * 86_400 * _SECOND
c = runs.c


def holds(tx: Any, now_us: int) -> bool:
    """Whether a backup is under way, as ``tx`` sees it at ``now_us``.

    To be asked by who removes files, in the transaction in which it sees that no row names them: one that begins after
    the transaction that deleted the row has committed.
    """
    asked = select(c.id).where(c.kind == "backup", c.ended_us.is_(None), c.until_us > now_us).limit(1)
    return tx.execute(asked).first() is not None


@contextmanager
def holding(database: DatabaseManager, clock: Clock, *, every: float = _EVERY) -> Iterator[Hold]:
    """A hold, kept up by a thread until the block ends; ended as failed where that ends with an error.

    Raises :class:`BackupFailed` where another backup is under way, and where the database has not the tables.
    """
    hold = Hold(database, clock, every)
    hold.begin()
    try:
        yield hold
    except BaseException as error:
        hold.end("failed", detail={"error": _told(error)})
        raise
    finally:
        hold.end("failed", detail={"error": "it did not say how it ended"})


class Hold:
    """One backup's row; see :func:`holding`."""

    def __init__(self, database: DatabaseManager, clock: Clock, every: float) -> None:
        self._database = database
        self._clock = clock
        self._every = every
        self._until_us = 0
        self._lapsed = False
        self._ended = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew_on, name="postrmagic-backup-hold", daemon=True)
        self.id = str(uuid7(clock.now_us()))

    def begin(self) -> None:
        """Commit the row, and renew it from now on."""
        for attempt in range(_ATTEMPTS):
            try:
                self._insert()
                break
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
                self._clock.sleep(0.05 * 2**attempt)
            except BackendError as error:
                if not self._has_table():
                    raise BackupFailed(
                        "the database lacks the table of backups: run `postrmagic db upgrade` first"
                    ) from error
                raise
        self._thread.start()

    def check(self) -> None:
        """Raise :class:`BackupFailed` once files may have been removed that this backup needs."""
        if self._lapsed or self._clock.now_us() >= self._until_us:
            self._lapsed = True
            raise BackupFailed(
                f"the database could not be told for {LASTS:.0f} s that a backup is under way, so files may have been "
                "removed that it needed: take it again"
            )

    def confirm(self) -> None:
        """Make sure, by the database itself, that the hold never lapsed; it is not renewed any more.

        Raises :class:`BackupFailed` where it lapsed, or where the database does not answer until it has.
        """
        self.rest()
        while True:
            self.check()
            try:
                self._renew()
            except PostrMagicError as error:
                _log.warning("a backup's hold was not confirmed yet", extra={"error": _told(error)})
                self._clock.sleep(_AGAIN)
            else:
                self.check()
                return

    def end(self, outcome: str, *, backup: str | None = None, size: int | None = None, detail: Any = None) -> None:
        """Say how it ended; where the database is away the row's time ends by itself."""
        self.rest()
        if self._ended:
            return
        self._ended = True
        values = {"outcome": outcome, "backup": backup, "size": size, "detail": json.dumps(detail or {}).encode()}
        try:
            with self._database.write() as tx:
                ended = {"ended_us": self._clock.now_us(), **values}
                tx.execute(update(runs).where(c.id == self.id, c.ended_us.is_(None)).values(ended))
        except Exception as error:
            _log.warning(
                "the end of a backup could not be noted", extra={"outcome": outcome, "error": type(error).__qualname__}
            )

    def rest(self) -> None:
        """Renew no more."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _insert(self) -> None:
        now = self._clock.now_us()
        self._until_us = now + int(LASTS * _SECOND)
        # Serializable: else of two that look at the same time both might see nobody.
        with self._database.write(isolation="serializable") as tx:
            other = tx.execute(
                select(c.began_us, c.until_us)
                .where(c.kind == "backup", c.ended_us.is_(None), c.until_us > now)
                .limit(1)
            ).first()
            if other is not None:
                raise BackupFailed(
                    f"a backup is under way since {from_us(other.began_us):%Y-%m-%d %H:%M:%S} UTC; if it was killed, "
                    f"another can be taken in {(other.until_us - now) // _SECOND + 1} s"
                )
            lost = {"ended_us": now, "outcome": "failed", "detail": b'{"error": "it was killed"}'}
            tx.execute(update(runs).where(c.kind == "backup", c.ended_us.is_(None)).values(lost))
            tx.execute(runs.delete().where(c.kind == "backup", c.began_us < now - _REMEMBERED))
            row = {"id": self.id, "kind": "backup", "began_us": now, "until_us": self._until_us, "detail": b"{}"}
            tx.execute(runs.insert().values(row))

    def _has_table(self) -> bool:
        with suppress(PostrMagicError), self._database.read() as tx:
            return bool(inspect(tx.connection).has_table(runs.name))
        return True

    def _renew_on(self) -> None:
        wait = self._every
        while not self._stopped.wait(wait) and not self._lapsed:
            try:
                self._renew()
                wait = self._every
            except Exception as error:
                _log.warning("a backup's hold was not renewed yet", extra={"error": _told(error)})
                wait = min(_AGAIN, self._every)

    def _renew(self) -> None:
        before, now = self._until_us, self._clock.now_us()
        until = now + int(LASTS * _SECOND)
        good = (c.id == self.id, c.ended_us.is_(None), c.until_us > now)
        with self._database.write() as tx:
            renewed = tx.execute(update(runs).where(*good).values(until_us=until)).rowcount == 1
        # It may have waited long for its commit: others saw the old row until now.
        if renewed and self._clock.now_us() < before:
            self._until_us = until
        else:
            self._lapsed = True


def _told(error: BaseException) -> str:
    return f"{type(error).__qualname__}: {error}" if isinstance(error, PostrMagicError) else type(error).__qualname__
