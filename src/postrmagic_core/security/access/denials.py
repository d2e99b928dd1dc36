"""Denials on their way to the audit log: summed, bounded, and written by a thread that nobody waits for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ..._errand import Errand
from ..._lifecycle import after_fork
from ..checks import USER_BYTES

_log = logging.getLogger("postrmagic_core.security")

_MOST = 1000


@dataclass(slots=True)
class Summed:
    """Denials of one user and permission that are not written yet; ``due``: when they may be, on a monotonic clock."""

    actor: str | None
    subject: str
    why: str
    count: int
    due: float


class Denials:
    """At most one row ``every`` so many seconds for each user and permission, the first one at once.

    Of more than 1,000 users and permissions in that time, the rest are summed as a user ``None`` and ``"others"``.
    """

    def __init__(self, write: Callable[[Summed], object], monotonic: Callable[[], float], every: float) -> None:
        if every <= 0:
            raise ValueError(f"expected every (seconds between two rows of a denial) to be above 0, got {every}")
        self._write = write
        self._monotonic = monotonic
        self._every = every
        self._errand = Errand("postrmagic-audit", self._write_due, _log)
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self._summed: dict[tuple[str | None, str], Summed] = {}
        after_fork(self._forget)

    def open(self) -> None:
        """Have denials written as they are noted."""
        self._errand.open()

    def note(self, actor: str | None, subject: str, why: str) -> None:
        """Count one, to be written once its row is due."""
        key = (_fit(actor), _fit(subject) or "")
        with self._changing:
            if key not in self._summed and len(self._summed) >= _MOST:
                key, why = (None, "others"), "more users and permissions than are told apart"
            found = self._summed.get(key)
            if found is not None:
                found.count += 1
                return
            self._summed[key] = Summed(*key, why[:200], 1, self._monotonic())
        self._errand.ask()

    def flush(self, *, everything: bool = True) -> None:
        """Write what waits; or only what is due, and forget who has not been denied since.

        It ends at the first row that cannot be written: that and the others are kept for the next time.
        """
        with self._writing:  # or what the thread is just writing would be neither written nor waiting
            self._flush(everything)

    def _flush(self, everything: bool) -> None:
        with self._changing:
            waiting = list(self._summed.items())
        for key, summed in waiting:
            now = self._monotonic()
            if not everything and now < summed.due:
                continue
            with self._changing:
                if summed.count == 0 and now >= summed.due:
                    self._summed.pop(key, None)
                    continue
                taken = Summed(*key, summed.why, summed.count, now)
                summed.count, summed.due = 0, now + self._every
            if taken.count:
                try:
                    self._write(taken)
                except Exception:
                    self._put_back(summed, taken.count)
                    return

    def close(self) -> None:
        """End the thread, then write what waits."""
        self._errand.close(finish=False)
        self.flush()
        with self._changing:
            self._summed.clear()

    def _put_back(self, summed: Summed, count: int) -> None:
        with self._changing:
            summed.count += count

    def _write_due(self) -> float | None:
        """Write what is due; the seconds to the next thing that will be, ``None`` where nothing is known."""
        self.flush(everything=False)
        with self._changing:
            if not self._summed:
                return None
            return max(min(summed.due for summed in self._summed.values()) - self._monotonic(), 0.01)

    def _forget(self) -> None:
        """In a forked child: what waited to be written is the parent's."""
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self._summed = {}


def _fit(text: str | None) -> str | None:
    """As much of a text as the column takes, whatever is in it."""
    if text is None:
        return None
    return str(text).encode("utf-8", "replace")[:USER_BYTES].decode("utf-8", "ignore")
