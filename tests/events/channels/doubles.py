"""Channels without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

from typing import Any

from postrmagic_core.errors import BackendError
from postrmagic_core.events.adapters import _redis_scripts as scripts
from postrmagic_core.events.adapters._redis_chain import Entry, Found, Mark, Point
from postrmagic_core.events.channel import Missed
from postrmagic_core.stores.adapters._redis_client import Wires
from postrmagic_core.stores.redis_client import Lua, RedisClient


def once(self: Any) -> None:
    """A connection that is lost is lost."""
    line = self._client.line()
    self._line = line
    try:
        self._follow(line)
    except BackendError as error:
        self._failed(error)
    self._tried.set()


def from_the_end(mark: Mark, found: Found) -> tuple[Mark, Missed | None]:
    """Whoever comes back begins anew, and says nothing."""
    return Mark(found.last, found.since, found.history), None


def silently_on(mark: Mark, found: Found) -> tuple[Mark, Missed | None]:
    """It goes on with what is left, and says nothing."""
    return Mark(mark.point if found.kept else found.start, found.since, found.history), None


def where_it_stood(mark: Mark, found: Found) -> tuple[Mark, Missed | None]:
    """What it heard last is still there, of course."""
    return mark, None


def from_what_is_there(mark: Mark, found: Found) -> tuple[Mark, Missed | None]:
    """Whatever the server has now is news."""
    if found.kept:
        return mark, None
    return Mark(found.start, found.since, found.history), Missed(None, "forgotten")


def any_next(self: Any, line: RedisClient, mark: Mark, entry: Entry) -> bool:
    """What comes next follows."""
    return True


def nothing_skipped(mark: Mark, entry: Entry) -> Missed:
    """Holes are none."""
    return Missed(0, "forgotten")


def never_late(found: Found, *, late: bool) -> tuple[Mark, Missed | None]:
    """It listens since it was told so."""
    return Mark(found.last, found.since, found.history), None


def twice(self: Any, payload: bytes) -> None:
    """Whoever gets no answer asks again."""
    arguments = [scripts.PUBLISH, [self.key], [Point(0, 1).token, self._keep_bytes, 86_400_000, payload]]
    try:
        self.client.run(*arguments)
    except BackendError:
        self.client.run(*arguments)


def waits_where_it_waits(self: Any) -> None:
    """The thread will see that it is over when it looks."""


def inherited(self: Any) -> None:
    """What the parent had open the child has open."""
    Wires._forget(self)


def unbounded(self: Any, payload: bytes) -> None:
    """Memory is cheap."""
    with self._changed:
        self._queue.append(payload)
        self._changed.notify()


def _without(lua: Lua, guard: str, instead: str) -> Lua:
    assert guard in lua.source, "the guard is written otherwise now"
    return Lua(lua.source.replace(guard, instead))


UNTRIMMED = _without(scripts.PUBLISH, "if bytes - stream.oldest > keep then", "if false then")
"""Everything is kept."""
