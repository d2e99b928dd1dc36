"""Sources: where the readings of expressions come from, each given as a callable by whoever wires them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, TypeVar

from ..._clock import Clock, SystemClock
from ...errors import ConfigurationError
from ..metrics.policy import Totals
from .interface import Reading, Source
from .rules import Expression

T = TypeVar("T")

_SECOND = 1_000_000
# Seconds that a count of log records may look back.
_LONGEST = 366 * 86_400.0


class Group(Protocol):
    """A group of errors, as much as alerts need of it."""

    @property
    def fingerprint(self) -> str:
        """Names it."""
        ...

    @property
    def type(self) -> str:
        """The exception's."""
        ...

    @property
    def message(self) -> str:
        """What it says."""
        ...

    @property
    def place(self) -> str:
        """Where it is raised."""
        ...

    @property
    def count(self) -> int:
        """How often it came."""
        ...


class Probe(Protocol):
    """How a probe stands, as much as alerts need of it."""

    @property
    def name(self) -> str:
        """Names it."""
        ...

    @property
    def up(self) -> bool | None:
        """Whether it is up; ``None``: nobody knows yet."""
        ...


class Sources:
    """What expressions are asked of; a rule about a source that is not given is refused by :meth:`check`.

    ``series`` gives the newest value of each series of the history; ``totals`` the figures of all processes; ``logs``
    counts the records that a query finds in the last so many seconds; ``errors`` gives the groups in a state;
    ``uptime`` the probes, whose names are ``probes``, where they are known.
    """

    def __init__(
        self,
        *,
        series: Callable[[], Mapping[str, float]] | None = None,
        totals: Callable[[], Totals] | None = None,
        logs: Callable[[str, float], int] | None = None,
        errors: Callable[[str], Iterable[Group]] | None = None,
        uptime: Callable[[], Iterable[Probe]] | None = None,
        probes: Collection[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._series = series
        self._totals = totals
        self._logs = logs
        self._errors = errors
        self._uptime = uptime
        self._probes = probes
        self._clock = clock or SystemClock()

    def once(self) -> Sources:
        """The same for one evaluation: what several rules ask for is read once, and where it failed it has failed."""
        return Sources(
            series=_kept(self._series),
            totals=_kept(self._totals),
            logs=self._logs,
            errors=self._errors,
            uptime=_kept(self._uptime),
            clock=self._clock,
        )

    def check(self, of: Expression | Source) -> None:
        """Raise :class:`ConfigurationError` if there is no source for it, or if it can never have an answer."""
        if not isinstance(of, Expression):
            return
        given = {
            "metric": self._series or self._totals,
            "time_left": self._totals,
            "logs": self._logs,
            "errors": self._errors,
            "uptime": self._uptime,
        }
        if given[of.source] is None:
            raise ConfigurationError(f"it asks for {of}, and there is no source of that kind here")
        if of.source == "logs":
            self._check_logs(of)
        if of.source == "uptime" and self._probes is not None and of.text not in ("*", *self._probes):
            known = ", ".join(sorted(self._probes)) or "none"
            raise ConfigurationError(f"it asks for {of}, and there is no probe of that name, known are {known}")

    def read(self, of: Expression | Source) -> list[Reading]:
        """The readings now; whatever a source raises passes."""
        if not isinstance(of, Expression):
            return list(of())
        read = {
            "metric": self._metric,
            "time_left": self._time_left,
            "logs": self._log,
            "errors": self._error,
            "uptime": self._probe,
        }
        return read[of.source](of)

    def _check_logs(self, of: Expression) -> None:
        from ...log.query import QueryError, parse

        if not 0 < of.window <= _LONGEST:
            raise ConfigurationError(f"it asks for {of}: window is a number of seconds, a year at most")
        try:
            parse(of.text, self._clock.now_us())
        except QueryError as error:
            raise ConfigurationError(f"it asks for {of}: {error}") from None

    def _metric(self, of: Expression) -> list[Reading]:
        if self._series is not None:
            series = self._series()
            if of.text in series:
                return [Reading({}, series[of.text])]
        return [Reading(labels, value) for labels, value in self._figures(of.text)]

    def _time_left(self, of: Expression) -> list[Reading]:
        now = self._clock.now_us() / _SECOND
        return [Reading(labels, value - now) for labels, value in self._figures(of.text)]

    def _log(self, of: Expression) -> list[Reading]:
        return [] if self._logs is None else [Reading({}, float(self._logs(of.text, of.window)))]

    def _error(self, of: Expression) -> list[Reading]:
        return [] if self._errors is None else [_group(group) for group in self._errors(of.text)]

    def _probe(self, of: Expression) -> list[Reading]:
        return [
            Reading({"probe": probe.name}, float(probe.up))
            for probe in (self._uptime() if self._uptime is not None else ())
            if probe.up is not None and of.text in ("*", probe.name)
        ]

    def _figures(self, name: str) -> list[tuple[dict[str, str], float]]:
        if self._totals is None:
            return []
        totals = self._totals()
        if name == DEAD_LETTERS:
            return [
                ({"queue": dict(labels).get("queue", "")}, value)
                for (named, labels), value in totals.gauges.items()
                if named == "jobs_queue_depth" and dict(labels).get("state") == "dead"
            ]
        return [
            (dict(labels), float(value))
            for figures in (totals.counters, totals.gauges)
            for (named, labels), value in figures.items()
            if named == name
        ]


DEAD_LETTERS = "jobs_dead_letters"
"""The gauge ``jobs_queue_depth`` of the jobs that are dead, by queue."""


def _kept(read: Callable[[], T] | None) -> Callable[[], T] | None:
    if read is None:
        return None
    answers: list[T | Exception] = []

    def kept() -> T:
        if not answers:
            try:
                answers.append(read())
            except Exception as error:
                answers.append(error)
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    return kept


def _group(group: Group) -> Reading:
    labels = {"error": group.fingerprint, "type": group.type or group.message, "place": group.place}
    return Reading({name: value[:200] for name, value in labels.items()}, float(group.count))
