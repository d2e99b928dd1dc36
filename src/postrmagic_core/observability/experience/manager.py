"""Experience: what users feel and do, noted and told; the sync face."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock, from_us, to_us
from ..._crypto import KeyRing
from ..._lifecycle import Lifecycle
from ..._metrics import Histogram, Metrics
from ..._protocols import Units
from ..._unit import in_own_unit
from ...errors import ConfigurationError, UniqueViolation
from ...events import Event, Listener
from ...events.interface import type_name
from . import policy, rows
from .interface import Adoption, Survey, Week
from .policy import DAY_US
from .uses import Uses

if TYPE_CHECKING:
    from .aio import AsyncExperience

E = TypeVar("E", bound=Event)

_KEEP_US = 365 * DAY_US
_SWEEP_EVERY = 3600.0
_BATCH = 500


class Experience(Lifecycle):
    """How fast pages come, which features are used, and what users answer.

    The latter two are in ``pm_feature_uses`` and ``pm_survey_answers``, the first is among the metrics. ``keys`` make
    the hashes that users are counted by; who only reads needs none. After a new first key a user is another one: who
    was counted before and after it counts twice. ``database`` is borrowed, and so is ``bridge``, on which :attr:`aio`
    runs; without one it has its own. What is read needs no opening; :meth:`use` does.
    """

    def __init__(
        self,
        database: Units,
        keys: KeyRing | None = None,
        *,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        bridge: Bridge | None = None,
    ) -> None:
        super().__init__()
        self._database = database
        self._keys = keys
        self._clock = clock or SystemClock()
        self._metrics = metrics or Metrics()
        self.bridge = bridge or Bridge(2, name="postrmagic-experience-read")
        self._borrowed = bridge is not None
        self._uses = Uses(database, self._clock, self._metrics)
        self._pages: set[str] = set()
        self._histograms: dict[tuple[str, str], Histogram] = {}
        self._sweeping = threading.Lock()
        self._swept: float | None = None

    @cached_property
    def aio(self) -> AsyncExperience:
        """The same for asyncio, with the same names."""
        from .aio import AsyncExperience

        return AsyncExperience(self)

    def timing(self, page: str, **figures: float) -> None:
        """Note what a browser told of a page, in seconds: ``load``, ``first_byte``, ``lcp``, ``inp``; ``layout_shift``.

        ``page`` is a template, ``/media/{id}``: the first 200 are told apart, the rest is ``other``.
        """
        if page not in self._pages:
            if len(self._pages) >= policy.MOST_PAGES:
                page = policy.OTHER
            self._pages.add(page)
        for figure, value in figures.items():
            self._histogram(figure, page).observe(value)

    def use(self, feature: str, user: object = None) -> None:
        """Count that ``user`` (an id, of which a keyed hash is kept; ``None`` for nobody known) used a feature today.

        Nobody waits: it is written within about five seconds, and a process that is killed loses those. Several
        processes' counts add up; where the answer to a commit was cut off, what it wrote may count twice. A feature's
        name has 1 to 64 letters, digits and ``_ . : -``, else :class:`ValueError`.
        """
        self._uses.note(_named(feature), policy.user_hash(self._ring(), user))

    def count(self, event_type: type[E], *, feature: str, user: Callable[[E], object]) -> Listener[E]:
        """A listener that counts each committed event as a use of ``feature`` by ``user(event)``: include it.

        ``stack.events.include(experience.count(PosterUploaded, feature="upload", user=lambda event: event.user_id))``
        """
        name = _named(feature)

        def note(event: E, _: Any) -> None:
            self.use(name, user(event))

        return Listener(note, event_type, "after_commit", f"experience:{name}:{type_name(event_type)}")

    def flush(self) -> bool:
        """Write the uses that were noted so far, now; whether all of them are written."""
        return self._uses.flush()

    def adoption(self, since: datetime, until: datetime | None = None) -> list[Adoption]:
        """Each feature that was used from the day of ``since`` on, those of most users first.

        Days begin in UTC; the day of ``until`` counts no more, without it today counts.
        """
        span = self._span(since, until)
        with self._database.read() as tx:
            found, active = rows.used(tx, *span), rows.active(tx, *span)
        return [Adoption(*each, active, each.users / active if active else 0.0) for each in found]

    def weeks(self, feature: str, *, weeks: int = 12) -> list[Week]:
        """A feature week by week, the present one last."""
        last = policy.week_of(self._clock.now_us())
        told = []
        with self._database.read() as tx:
            for begin in range(last - (weeks - 1) * policy.WEEK_US, last + 1, policy.WEEK_US):
                users, uses = rows.used_of(tx, feature, begin, begin + policy.WEEK_US)
                told.append(Week(from_us(begin), users, uses))
        return told

    def asks(self, question: str, who: str = "") -> bool:
        """Whether ``who`` has yet to answer; nobody known has."""
        if not who:
            return True
        hashes = policy.who_hashes(self._ring(), _named(question), who)
        with self._database.read() as tx:
            return not rows.has_answered(tx, question, hashes)

    def answer(self, question: str, score: int, comment: str = "", *, who: str = "") -> bool:
        """Keep an answer of ``who``: a user or a session, of which a keyed hash is kept. ``False``: there is one.

        ``score`` is 1 to 5, else :class:`ValueError`. Of ``comment`` 500 characters are kept, without secrets, mail
        addresses and long numbers.
        """
        if type(score) is not int or not policy.LOWEST <= score <= policy.HIGHEST:
            raise ValueError(f"expected a score from {policy.LOWEST} to {policy.HIGHEST}, got {score!r:.20}")
        hashes = policy.who_hashes(self._ring(), question, who) if who else [secrets.token_hex(16)]
        values = {
            "question": _named(question),
            "who_hash": hashes[0],
            "score": score,
            "comment": policy.kept(comment),
            "created_us": self._clock.now_us(),
        }
        try:
            return in_own_unit(self._database, partial(_answered, values, hashes), _random)
        except UniqueViolation:
            return False

    def survey(self, question: str, *, since: datetime | None = None, comments: int = 20) -> Survey:
        """The answers to a question, since an instant or all that are kept, with the newest ``comments``."""
        since_us = 0 if since is None else to_us(since)
        with self._database.read() as tx:
            given = rows.scores(tx, question, since_us)
            said = rows.comments(tx, question, since_us, comments)
        count = sum(given.values())
        mean = sum(score * number for score, number in given.items()) / count if count else 0.0
        one, two, three, four, five = (given.get(score, 0) for score in range(policy.LOWEST, policy.HIGHEST + 1))
        return Survey(question, count, mean, (one, two, three, four, five), said)

    def questions(self) -> list[str]:
        """Every question that has answers, the one first that was answered last."""
        with self._database.read() as tx:
            return rows.questions(tx)

    def sweep(self) -> int:
        """Forget answers, and uses, of 365 days ago; once an hour at most. Returns how many rows."""
        now = self._clock.monotonic()
        with self._sweeping:
            if self._swept is not None and now - self._swept < _SWEEP_EVERY:
                return 0
            self._swept = now
        before_us = self._clock.now_us() - _KEEP_US
        return self._drop(before_us, rows.old_uses, rows.drop_uses) + self._drop(
            before_us, rows.old_answers, rows.drop_answers
        )

    def _drop(self, before_us: int, find: Callable[..., list[Any]], drop: Callable[..., None]) -> int:
        swept = 0
        while True:
            with self._database.read() as tx:
                old = find(tx, before_us, _BATCH)
            if not old:
                return swept
            in_own_unit(self._database, partial(drop, old), _random)
            swept += len(old)

    def _span(self, since: datetime, until: datetime | None) -> tuple[int, int]:
        end = self._clock.now_us() + DAY_US if until is None else to_us(until)
        return policy.day_of(to_us(since)), policy.day_of(end)

    def _histogram(self, figure: str, page: str) -> Histogram:
        name, bounds = policy.FIGURES[figure]
        found = self._histograms.get((name, page))
        if found is None:
            found = self._histograms[name, page] = self._metrics.histogram(name, bounds, page=page)
        return found

    def _ring(self) -> KeyRing:
        if self._keys is None:
            raise ConfigurationError("Experience was made without keys=KeyRing(…), by which users are hashed")
        return self._keys

    def _open(self) -> None:
        self._uses.open()

    def _close(self) -> None:
        self._uses.close()
        if not self._borrowed:
            self.bridge.close()


_random = secrets.SystemRandom().random


def _answered(values: dict[str, Any], hashes: list[str], tx: Any) -> bool:
    if rows.has_answered(tx, values["question"], hashes):
        return False
    rows.answer(tx, values)
    return True


def _named(name: str) -> str:
    if policy.IS_NAME(name) is None:
        raise ValueError(f"expected as a name 1 to 64 letters, digits and _ . : -, got {name!r:.80}")
    return name
