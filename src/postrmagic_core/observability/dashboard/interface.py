"""What a page is made of: who asks for what, what is shown, and the managers that it looks at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

from ..._clock import Clock, SystemClock, from_us
from ...errors import BackendError, PostrMagicError

if TYPE_CHECKING:
    from ..._metrics import Metrics
    from ...cache import CacheManager
    from ...database import DatabaseManager
    from ...events import EventManager
    from ...flags import Flags
    from ...jobs import JobQueue
    from ...security.manager import Security
    from ...sessions import SessionStore
    from ...settings import Settings

T = TypeVar("T")

_log = logging.getLogger("postrmagic_core.observability")

RANGES: Mapping[str, timedelta] = MappingProxyType(
    {
        "15m": timedelta(minutes=15),
        "1h": timedelta(hours=1),
        "6h": timedelta(hours=6),
        "24h": timedelta(hours=24),
        "7d": timedelta(days=7),
    }
)
"""The lengths of time that one may look back, by what the query ``range`` says."""
_RANGE = "1h"
_PACE = 2000  # a line moves by less than a pixel between two looks


class Rooms(Protocol):
    """The managers whose pages there are."""

    @property
    def database(self) -> DatabaseManager:
        """The application's database."""
        ...

    @property
    def cache(self) -> CacheManager:
        """The cache."""
        ...

    @property
    def sessions(self) -> SessionStore[Any]:
        """The sessions."""
        ...

    @property
    def jobs(self) -> JobQueue:
        """The job queue."""
        ...

    @property
    def events(self) -> EventManager:
        """The events."""
        ...

    @property
    def flags(self) -> Flags:
        """Features that are on for some."""
        ...


class Watched(Rooms, Protocol):
    """What the dashboard looks at: a Stack, which stands above it."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def metrics(self) -> Metrics:
        """This process's figures."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...

    @property
    def security(self) -> Security:
        """Accounts, and who may do what."""
        ...

    @property
    def observability(self) -> Any:
        """Figures, errors, releases, history, uptime, alerts, experience: those that are there (:meth:`Ask.source`)."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """The time that one looks at: ``name`` as the query says it, ``1h`` for one."""

    name: str
    since: datetime
    until: datetime

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.until - self.since).total_seconds()


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A source's answer; ``None`` where it is switched off, or where it failed and ``trouble`` says why."""

    name: str
    value: T | None
    trouble: str = ""

    @property
    def off(self) -> bool:
        """Nobody keeps it here: not an error."""
        return self.value is None and not self.trouble


@dataclass(frozen=True, slots=True)
class Ask:
    """What one asks for. What a view shows is shared by all who look: it has no ``user``, an action has one."""

    stack: Watched
    query: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    clock: Clock = field(default_factory=SystemClock)

    @property
    def now(self) -> datetime:
        """The instant at which it is looked."""
        return from_us(self.clock.now_us())

    @property
    def window(self) -> Window:
        """The time to look at, as the query ``range`` says: an hour, unless it is one of :data:`RANGES`."""
        name = self.query.get("range", "")
        name = name if name in RANGES else _RANGE
        now = self.now
        return Window(name, now - RANGES[name], now)

    def source(self, name: str) -> Any:
        """A part of observability (``history``, ``uptime``, ``alerts``, ``experience``), or ``None`` if it is off."""
        return getattr(self.stack.observability, name, None)

    def part(self, name: str, call: Callable[[], T | None]) -> Part[T]:
        """What ``call`` returns. If it fails, the page says so in its place, and the rest is shown."""
        try:
            part = Part(name, call())
        except Exception as error:  # one source that fails spoils no page
            return Part(name, None, told(name, error))
        well(name)
        return part

    def text(self, name: str, most: int = 200) -> str:
        """A value of the query, or an empty text; cut after ``most`` characters."""
        return self.query.get(name, "")[:most]

    def number(self, name: str, default: int, least: int = 0, most: int = 1_000_000_000) -> int:
        """A whole number of the query within bounds, or ``default``."""
        given = self.query.get(name, "")
        if not (given.isascii() and given.isdigit() and len(given) < 12):
            return default
        return min(max(int(given), least), most)

    def sorted(self, rows: Sequence[T], keys: Mapping[str, Callable[[T], Any]], default: str) -> list[T]:
        """``rows`` by what the query ``sort`` names among ``keys``; ``-name`` begins with the greatest.

        Rows whose key is ``None`` come last, either way. ``default`` is in force where the query names none.
        """
        name = self.query.get("sort", "")
        name = name if name.removeprefix("-") in keys else default
        key = keys[name.removeprefix("-")]
        known = [row for row in rows if key(row) is not None]
        known.sort(key=key, reverse=name.startswith("-"))
        return known + [row for row in rows if key(row) is None]


def told(name: str, error: Exception) -> str:
    """What the page says of a source that failed: a code, or the error's type, never its text; the log says it once."""
    code = error.code if isinstance(error, PostrMagicError) else type(error).__name__
    if _failing.get(name) != code:
        _failing[name] = code
        expected = isinstance(error, BackendError)
        _log.warning(
            "a part of the dashboard cannot be read",
            extra={"part": name, "error": code},
            exc_info=None if expected else error,
        )
    return code


def well(name: str) -> None:
    """It could be read: the log says it again when it fails again."""
    _failing.pop(name, None)


# By what they were last: a page that is watched asks again every few seconds. The names are the pages' own, and few.
_failing: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Shown:
    """The template of :mod:`.templates` that shows a page's content, with its data; ``title`` in place of the page's.

    ``status`` is 404 where what was asked for is not there.
    """

    template: str
    data: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    status: int = 200


View: TypeAlias = Callable[[Ask], Shown]
Action: TypeAlias = Callable[[Ask, Mapping[str, str]], str]


@dataclass(frozen=True)
class Page:
    """A page of the dashboard, beneath ``path``: one segment, or nothing for the first.

    ``view`` and the ``actions`` are called in a thread of the dashboard's. An action gets the form that was sent, and
    returns a sentence on what it has done; a :class:`ValueError` or an error of this package is told in its place.
    While somebody looks, the page is made again ``every`` so many seconds. ``key``: ``g`` and this letter lead here.
    """

    path: str
    title: str
    group: str
    view: View
    actions: Mapping[str, Action] = field(default_factory=dict)
    every: float = 5.0
    key: str = ""


def pace(page: Page, query: Mapping[str, str]) -> float:
    """Seconds between two looks at a page: the longer the time that it shows the more, as it reads more; at most 60."""
    length = RANGES.get(query.get("range", ""), RANGES[_RANGE]).total_seconds()
    return max(page.every, min(length / _PACE, 60.0))


def by_group(pages: Collection[Page]) -> dict[str, list[Page]]:
    """Pages under the names of their groups, in the order in which each came first."""
    groups: dict[str, list[Page]] = {}
    for page in pages:
        groups.setdefault(page.group, []).append(page)
    return groups
