"""``get_or_set``: one computation however many ask, in this process and in all others; written once for both faces."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .._protocols import Units
from .._spans import span
from .._steps import Steps
from .._unit import any_unit
from ..errors import BackendError, BackendTimeout, OutsideUnit, PostrMagicError, RecursiveCompute
from . import policy
from .access import Access, Answer, Found, Tags, Wanted, capturing
from .failures import FAILED, packed
from .flights import Caller, Failed, Flight, Flights, Landed, Lost, Outcome, inside
from .keeper import Keeper
from .near import MISSING
from .policy import Freshness

_log = logging.getLogger("postrmagic_core.cache")

# Seconds between two looks for what another process computes, up to half as much more by chance. With the question
# for the lease every second time a waiter costs at most 20 commands a second.
POLL = 0.075


class Fill(NamedTuple):
    """What a caller of ``get_or_set`` asks for, and how to make and keep it.

    ``captured`` are the tags' generations where the caller took them before it began to read. ``negative``: for how
    long (seconds) ``None`` and stored errors are fresh; 0: not at all, ``None``: as any value.
    """

    wanted: Wanted
    captured: Mapping[str, int] | None
    freshness: Freshness
    negative: float | None
    compute: Callable[[], Any]

    def freshness_of(self, value: Any) -> Freshness | None:
        """How long ``value`` may be served; ``None``: it is not stored."""
        if value is not None or self.negative is None:
            return self.freshness
        return Freshness(self.negative) if self.negative else None


class Filling:
    """Computes what is missing, once, and keeps out of open units of ``database`` (``None``: of any).

    ``wait`` bounds how long a caller waits for another's computation (seconds).
    """

    def __init__(self, access: Access, keeper: Keeper, database: Units | None, wait: float) -> None:
        self._access = access
        self._keeper = keeper
        self._database = database
        self._wait = wait
        self.flights = Flights()

    def fill(
        self,
        key: str,
        compute: Callable[[], Any],
        freshness: Freshness,
        tags: Tags,
        kind: Any,
        negative: float | None = None,
        errors: tuple[type[Exception], ...] = (),
    ) -> Fill:
        """What a caller of ``get_or_set`` asks for, checked."""
        names = policy.tag_names(tags)
        if names:
            freshness.check_tagged()
        if negative is not None and not 0 <= negative < math.inf:
            raise ValueError(f"negative is seconds, 0 or more, got {negative}")
        if errors and not negative:
            raise ValueError("errors= are stored for negative= seconds: give both")
        keys = self._access.keys
        captured = tags if isinstance(tags, Mapping) else None
        wanted = Wanted(key, keys.entry(key), names, keys.tags(names), self._access.codecs.of(kind), errors)
        return Fill(wanted, captured, freshness, negative, compute)

    def in_unit(self) -> bool:
        """Whether a write unit is open here that the cache keeps out of."""
        return (any_unit() if self._database is None else self._database.current()) is not None

    def nearby(self, key: str, kind: Any, tags: Tags) -> Any:
        """What ``get_or_set`` may answer after a look into this process's memory, else ``MISSING``."""
        near = self._access.near
        if near is None or self.in_unit():
            return MISSING
        return near.value(key, kind, policy.tag_names(tags) if tags else ())

    def check_outside(self, detached: bool) -> None:
        """Raise :class:`OutsideUnit` if a unit is open here, unless ``detached``."""
        if not detached and self.in_unit():
            raise OutsideUnit("invalidate() inside an open unit: pass tx=, or detached=True to act before it commits")

    def get_or_set(self, fill: Fill, caller: Caller, answer: Answer | None) -> Steps[Any]:
        """The value.

        ``answer`` is what reading the entry and its tags brought; ``None`` in a unit, where nothing is read or stored:
        what a unit reads may never commit, and what is stored may be older than what it wrote.
        """
        if self.flights.computing(fill.wanted.name):
            raise RecursiveCompute("get_or_set() was called inside the computation of the same key")
        tally = self._access.tally
        if answer is None:
            with inside(Flight(self.flights, fill.wanted.name, None)):
                return (yield from self._computed(fill))
        found = self._access.received(fill.wanted, answer)
        if found is None:
            tally.misses.add()
            return (yield from self._fly(fill, _having(caller, answer)))
        (tally.stale if found.stale else tally.hits).add()
        tally.saved_us.add(found.cost_us)
        if found.due:
            yield from self._refresh(fill, _having(caller, answer))
        return found.value

    def _fly(self, fill: Fill, caller: Caller) -> Steps[Any]:
        """Lead the computation, or wait for the one under way."""
        clock = self._access.clock
        until = clock.monotonic() + self._wait
        while True:
            flight, leads = self.flights.join(fill.wanted.name, caller)
            if leads:
                return (yield from self._lead(flight, fill))
            if caller.loop is None and flight.would_deadlock():
                return (yield from self._alone(flight, fill))
            try:
                outcome = yield _waiting(flight, max(until - clock.monotonic(), 0.0))
            except TimeoutError:
                self._give_up()
                return (yield from self._alone(flight, fill))
            match outcome:
                case Landed(payload):
                    return fill.wanted.codec.decode(payload)
                case Failed(error):
                    raise error

    def _lead(self, flight: Flight, fill: Fill) -> Steps[Any]:
        outcome: Outcome = Lost()
        try:
            with inside(flight):
                found = yield from self._claimed(flight, fill)
            outcome = Landed(found.payload)
            return found.value
        except Exception as error:
            outcome = Failed(error)
            raise
        finally:
            flight.leave(outcome)

    def _alone(self, flight: Flight, fill: Fill) -> Steps[Any]:
        """Compute beside the flight that cannot be waited for."""
        self._access.tally.alone.add()
        with inside(flight):
            return (yield from self._filled(None, fill)).value

    def _refresh(self, fill: Fill, caller: Caller) -> Steps[None]:
        """Compute anew in the background, unless somebody does already."""
        flight, leads = self.flights.join(fill.wanted.name, caller)
        if leads:
            try:
                yield lambda port: port.background(self._refreshed(flight, fill), lambda: flight.leave(Lost()))
            except BaseException:
                flight.leave(Lost())
                raise

    def _refreshed(self, flight: Flight, fill: Fill) -> Steps[None]:
        outcome: Outcome = Lost()
        try:
            key = self._access.keys.lease(fill.wanted.key)
            lease = yield lambda port: port.acquire(key)
            if lease is None:
                return
            with inside(flight):
                found = yield from self._under(flight, lease, fill)
            outcome = Landed(found.payload)
        except Exception as error:
            if isinstance(error, BackendError):
                self._access.tally.errors.add()
            # The stale value was served, and is until its time ends: then a caller gets the error.
            _log.warning("a stale entry could not be computed anew", exc_info=error)
        finally:
            flight.leave(outcome)

    def _claimed(self, flight: Flight, fill: Fill) -> Steps[Found]:
        """The value computed under the lease, or what its present owner brought."""
        clock, access = self._access.clock, self._access
        until = clock.monotonic() + self._wait
        key = access.keys.lease(fill.wanted.key)
        asks = False
        while True:
            asks = not asks  # every second time: a lease seldom ends without a value
            if asks:
                try:
                    lease = yield lambda port: port.acquire(key)
                except BackendError as error:
                    access.outage.failed(error)
                    access.tally.alone.add()
                    return (yield from self._filled(flight, fill))
                if lease is not None:
                    return (yield from self._under(flight, lease, fill))
            pause = POLL * (1 + random.random() / 2)  # noqa: S311 - jitter, no secret
            if clock.monotonic() + pause > until:
                self._give_up()
                access.tally.alone.add()
                return (yield from self._filled(flight, fill))
            yield _pausing(pause)
            flight.brings(clock.monotonic())
            found = yield from access.read(fill.wanted)
            if found is not None:
                return found
            flight.brings(None)

    def _under(self, flight: Flight, lease: Any, fill: Fill) -> Steps[Found]:
        """Compute while the lease is renewed; given back however that ends."""
        kept = self._keeper.keep(lease.grant, lease.left)
        try:
            return (yield from self._filled(flight, fill, lambda: kept.held))
        finally:
            self._keeper.drop(kept)
            try:
                yield lambda port: port.release(lease)
            except PostrMagicError as error:
                _log.warning("the lease of a computation could not be released; it ends by itself", exc_info=error)

    def _filled(self, flight: Flight | None, fill: Fill, may_store: Callable[[], bool] = lambda: True) -> Steps[Found]:
        """Read again, capture the tags' generations in the same trip, and only then compute and store."""
        access, wanted = self._access, fill.wanted
        as_of = access.clock.monotonic() if fill.captured is None else -math.inf
        if flight is not None:
            flight.brings(as_of)
        captured: Mapping[str, int] | None = None
        try:
            data, *values = yield capturing(wanted.name, wanted.tag_keys)
        except BackendError as error:
            access.outage.failed(error)
        else:
            found = access.checked(wanted, data, values)
            if found is not None and not found.due:
                return found
            captured = dict(zip(wanted.tags, values, strict=True)) if fill.captured is None else fill.captured
            if flight is not None:
                flight.brings(as_of, tuple([captured[tag] for tag in wanted.tags]))
        monotonic = access.clock.monotonic
        began = monotonic()
        try:
            value = yield from self._computed(fill)
        except wanted.errors as error:
            if captured is not None and may_store():
                kept = Freshness(fill.negative or 0)
                cost = _us(monotonic() - began)
                yield from access.write(wanted.name, packed(error, wanted.errors), kept, captured, FAILED, cost_us=cost)
            raise
        cost = _us(monotonic() - began)
        payload = wanted.codec.encode(value)
        freshness = fill.freshness_of(value)
        if captured is not None and freshness is not None and may_store():
            chance = random.random()  # noqa: S311 - jitter, no secret
            yield from access.write(wanted.name, payload, freshness, captured, wanted.codec.schema, chance, cost)
        return Found(value, payload, stale=False, due=False)

    def _computed(self, fill: Fill) -> Steps[Any]:
        tally, monotonic = self._access.tally, self._access.clock.monotonic
        tally.computes.add()
        began = monotonic()
        try:
            with span("cache compute", "internal", {}):
                return (yield lambda port: port.call(fill.compute))
        finally:
            tally.compute_us.add(_us(monotonic() - began))

    def _give_up(self) -> None:
        """The promise of one computation cannot be kept: ``closed`` raises, the others compute and count it."""
        if self._access.outage.policy == "closed":
            raise BackendTimeout(f"the value is being computed elsewhere and was not there within {self._wait:g} s")


def _having(caller: Caller, answer: Answer) -> Caller:
    """The caller after it has read. With the store away there are no invalidations to be behind."""
    if isinstance(answer, BackendError):
        return caller._replace(since=-math.inf)
    return caller._replace(seen=tuple([policy.generation(value) for value in answer[1:]]))


def _us(seconds: float) -> int:
    return max(round(seconds * 1e6), 0)


def _waiting(flight: Flight, seconds: float) -> Callable[[Any], Any]:
    return lambda port: port.wait(flight.future, seconds)


def _pausing(seconds: float) -> Callable[[Any], Any]:
    return lambda port: port.sleep(seconds)
