"""The SQL store on MySQL and MariaDB: rows locked in key order, time read from the server after the locks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from sqlalchemy import event

from postrmagic_core._clock import Clock
from postrmagic_core._lifecycle import after_fork
from postrmagic_core._sql import Backend
from postrmagic_core.errors import BackendRejected, BackendTimeout
from postrmagic_core.stores.adapters.sql import Held, SqlStore
from postrmagic_core.stores.locked import Entry

# SYSDATE and never NOW, which stands still at the statement's start, before its locks.
_NOW_US = "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)"
_NOW_MS = "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)"
_INSERT = "INSERT INTO pm_kv (k, v, e) VALUES"
_UPSERT = "ON DUPLICATE KEY UPDATE v = VALUES(v), e = VALUES(e)"
# Sent in one statement: well below the smallest max_allowed_packet in use (1 MiB), and binary values double.
_STATEMENT = 256 * 1024
# For the rest of a statement that carries one large value: the key, doubled, and the text.
_MARGIN = 2048

_Row: TypeAlias = tuple[bytes, bytes | None, int | None]

_TABLE = """
CREATE TABLE IF NOT EXISTS pm_kv (
    k VARBINARY(255) NOT NULL PRIMARY KEY,
    v LONGBLOB NULL,
    e BIGINT NULL,
    KEY pm_kv_e (e)
) ENGINE = InnoDB
"""


class MysqlStore(SqlStore):
    """A missing row cannot be locked, so a placeholder (no value, ended long ago) is written for it first.

    Time is the server's, whatever ``clock`` is given.
    """

    clock: ClassVar[Literal["store", "process"]] = "store"
    binds: ClassVar[str] = "%s"
    live: ClassVar[str] = f"(v IS NOT NULL AND (e IS NULL OR e > {_NOW_MS}))"

    def __init__(
        self, backend: Backend, *, timeout: float = 0.5, clock: Clock | None = None, sweep_every: float = 60.0
    ) -> None:
        super().__init__(backend, timeout=timeout, clock=clock, sweep_every=sweep_every)
        self._largest = 0  # bytes; known once connected
        self._listen()
        after_fork(self._listen)

    def _listen(self) -> None:
        engine = self._backend.engine("write")  # a forked child may have one of its own
        if not event.contains(engine, "connect", _read_committed):
            event.listen(engine, "connect", _read_committed)

    def create(self, held: Held) -> None:
        """Make the table, unless it is there: the user may not be allowed to create."""
        # Values are sent as hexadecimal digits, two for a byte.
        self._largest = int(self.rows(held, "SELECT @@max_allowed_packet", ())[0][0]) // 2 - _MARGIN
        there = (
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'pm_kv'"
        )
        if not self.rows(held, there, ())[0][0]:
            self.change(held, _TABLE, ())

    def lock(self, held: Held, keys: Sequence[bytes]) -> None:
        """Insert or lock each row, in key order: two callers never wait for each other."""
        ordered = sorted(set(keys))
        if ordered:
            rows = ",".join(["(%s, NULL, 0)"] * len(ordered))
            self.change(held, f"{_INSERT} {rows} ON DUPLICATE KEY UPDATE k = k", ordered)

    def bound(self, held: Held) -> None:
        """Let the socket wait no longer than what is left; PyMySQL offers no public way."""
        left = held.until - time.monotonic()
        if left <= 0:
            raise BackendTimeout("the time-out ended before the store's work did; nothing was changed")
        held.link.driver._read_timeout = left

    def moment(self) -> tuple[int, ...]:
        """Nothing: the server knows."""
        return ()

    def ending(self, ttl_ms: int | None) -> tuple[str, tuple[int | None, ...]]:
        """The server's time and the milliseconds on top; NULL stays NULL."""
        return f"{_NOW_MS} + %s", (ttl_ms,)

    def now_us(self, held: Held) -> int:
        """The server's time when the rows were loaded."""
        if held.now is None:
            held.now = int(self.rows(held, f"SELECT {_NOW_US}", ())[0][0])
        return held.now

    def load(self, held: Held, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """The rows of ``keys`` and, in the same statement, the server's time."""
        query = f"SELECT k, v, e, {_NOW_US} FROM pm_kv WHERE k IN ({self.marks(keys)})"  # noqa: S608 - marks only
        query += " ORDER BY k FOR UPDATE" if held.locks else f" UNION ALL SELECT NULL, NULL, NULL, {_NOW_US}"
        found = self.rows(held, query, keys) if keys else []
        if found:
            held.now = int(found[-1][3])
        return {key: Entry(value, ends) for key, value, ends, _ in found if value is not None}

    def save(self, held: Held, changes: Mapping[bytes, Entry | None]) -> None:
        """Store in key order; what is dropped becomes a placeholder, swept later."""
        rows: list[_Row] = []
        for key, entry in sorted(changes.items()):
            value, ends = entry or (None, 0)
            rows.append((key, value, ends))
        for some in self._statements(rows):
            marks = ",".join(["(%s, %s, %s)"] * len(some))
            values = [value for row in some for value in row]
            self.change(held, f"{_INSERT} {marks} {_UPSERT}", values)

    def put(self, held: Held, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """Store the items, in key order."""
        ends, (ttl,) = self.ending(ttl_ms)
        for some in self._statements([(key, value, ttl) for key, value in sorted(items.items())]):
            marks = ",".join([f"(%s, %s, {ends})"] * len(some))
            values = [value for row in some for value in row]
            self.change(held, f"{_INSERT} {marks} {_UPSERT}", values)

    def remove(self, held: Held, condition: str, values: Sequence[Any], limit: int) -> int:
        """Delete in one statement."""
        return self.change(held, f"DELETE FROM pm_kv WHERE {condition} LIMIT %s", (*values, limit))  # noqa: S608 - ours

    def _statements(self, rows: list[_Row]) -> list[list[_Row]]:
        """Rows together as long as a statement stays small; a large value goes alone, or not at all."""
        groups: list[list[_Row]] = []
        size = _STATEMENT
        for row in rows:
            weight = len(row[0]) + len(row[1] or b"")
            if weight > self._largest:
                # The server would cut the connection in the middle: to the caller, an outage that calls for a retry.
                raise BackendRejected(
                    f"a value of {weight} bytes does not fit: max_allowed_packet admits {self._largest}"
                )
            if size + weight > _STATEMENT:
                groups.append([])
                size = 0
            groups[-1].append(row)
            size += weight
        return groups


def _read_committed(connection: Any, record: object) -> None:
    """The rows are locked by name: a snapshot would only make locked reads fail."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
