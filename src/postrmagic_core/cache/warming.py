"""Warming: registered functions that fill the cache, run in the order of their dependencies within a time limit."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from .._steps import Steps
from ..errors import ConfigurationError, OutsideUnit, PostrMagicError, UsageError

if TYPE_CHECKING:
    from .manager import CacheManager

_log = logging.getLogger("postrmagic_core.cache")

Outcome: TypeAlias = Literal["done", "failed", "skipped", "left"]
Report: TypeAlias = Callable[[str, int, int], object]
Warm: TypeAlias = Callable[["CacheManager"], object]
W = TypeVar("W", bound=Warm)


@dataclass(frozen=True, slots=True)
class Warmed:
    """What became of one warmer.

    ``failed``: it raised; ``error`` is the error's stable code, or its type. ``skipped``: ``error`` names the warmer it
    needs, which failed, or was left. ``left``: the time limit was over. ``computes``: computations of this process
    meanwhile; what was fresh already cost none.
    """

    name: str
    outcome: Outcome
    seconds: float = 0.0
    computes: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class WarmReport:
    """Every warmer that was asked for, in the order of running; ``seconds`` in all."""

    warmers: tuple[Warmed, ...]
    seconds: float

    def of(self, outcome: Outcome) -> tuple[str, ...]:
        """The names of those with this outcome."""
        return tuple(one.name for one in self.warmers if one.outcome == outcome)

    @property
    def complete(self) -> bool:
        """Whether all of them are done."""
        return len(self.of("done")) == len(self.warmers)


def quiet(name: str, done: int, total: int) -> None:
    """Report nothing."""


def order(needs: Mapping[str, Collection[str]], names: Iterable[str] | None) -> list[str]:
    """The warmers ``names`` (``None``: all) and those they need, each after what it needs.

    Raises :class:`ConfigurationError` for a name nobody registered and for a cycle, naming it.
    """
    if isinstance(names, str):
        raise TypeError(f"names is a collection of warmers: write names=[{names!r}]")
    wanted: dict[str, Collection[str]] = {}
    asked = [(name, "") for name in (needs if names is None else names)]
    while asked:
        name, by = asked.pop()
        if name not in needs:
            whose = f", which {by!r} needs" if by else ""
            raise ConfigurationError(f"there is no warmer {name!r}{whose}: there are {', '.join(needs) or 'none'}")
        if name not in wanted:
            wanted[name] = needs[name]
            asked += [(other, name) for other in needs[name]]
    # In the order of registering where nothing else decides.
    sorter = TopologicalSorter({name: needs[name] for name in needs if name in wanted})
    try:
        return list(sorter.static_order())
    except CycleError as error:
        path = " -> ".join(reversed(error.args[1]))
        raise ConfigurationError(f"warmers need one another in a circle: {path}; take one after= away") from None


class Warming:
    """The warmers of one cache."""

    def __init__(self, cache: CacheManager) -> None:
        self._cache = cache
        self._warmers: dict[str, Warm] = {}
        self._needs: dict[str, tuple[str, ...]] = {}

    def register(self, name: str, after: Iterable[str]) -> Callable[[W], W]:
        """See :meth:`CacheManager.warmer`."""
        if isinstance(after, str):
            raise TypeError(f"after is a collection of warmers: write after=[{after!r}]")
        needs = tuple(after)

        def add(function: W) -> W:
            if self._warmers.setdefault(name, function) is not function:
                raise ConfigurationError(f"there is a warmer {name!r} already: give each a name of its own")
            self._needs[name] = needs
            return function

        return add

    def run(self, names: Iterable[str] | None, time_limit: float | None, report: Report) -> Steps[WarmReport]:
        """See :meth:`CacheManager.warm`; the port calls one warmer."""
        if time_limit is not None and not time_limit >= 0:
            raise ValueError(f"time_limit is seconds, 0 or more, got {time_limit}")
        if self._cache.filling.in_unit():
            raise OutsideUnit("warm() inside an open unit would compute everything and store nothing: do it outside")
        clock = self._cache.clock
        began = clock.monotonic()
        told: dict[str, Warmed] = {}
        plan = order(self._needs, names)
        for number, name in enumerate(plan):
            report(name, number, len(plan))
            missing = next((other for other in self._needs[name] if told[other].outcome != "done"), None)
            if time_limit is not None and clock.monotonic() - began >= time_limit:
                told[name] = Warmed(name, "left")
            elif missing is not None:
                told[name] = Warmed(name, "skipped", error=missing)
            else:
                told[name] = yield from self._one(name)
        report("", len(plan), len(plan))
        return WarmReport(tuple(told[name] for name in plan), clock.monotonic() - began)

    def _one(self, name: str) -> Steps[Warmed]:
        clock, cache = self._cache.clock, self._cache
        began, computes = clock.monotonic(), cache.stats().computes
        error = ""
        try:
            yield lambda port: port.warm(self._warmers[name])
        except Exception as raised:
            _log.warning("the warmer %s failed", name, exc_info=raised)
            error = raised.code if isinstance(raised, PostrMagicError) else type(raised).__qualname__
        outcome: Outcome = "failed" if error else "done"
        return Warmed(name, outcome, clock.monotonic() - began, cache.stats().computes - computes, error)


class Port:
    """Calls warmers for the sync face; those that are coroutine functions on an event loop of their own."""

    def __init__(self, cache: CacheManager) -> None:
        self._cache = cache
        self._runner: asyncio.Runner | None = None

    def warm(self, warmer: Warm) -> None:
        """Call one."""
        if inspect.iscoroutinefunction(warmer) and asyncio._get_running_loop() is not None:
            raise UsageError("an async warmer cannot run inside a running event loop: await cache.aio.warm()")
        answer = warmer(self._cache)
        if inspect.isawaitable(answer):
            if self._runner is None:
                self._runner = asyncio.Runner()
            self._runner.run(_awaited(answer))

    def __enter__(self) -> Port:
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None:
            self._runner.close()


async def _awaited(answer: Any) -> None:
    await answer
