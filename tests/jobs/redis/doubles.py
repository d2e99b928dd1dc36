"""The Redis broker without each of its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from postrmagic_core._steps import Steps
from postrmagic_core.jobs.adapters import _redis_scripts as scripts
from postrmagic_core.stores.adapters._redis_place import Address, Place
from postrmagic_core.stores.adapters._redis_primary import _named
from postrmagic_core.stores.redis_client import Lua


def no_doubts(url: str, *, timeout: float) -> list[str]:
    """Every server is good enough."""
    return []


def asked_once(broker: Any, told: Sequence[Any]) -> Any:
    """A lost answer is the caller's problem."""
    return broker._run(scripts.PUT, told)


def by_the_worker_s_clock(broker: Any, lua: Lua, told: Sequence[Any], *, writes: bool = True) -> Any:
    """Time as the worker's machine has it."""
    return broker._client.run(lua, [broker._prefix], [time.time_ns() // 1000, *told], writes=writes)


def where_it_was(place: Place, sentinel: Address, until: float) -> Steps[Address | None]:
    """Whom the Sentinel named first stays the primary."""
    if place.primary is None:
        return (yield from _named(place, sentinel, until))
    return place.primary


def _without(lua: Lua, guard: str, instead: str) -> Lua:
    assert guard in lua.source, "the guard is written otherwise now"
    return Lua(lua.source.replace(guard, instead))


ABANDONING = _without(scripts.TURN, "due_in(running(queue, priority), 'WITHSCORES'", "due_in(prefix .. 'none'")
"""Only what waits is delivered."""

UNFENCED = _without(scripts.TURN, "job.state == 'running' and text(job.fence) == fence", "true")
"""Whoever reports last is believed."""

CREDULOUS = _without(scripts.TURN, "if named and job and job.sound and ", "if job and ")
"""Whatever is written about a job is taken for one."""

SPARING = _without(scripts.TURN, "flags=allow-oom", "")
"""A full server does nothing at all."""

PATIENT = _without(scripts.TURN, "elseif abandoned and job.deliveries > job.retries then", "elseif false then")
"""However often its worker vanished, a job is delivered again."""

EARLY = _without(scripts.PUT, "due == '0' and now_text or due, id)", "now_text, id)")
"""What is to wait is due at once."""
