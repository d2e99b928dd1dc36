"""What this process tells the others: under which name, and what of it somebody has added to the ended already."""

from __future__ import annotations

import secrets

from .board import Board, Told
from .policy import Snapshot, Totals, added, less, split
from .reading import Reader

_TRIES = 3


class Own:
    """The row of this process on the board. Not for two threads at once.

    Each telling has a number. One whose answer was lost is told again, unchanged, until there is an answer: of two
    that may be the last it could not be said which was added to the ended.
    """

    name: bytes

    def __init__(self, reader: Reader, kind: str) -> None:
        self.kind = kind
        self._reader = reader
        self._doubtful: tuple[int, Snapshot] | None = None
        self.begin(Totals())

    def begin(self, base: Totals) -> None:
        """Under a new name; what ``base`` holds is told elsewhere."""
        self.name = secrets.token_hex(8).encode()
        self._base = base
        self._number = 0
        self._last = 0, Totals()
        self._doubtful = None

    def reading(self) -> Totals:
        """What is this process's own, now."""
        return less(self._reader.read(self.kind), self._base)

    def tell(self, board: Board, release: str, version: str, every: float) -> tuple[Snapshot, Told]:
        """Tell what is counted now; what was told, and what became of it."""
        if self._doubtful is not None:
            self._told(board, *self._doubtful)
        tries = 0
        while True:
            self._number += 1
            tries += 1
            snapshot = Snapshot(self.kind, release, version, every, self.reading())
            told = self._told(board, self._number, snapshot)
            if told.gone is None or tries == _TRIES:
                return snapshot, told  # else once more, under a new name

    def _told(self, board: Board, number: int, snapshot: Snapshot) -> Told:
        self._doubtful = number, snapshot
        told = board.tell(self.name, number, snapshot)
        self._doubtful = None
        if told.stored:
            self._last = number, snapshot.totals
        elif told.gone is not None:
            folded = snapshot.totals if told.gone == number else self._last[1]
            self.begin(added([self._base, folded.counted()]))
        return told

    def ended(self) -> None:
        """What was told last is among the ended, or will be; of the process itself another may tell now."""
        of_process, others = split(added([self._base, self._last[1].counted()]))
        self._reader.leave(of_process)
        self.begin(others)

    @property
    def is_idle(self) -> bool:
        """Whether nothing was counted since it began, but what the process itself costs."""
        found = less(self._reader.counted(), self._base)
        return not any(found.counters.values()) and not any(any(each.counts) for each in found.histograms.values())

    def forked(self) -> None:
        """This process is a child: what was counted until now is its parent's.

        Gauges are not asked: whoever tells them may need a lock that a thread of the parent held.
        """
        self.begin(self._reader.counted())
