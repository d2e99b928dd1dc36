"""What each request or job asks in all: told at its end when it was too much, or the same again and again."""

from __future__ import annotations

import logging

from ..._clock import Clock
from ..._work import Work, kept
from .callers import calling_line
from .entry import Entry
from .options import QueryLogOptions
from .throttle import Throttle, kind_of

logger = logging.getLogger("postrmagic_core.database")

_COSTLIEST = 3


class Ran:
    """How often one statement ran for one request or job; ``line`` is where it ran when it was once too often."""

    __slots__ = ("count", "line", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.line = ""


class _Tally(dict[Entry, Ran]):
    """What one request or job ran; whether something of it once too often, and the seconds of all."""

    __slots__ = ("repeated", "seconds")

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.repeated = False


class Watch:
    """Keeps a tally with the work, and reads it at the work's end.

    Rate: for one kind of work and statement once a minute.
    """

    def __init__(self, options: QueryLogOptions, clock: Clock) -> None:
        self._budget = options.budget
        self._repeated = options.repeated
        self._clock = clock
        self._throttle = Throttle()

    def tally(self, work: Work, entry: Entry, seconds: float) -> None:
        """One more execution."""
        counted: _Tally | None = kept(work).get(self)
        if counted is None:
            counted = self._begin(work)
        ran = counted.get(entry)
        if ran is None:
            ran = counted[entry] = Ran()
        ran.seconds += seconds
        ran.count += 1
        counted.seconds += seconds
        if ran.count == self._repeated:
            ran.line = calling_line()
            counted.repeated = True

    def fetched(self, work: Work, entry: Entry, seconds: float) -> None:
        """What fetching its rows took in addition."""
        counted: _Tally | None = kept(work).get(self)
        ran = None if counted is None else counted.get(entry)
        if counted is not None and ran is not None:
            ran.seconds += seconds
            counted.seconds += seconds

    def _begin(self, work: Work) -> _Tally:
        new = _Tally()
        counted: _Tally = kept(work).setdefault(self, new)
        if counted is new:  # of several threads the first
            work.at_end(self._end)
        return counted

    def _end(self, work: Work) -> None:
        counted: _Tally = kept(work)[self]
        seconds = counted.seconds
        over = self._budget is not None and seconds > self._budget
        if not over and not counted.repeated:
            return
        often = [item for item in counted.items() if self._is_repetition(*item)]
        if not over and not often:
            return
        kind, now = kind_of(str(work)), self._clock.monotonic()
        if over and self._throttle.allows("budget", kind, now):
            self._tell_budget(kind, seconds, counted)
        for entry, ran in often:
            if self._throttle.allows(entry.statement.fingerprint, kind, now):
                _tell_repetition(kind, entry, ran)

    def _is_repetition(self, entry: Entry, ran: Ran) -> bool:
        return ran.count >= self._repeated and entry.statement.kind == "data"

    def _tell_budget(self, kind: str, seconds: float, counted: _Tally) -> None:
        costliest = sorted(counted.items(), key=lambda item: -item[1].seconds)[:_COSTLIEST]
        told = "".join(
            f"\n  {ran.seconds:.3f} s in {ran.count}: {entry.statement.sql}{_at(ran.line or entry.main_line)}"
            for entry, ran in costliest
        )
        count = sum(ran.count for ran in counted.values())
        logger.warning(
            "%s spent %.3f s in %d statements (budget: %g s)%s",
            *(kind, seconds, count, self._budget, told),
            extra={
                "work": kind,
                "seconds": seconds,
                "count": count,
                "fingerprints": [entry.statement.fingerprint for entry, _ in costliest],
            },
        )


def _tell_repetition(kind: str, entry: Entry, ran: Ran) -> None:
    statement = entry.statement
    logger.warning(
        "%s ran one statement %d times (%.3f s)%s: load what belongs together at once: %s",
        *(kind, ran.count, ran.seconds, _at(ran.line), statement.sql),
        extra={
            "work": kind,
            "fingerprint": statement.fingerprint,
            "sql": statement.sql,
            "count": ran.count,
            "seconds": ran.seconds,
            "line": ran.line,
        },
    )


def _at(line: str) -> str:
    return f" at {line}" if line else ""
