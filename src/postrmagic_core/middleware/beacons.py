"""What a browser says in a beacon, and who sends too many: strict, bounded, and nothing kept of a client."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from threading import Lock
from typing import Any, Final

from .._clock import Clock
from ..errors import ConfigurationError, ValidationFailed
from ..validation import InputLimits
from ..validation.messages import ENGLISH
from ..validation.strict_json import parse
from .routes import OPEN, Route, segments_of

OTHER: Final = "other"
"""The page of a beacon whose page is none that is known."""

# Figure -> what it is called here, what it is divided by, and the greatest that is believed.
_LONGEST_MS = 600_000.0
_FIGURES: Mapping[str, tuple[str, float, float]] = {
    "load": ("load", 1000.0, _LONGEST_MS),
    "first_byte": ("first_byte", 1000.0, _LONGEST_MS),
    "lcp": ("lcp", 1000.0, _LONGEST_MS),
    "inp": ("inp", 1000.0, _LONGEST_MS),
    "cls": ("layout_shift", 1.0, 1000.0),
}
_PAGE = 300  # characters of a path
_LIMITS = InputLimits(depth=1, items=10, bytes=2048)
_ROUTES = 1000  # that a path is compared with
_LEARN = 5.0  # seconds between two looks at what routes there are by now
_CLIENTS = 10_000

# Routers write `{id:int}` (Starlette), `<int:id>` (Flask, Django) and `{id}` (here).
_CONVERTED = re.compile(r"\{(\w+):\w+\}|<(?:\w+:)?(\w+)>", re.ASCII)


class NoBeaconError(Exception):
    """The body is none that our script sends."""


def timing(body: bytes) -> tuple[str, dict[str, float]]:
    """The path or name of a beacon's page, and its figures: seconds, and a score. :class:`NoBeaconError` otherwise."""
    found = _object(body, _LIMITS, {"page", *_FIGURES})
    page = found.pop("page", None)
    if not isinstance(page, str) or not 0 < len(page) <= _PAGE or "load" not in found:
        raise NoBeaconError
    told: dict[str, float] = {}
    for figure, value in found.items():
        name, unit, greatest = _FIGURES[figure]
        if type(value) not in (int, float) or not 0 <= value <= greatest:  # a bool is no number here
            raise NoBeaconError
        told[name] = value / unit
    return page, told


def answer(body: bytes, limits: InputLimits, longest: int) -> tuple[int, str]:
    """The score and the comment of an answer; :class:`NoBeaconError` for what is none."""
    found = _object(body, limits, {"score", "comment"})
    score, comment = found.get("score"), found.get("comment", "")
    if type(score) is not int or not 1 <= score <= 5 or not isinstance(comment, str) or len(comment) > longest:
        raise NoBeaconError
    return score, comment


def _object(body: bytes, limits: InputLimits, names: Collection[str]) -> dict[str, Any]:
    try:
        found = parse(body, limits, ENGLISH)
    except ValidationFailed:
        raise NoBeaconError from None
    if not isinstance(found, dict) or not found.keys() <= set(names):
        raise NoBeaconError
    return found


class Pages:
    """Which page a beacon is about: one that is ``given``, or a route that has answered here; else ``other``.

    ``given``: templates (``/media/{id}``) and names. ``learn`` tells the patterns of routes there are by now; it is
    asked every five seconds at most, and where a page is not known yet.
    """

    def __init__(self, given: Iterable[str], learn: Callable[[], Iterable[str]], clock: Clock) -> None:
        self._learn = learn
        self._clock = clock
        self._learned_at = -math.inf
        self._names: set[str] = set()
        self._routes: list[Route] = []
        for page in given:
            if not page or len(page) > _PAGE or not self._add(page, page):
                raise ConfigurationError(f"expected a page such as /media/{{id}}, or a name, got {page!r:.100}")
        self._routes = sorted(self._routes, key=_openness)

    def of(self, told: str) -> str:
        """The page that ``told``, a path or a page's own name, means."""
        found = self._found(told)
        if found is None and (now := self._clock.monotonic()) - self._learned_at >= _LEARN:
            self._learned_at = now
            for pattern in self._learn():
                if pattern not in self._names and len(self._routes) < _ROUTES:
                    self._add(pattern, _CONVERTED.sub(lambda at: f"{{{at[1] or at[2]}}}", pattern))
            self._routes = sorted(self._routes, key=_openness)  # another list: other threads look through the old one
            found = self._found(told)
        return OTHER if found is None else found

    def _found(self, told: str) -> str | None:
        if told in self._names:
            return told
        if not told.startswith("/"):
            return None
        segments = segments_of(told)
        return next((route.text for route in self._routes if route.fits(segments)), None)

    def _add(self, page: str, pattern: str) -> bool:
        """Know a page; whether it is a name, or a pattern that paths can be compared with."""
        if pattern.startswith("/"):
            try:
                route = Route(pattern)
            except ConfigurationError:
                return False
            route.text = page
            self._routes.append(route)
        self._names.add(page)
        return True


def _openness(route: Route) -> tuple[bool, int]:
    """The more is written out, the earlier a route is tried."""
    return route.beneath, route.segments.count(OPEN)


class Buckets:
    """A bucket of tokens for each client, in memory: ``per_minute`` come back in a minute, and as many may wait.

    Clients are told apart by a hash whose key is this process's own; those seen longest ago are forgotten.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        if per_minute < 1:
            raise ConfigurationError(f"expected per_minute of at least 1, got {per_minute}")
        self._most = float(per_minute)
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._lock = Lock()
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def take(self, client: str, cost: float = 1.0) -> float:
        """Take ``cost`` tokens: 0, or the seconds after which there will be as many, and none is taken."""
        name = self.name(client)
        with self._lock:
            now = self._clock.monotonic()
            left, at = self._left.pop(name, (self._most, now))
            left = min(self._most, left + (now - at) * self._most / 60)
            missing = max(0.0, min(cost, self._most) - left)
            self._left[name] = (left if missing else left - min(cost, self._most)), now
            if len(self._left) > _CLIENTS:
                self._left.popitem(last=False)
            return missing * 60 / self._most

    def name(self, client: str) -> bytes:
        """What stands for a client in this process, and says nothing of it elsewhere."""
        return hashlib.blake2b(client.encode("utf-8", "replace"), key=self._key, digest_size=12).digest()


class Answered:
    """Who without a session has answered a question today, as far as this process knows; at most 100,000 of them."""

    most = 100_000

    def __init__(self) -> None:
        self._lock = Lock()
        self._day = 0
        self._names: set[bytes] = set()

    def has(self, name: bytes, day: int) -> bool:
        """Whether that one has, or nobody can tell any more."""
        with self._lock:
            self._turn(day)
            return name in self._names or len(self._names) >= self.most

    def note(self, name: bytes, day: int) -> None:
        """That one has."""
        with self._lock:
            self._turn(day)
            self._names.add(name)

    def _turn(self, day: int) -> None:
        if day != self._day:
            self._day, self._names = day, set()
