"""The SQL store in a SQLite file of its own: one writer at a time, readers never wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from postrmagic_core._clock import Clock, SystemClock
from postrmagic_core._sql import Backend
from postrmagic_core.errors import SchemaMismatch
from postrmagic_core.stores.adapters import _machine_time as machine
from postrmagic_core.stores.adapters.sql import Held, SqlStore
from postrmagic_core.stores.locked import Entry

_VERSION = 1
_UPSERT = "INSERT INTO pm_kv (k, v, e) VALUES (?, ?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v, e = excluded.e"


class SqliteStore(SqlStore):
    """Time is the wall clock as the first process read it since the machine started, carried on by what elapsed since.

    So a clock that is set ends nothing early and prolongs nothing. A ``clock`` given is anchored when the store is
    made, as the machine's is where it does not name its starts: then processes agree as far as their anchors do.
    """

    clock: ClassVar[Literal["store", "process"]] = "process"
    binds: ClassVar[str] = "?"
    live: ClassVar[str] = "(e IS NULL OR e > ?)"

    def __init__(
        self, backend: Backend, *, timeout: float = 0.5, clock: Clock | None = None, sweep_every: float = 60.0
    ) -> None:
        super().__init__(backend, timeout=timeout, clock=clock, sweep_every=sweep_every)
        self._elapsed = machine.elapsed if clock is None else clock.monotonic
        self._start = machine.start() if clock is None else ""
        self._anchor_us = (clock or SystemClock()).now_us() - self._elapsed_us()

    def create(self, held: Held) -> None:
        """Make the table and note its version in ``user_version``; then agree on the time.

        Where all of it is there already nothing is written: of many processes that start at once none waits.
        """
        if self._version(held) == _VERSION and (not self._start or self._has_agreed(held)):
            return
        held.link.begin()
        version = self._version(held)
        if version == 0:
            # A rowid table: a large value in the key's own B-tree would make every search read it.
            self.change(held, "CREATE TABLE pm_kv (k BLOB NOT NULL PRIMARY KEY, v BLOB NOT NULL, e INTEGER)", ())
            self.change(held, "CREATE INDEX pm_kv_e ON pm_kv (e) WHERE e IS NOT NULL", ())
            self.change(held, f"PRAGMA user_version = {_VERSION}", ())
        elif version != _VERSION:
            raise SchemaMismatch(
                f"the store's file has version {version}, this package needs {_VERSION}: "
                "give stores a file of their own"
            )
        if self._start:
            self._agree(held)
        held.link.commit()

    def lock(self, held: Held, keys: Sequence[bytes]) -> None:
        """BEGIN IMMEDIATE has locked the whole file."""

    def bound(self, held: Held) -> None:
        """Statements run in this thread, and the driver bounds the wait for the writer's turn: no other can be long."""

    def moment(self) -> tuple[int, ...]:
        """Now, in milliseconds."""
        return (self._now_us() // 1000,)

    def ending(self, ttl_ms: int | None) -> tuple[str, tuple[int | None, ...]]:
        """A plain value."""
        return "?", (None if ttl_ms is None else self.moment()[0] + ttl_ms,)

    def now_us(self, held: Held) -> int:
        """The time that all processes agree on."""
        return self._now_us()

    def load(self, held: Held, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """The rows of ``keys``."""
        statement = f"SELECT k, v, e FROM pm_kv WHERE k IN ({self.marks(keys)})"  # noqa: S608 - placeholders only
        return {key: Entry(value, ends) for key, value, ends in self.rows(held, statement, keys)}

    def save(self, held: Held, changes: Mapping[bytes, Entry | None]) -> None:
        """Store and delete."""
        for key, entry in changes.items():
            if entry is None:
                self.change(held, "DELETE FROM pm_kv WHERE k = ?", (key,))
            else:
                self.change(held, _UPSERT, (key, *entry))

    def put(self, held: Held, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """Store the items."""
        _, (ends,) = self.ending(ttl_ms)
        self.save(held, {key: Entry(value, ends) for key, value in items.items()})

    def remove(self, held: Held, condition: str, values: Sequence[Any], limit: int) -> int:
        """Delete by rowid: SQLite's own DELETE … LIMIT is an option of its build."""
        chosen = f"SELECT rowid FROM pm_kv WHERE {condition} LIMIT ?"  # noqa: S608 - our own conditions
        return self.change(held, f"DELETE FROM pm_kv WHERE rowid IN ({chosen})", (*values, limit))  # noqa: S608 - same

    def _version(self, held: Held) -> int:
        return int(self.rows(held, "PRAGMA user_version", ())[0][0])

    def _has_agreed(self, held: Held) -> bool:
        """Take the anchor of the first process since the machine started, if there was one."""
        if not self.rows(held, "SELECT 1 FROM sqlite_master WHERE name = 'pm_clock'", ()):
            return False
        for (anchor,) in self.rows(held, "SELECT anchor FROM pm_clock WHERE start = ?", (self._start,)):
            self._anchor_us = int(anchor)
            return True
        return False

    def _agree(self, held: Held) -> None:
        """Take that anchor, or give it; those of earlier starts mean nothing any more."""
        self.change(held, "CREATE TABLE IF NOT EXISTS pm_clock (start TEXT PRIMARY KEY, anchor INTEGER NOT NULL)", ())
        self.change(held, "DELETE FROM pm_clock WHERE start <> ?", (self._start,))
        self.change(held, "INSERT OR IGNORE INTO pm_clock VALUES (?, ?)", (self._start, self._anchor_us))
        self._has_agreed(held)

    def _now_us(self) -> int:
        return self._anchor_us + self._elapsed_us()

    def _elapsed_us(self) -> int:
        return int(self._elapsed() * 1e6)
