"""What all processes tell, in a store: a row each under a name of its own, and the sums of those that ended."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..._metrics import Metrics
from ...errors import DecodeError
from ...stores.checks import check_atomic
from ...stores.interface import Store
from ...stores.keys import Keys
from ...stores.scripts import METRICS_FOLD, METRICS_PUBLISH, METRICS_READ
from .policy import MOST_PROCESSES, Snapshot, Totals, packed, retired, unpacked

logger = logging.getLogger("postrmagic_core.observability")

_NAME = re.compile(rb"[0-9a-f]{16}")
_HEAD = re.compile(rb"(\d{1,16}) (\d{1,16})\n")
_REVISION = re.compile(rb"(\d{1,15})\n")
# Tries to add one's own sums while others do the same.
_TRIES = 20
# One of its own: who draws from the shared one in a thread changes what others draw.
_DICE = random.SystemRandom()
# Milliseconds for which one that was paused, and taken for dead meanwhile, is told so.
_REMEMBERED = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a telling: ``stored``; or ``gone``, the number of one's last telling before one was taken for
    dead; or neither, where there are too many. ``processes`` that tell."""

    stored: bool
    processes: int = 0
    gone: int | None = None


class Row(NamedTuple):
    """A process that tells: ``head``, how its row begins; ``silent``, seconds since; no ``snapshot``: unreadable."""

    name: bytes
    head: bytes
    number: int
    silent: float
    snapshot: Snapshot | None


class Seen(NamedTuple):
    """All processes that tell, the silent included, and the sums of those that ended."""

    rows: list[Row]
    ended: Totals


class Board:
    """The rows of one application in ``store``. Every method raises ``BackendError`` while the store is away."""

    def __init__(self, store: Store, namespace: str, metrics: Metrics) -> None:
        check_atomic(store, "metrics of several processes")
        self._keys = Keys(namespace)
        self._store = store
        self._index = self._keys.build("metrics", "index")
        self._retired = self._keys.build("metrics", "retired")
        self._unreadable = metrics.counter("metrics_unreadable_total")
        self._dropped = metrics.counter("metrics_series_dropped_total")

    def tell(self, name: bytes, number: int, snapshot: Snapshot) -> Told:
        """Put the ``number``-th snapshot of the process in its row."""
        answer = self._store.run(
            METRICS_PUBLISH, [self._index, self._row(name)], [name, number, packed(snapshot), MOST_PROCESSES]
        )
        state, found = answer
        if state == 0:
            return Told(stored=False, gone=int(found))
        return Told(stored=state == 1, processes=int(found))

    def look(self) -> Seen:
        """Everything, as of one instant: read one after the other, what ends meanwhile would count twice, or not."""
        index = self._read([self._index])[1] or b""
        names = [name for name in index.split(b"\n") if _NAME.fullmatch(name)][:MOST_PROCESSES]
        now_us, ended, *values = self._read([self._retired, *map(self._row, names)])
        rows = []
        for name, value in zip(names, values, strict=True):
            if value is None:
                self._strike(name)
            elif not value.startswith(b"-"):  # else it was folded this moment, and is among the ended
                rows.append(self._parsed(name, value, now_us))
        return Seen(rows, self._sums(ended)[1])

    def fold(self, name: bytes, silence: float) -> bool:
        """Add the process's last snapshot to the sums, if it has been silent for so many seconds; whether it is done.

        With ``silence`` 0 it ended in order. Whoever else does the same, it is added once.
        """
        for attempt in range(_TRIES):
            _, value, sums = self._read([self._row(name), self._retired])
            if value is None or value.startswith(b"-"):
                return True
            row = self._parsed(name, value, 0)
            told = self._folding(row, sums, lost=silence > 0)
            args: Sequence[bytes | int] = [name, *told, row.number, round(silence * 1e6), _REMEMBERED]
            keys = [self._index, self._row(name), self._retired]
            if self._store.run(METRICS_FOLD, keys, args) == [1]:
                return True
            if silence:
                return False  # it lives, or somebody else is at it
            time.sleep(_DICE.random() * 0.01 * attempt)
        return False

    def _folding(self, row: Row, stored: bytes | None, *, lost: bool) -> tuple[bytes, bytes, bytes]:
        """How the row begins, how the sums begin, and the new sums."""
        before, totals = self._sums(stored)
        dropped = 0
        if row.snapshot is not None:
            totals, dropped = retired(totals, row.snapshot, lost=lost)
        if dropped > 0:
            self._dropped.add(dropped)
            logger.warning("there is no room for the figures of all that ended: %d series are dropped", dropped)
        found = _REVISION.match(before)
        revision = int(found[1]) + 1 if found else 1
        sums = b"%d\n%s" % (revision, packed(Snapshot("", "", "", 0.0, totals)))
        return row.head, before, sums

    def _sums(self, stored: bytes | None) -> tuple[bytes, Totals]:
        if stored is None:
            return b"", Totals()
        found = _REVISION.match(stored)
        if found is None:
            return stored[:64] or b"", self._none_of_ours()
        try:
            return found[0], unpacked(stored[found.end() :]).totals
        except DecodeError:
            return found[0], self._none_of_ours()

    def _none_of_ours(self) -> Totals:
        self._unreadable.add()
        return Totals()

    def _parsed(self, name: bytes, value: bytes, now_us: int) -> Row:
        found = _HEAD.match(value)
        if found is None:
            self._unreadable.add()
            return Row(name, value[:64], 0, float("inf"), None)
        silent = max(0.0, (now_us - int(found[1])) / 1e6)
        try:
            return Row(name, found[0], int(found[2]), silent, unpacked(value[found.end() :]))
        except DecodeError:
            self._unreadable.add()
            return Row(name, found[0], int(found[2]), silent, None)

    def _strike(self, name: bytes) -> None:
        keys = [self._index, self._row(name), self._retired]
        self._store.run(METRICS_FOLD, keys, [name, b"", b"", b"", 0, 0, _REMEMBERED])

    def _row(self, name: bytes) -> bytes:
        return self._keys.build("metrics", "process", name)

    def _read(self, keys: Sequence[bytes]) -> list[Any]:
        # By a script, also where one key is read: a near cache may lag behind what another process has just told.
        return self._store.run(METRICS_READ, keys, [])
