"""Whether the application can work now: each backend asked, all at once, within a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .._clock import Clock, SystemClock
from .._lifecycle import after_fork
from ..errors import PostrMagicError

State: TypeAlias = Literal["ok", "degraded", "failed", "draining"]


@dataclass(frozen=True, slots=True)
class Health:
    """How one component is: ``error`` is a stable code or empty, ``seconds`` what the check took."""

    ok: bool
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """How all of them are.

    ``degraded``: what is not needed failed; ``draining``: the process is about to end and takes no new work.
    """

    state: State
    checks: Mapping[str, Health]

    @property
    def ready(self) -> bool:
        """Whether new requests should be sent here."""
        return self.state in {"ok", "degraded"}


@dataclass(frozen=True, slots=True)
class _Check:
    probe: Callable[[], object]
    needed: bool


class _Asking:
    """One check under way, in a thread that nothing waits for at the end of the process: it may never return."""

    health: Health

    def __init__(self, name: str, probe: Callable[[], object]) -> None:
        self.done = threading.Event()
        self._probe = probe
        threading.Thread(target=self._run, name=f"postrmagic-health-{name}", daemon=True).start()

    def _run(self) -> None:
        started, error = time.monotonic(), ""
        try:
            self._probe()
        except PostrMagicError as failed:
            error = failed.code
        except BaseException as failed:  # an application's own check may raise anything; its text may hold a secret
            error = type(failed).__name__
        self.health = Health(not error, time.monotonic() - started, error)
        self.done.set()


class _Process:
    """What all checks of this process were told; a forked child is a process of its own, and was told nothing."""

    draining = False

    def __init__(self) -> None:
        after_fork(self._begin)

    def _begin(self) -> None:
        self.draining = False


_process = _Process()


def drain_process() -> None:
    """Have every :class:`Checks` of this process, also those made later, say that no new work should come.

    A signal handler may call it. Forked children are not meant, whenever they were forked.
    """
    _process.draining = True


class Checks:
    """Named checks. Each runs in a thread of its own, so that one that hangs keeps no other from being told.

    ``budget`` is the seconds a report may take: a check that is not done by then is ``timed_out``, and is not begun
    again before it ends. A report is kept for ``keep`` seconds, however many ask: probes cost the backends nothing.
    """

    def __init__(self, *, budget: float = 2.0, keep: float = 1.0, clock: Clock | None = None) -> None:
        self._checks: dict[str, _Check] = {}
        self._budget = budget
        self._keep = keep
        self._clock = clock or SystemClock()
        self._draining = False
        self._last: tuple[float, Report] | None = None
        self._forget()
        after_fork(self._forget)

    def add(self, name: str, probe: Callable[[], object], *, needed: bool = True) -> None:
        """Ask ``probe`` too: it returns if all is well and raises otherwise. One not ``needed`` only degrades."""
        self._checks[name] = _Check(probe, needed)

    def drain(self) -> None:
        """From now on say that no new work should come, so that load balancers send none before the end.

        :func:`drain_process` does so for all of a process.
        """
        self._draining = True

    def report(self, *, now: bool = False) -> Report:
        """How everything is, at most ``keep`` seconds ago, or this moment."""
        with self._flight:
            last = self._last
            if now or last is None or self._clock.monotonic() - last[0] >= self._keep:
                asked = self._ask()
                self._last = last = (self._clock.monotonic(), asked)
            found = last[1]
        return Report("draining", found.checks) if self._draining or _process.draining else found

    def _ask(self) -> Report:
        for name, check in self._checks.items():
            if name not in self._running:
                self._running[name] = _Asking(name, check.probe)
        until = time.monotonic() + self._budget
        found: dict[str, Health] = {}
        for name, asking in list(self._running.items()):
            if asking.done.wait(max(0.0, until - time.monotonic())):
                found[name] = asking.health
                del self._running[name]
            else:
                found[name] = Health(False, self._budget, "timed_out")
        failed = {name for name, health in found.items() if not health.ok}
        needed = any(self._checks[name].needed for name in failed)
        return Report("failed" if needed else "degraded" if failed else "ok", found)

    def _forget(self) -> None:
        # Threads do not come along into a forked child, nor does what they were asking.
        self._flight = threading.Lock()
        self._running: dict[str, _Asking] = {}
