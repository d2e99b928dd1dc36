"""Looks at many targets at once, each ended when its time is over."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from ..._lifecycle import after_fork
from .interface import Probe
from .look import late

MOST: Final = 8
"""Looks under way at once."""
# Seconds beyond its time-out in which a look may tell by itself that it was too late.
_GRACE = 0.25


class Looking(Protocol):
    """A look that can be ended from another thread."""

    expires: float | None

    def run(self) -> str:
        """What is wrong, in words."""
        ...

    def cancel(self) -> None:
        """Let it end now."""
        ...


@dataclass(slots=True)
class Found:
    """What a look came to, in ``seconds``; ``expires``: when the certificate does, seconds since 1970."""

    probe: Probe
    seconds: float
    error: str
    expires: float | None = None


@dataclass(slots=True, eq=False)
class _Running:
    probe: Probe
    look: Looking
    began: float = field(default_factory=time.monotonic)
    error: str = ""
    ended: float = 0.0


class Looks:
    """Looks, at most eight at once. A target that does not let go of a look, as a silent resolver may not, is not
    looked at again before it does: until then it is late.

    ``made`` makes a look at a probe.
    """

    _stuck: dict[str, _Running]

    def __init__(self, made: Callable[[Probe], Looking]) -> None:
        self._made = made
        self._forget()
        after_fork(self._forget)

    def at(self, probes: Sequence[Probe]) -> list[Found]:
        """What each came to, in the order in which they ended; in bounded time."""
        waiting, running = deque(probes), dict[int, _Running]()
        done: SimpleQueue[_Running] = SimpleQueue()
        found: list[Found] = []
        while waiting or running:
            while waiting and len(running) < MOST:
                probe = waiting.popleft()
                stuck = self._stuck.get(probe.name)
                if stuck is not None and not stuck.ended:
                    found.append(Found(probe, probe.timeout, late(probe.timeout)))
                    continue
                begun = _Running(probe, self._made(probe))
                running[id(begun)] = begun
                self._begin(begun, done)
            if not running:
                continue
            first = min(one.began + one.probe.timeout + _GRACE for one in running.values())
            try:
                ended = done.get(timeout=max(0.0, first - time.monotonic()))
            except Empty:
                found += self._overdue(running)
            else:
                if running.pop(id(ended), None) is not None:
                    found.append(Found(ended.probe, ended.ended - ended.began, ended.error, ended.look.expires))
        return found

    def _overdue(self, running: dict[int, _Running]) -> list[Found]:
        now, found = time.monotonic(), []
        for key, one in list(running.items()):
            if one.began + one.probe.timeout + _GRACE <= now:
                del running[key]
                one.look.cancel()
                self._stuck[one.probe.name] = one
                found.append(Found(one.probe, one.probe.timeout, late(one.probe.timeout)))
        return found

    def _begin(self, one: _Running, done: SimpleQueue[_Running]) -> None:
        def run() -> None:
            one.error = one.look.run()
            one.ended = time.monotonic()
            done.put(one)

        # A context of its own, and a thread that nothing waits for: it may never return.
        name = f"postrmagic-uptime-{one.probe.name}"
        threading.Thread(target=contextvars.Context().run, args=(run,), name=name, daemon=True).start()

    def _forget(self) -> None:
        self._stuck = {}
