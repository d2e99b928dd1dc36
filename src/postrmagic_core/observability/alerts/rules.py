"""Rules: what is watched, when it is broken, when it is well again, and who is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, TypeAlias, get_args

from ...errors import ConfigurationError
from .interface import Severity, Source

Of: TypeAlias = Literal["metric", "time_left", "logs", "errors", "uptime"]

_NAME_BYTES = 190
_WINDOW = 300.0


@dataclass(frozen=True, slots=True)
class Expression:
    """What a source is asked for, by the name of the source; made by :func:`metric` and its like."""

    source: Of
    text: str
    window: float = _WINDOW

    @property
    def complete(self) -> bool:
        """Whether the source names everything that is amiss: what it does not name is well, and has the value 0."""
        return self.source == "errors"

    def __str__(self) -> str:
        window = f", window={self.window:g}" if self.source == "logs" else ""
        quote = "'" if '"' in self.text else '"'
        return f"{self.source}({quote}{self.text}{quote}{window})"


def metric(name: str) -> Expression:
    """A series of the history (``response_p95``), or a counter or gauge by its name in code (``outbox_dead``).

    A counter or gauge has a reading for each of its label sets.
    """
    return Expression("metric", name)


def time_left(name: str) -> Expression:
    """Seconds until what a gauge tells as seconds since 1970: ``uptime_certificate_expires_timestamp_seconds``."""
    return Expression("time_left", name)


def logs(query: str, window: float = _WINDOW) -> Expression:
    """How many log records of the last ``window`` seconds are found by ``query``, in the language of the log search."""
    return Expression("logs", query, window)


def errors(state: Literal["new", "regressed"]) -> Expression:
    """How often each error came that is in this state: a reading for each group, labelled ``error`` and ``type``."""
    return Expression("errors", state)


def uptime(probe: str = "*") -> Expression:
    """1 where a probe is up, 0 where it is down, labelled ``probe``; ``*``: each of them."""
    return Expression("uptime", probe)


@dataclass(frozen=True)
class Rule:
    """What all rules have.

    ``of`` is an expression, or a callable without arguments that gives readings. The rule has to be broken for ``for_``
    seconds before its alert fires, and well for ``clear_for`` seconds before it is resolved. ``summary`` says what is
    wrong in one line; ``{value}`` and the names of labels in braces are filled in. ``runbook`` is where to read on.
    ``channels`` are told, all that there are where it is empty. Numbers that make no sense raise
    :class:`ConfigurationError`.
    """

    name: str
    of: Expression | Source
    _: KW_ONLY
    for_: float = 0.0
    clear_for: float = 0.0
    severity: Severity = "warning"
    summary: str = ""
    runbook: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.name.encode()) <= _NAME_BYTES or not self.name.isprintable():
            raise ConfigurationError(
                f"expected as an alert rule's name 1 to 190 bytes in one line, got {self.name[:40]!a}"
            )
        if self.severity not in get_args(Severity):
            self._refuse(f"severity is one of {', '.join(get_args(Severity))}")
        for name in ("for_", "clear_for"):
            if not 0 <= getattr(self, name) < math.inf:
                self._refuse(f"{name} is a number of seconds, 0 or more")

    @property
    def complete(self) -> bool:
        """Whether what its source does not name is well."""
        return isinstance(self.of, Expression) and self.of.complete

    def _refuse(self, what: str) -> None:
        raise ConfigurationError(f"alert rule {self.name!r}: {what}")


@dataclass(frozen=True)
class Threshold(Rule):
    """Broken while the value is ``above``, or ``below``.

    Between that and ``clear_below`` (or ``clear_above``) it stays as it is: a value that trembles around the threshold
    neither fires nor resolves again and again.
    """

    above: float | None = None
    below: float | None = None
    clear_below: float | None = None
    clear_above: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("above", "below", "clear_below", "clear_above"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                self._refuse(f"{name} is a number")
        if (self.above is None) == (self.below is None):
            self._refuse("give either above or below")
        if self.clear_below is not None and (self.above is None or self.clear_below > self.above):
            self._refuse("clear_below goes with above, and is at most as much")
        if self.clear_above is not None and (self.below is None or self.clear_above < self.below):
            self._refuse("clear_above goes with below, and is at least as much")


@dataclass(frozen=True)
class RateOfChange(Rule):
    """Broken while the value has grown by more than ``by`` within so many seconds, or fallen, where ``by`` is negative.

    ``share``: by such a share of what it was (0.5: by half), else by so much. Nothing is known until there is a reading
    that is ``within`` seconds old; and with ``share`` nothing of a value that was 0.
    """

    by: float = 0.0
    within: float = 600.0
    share: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.within <= 86_400:
            self._refuse("within is 1 to 86,400 seconds")
        if not math.isfinite(self.by):
            self._refuse("by is a number")


@dataclass(frozen=True)
class Absence(Rule):
    """Broken while there is no reading, or none but 0, for ``for_`` seconds: what should always come does not."""


def defaults() -> tuple[Rule, ...]:
    """The rules that every application wants, of :mod:`.shipped`; the sources of a Stack know what they look at."""
    from .shipped import shipped

    return shipped()
