"""How probes stand, told: to the log when it changes, to metrics when they ask, and as a status."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

from ..._clock import Clock, from_us
from ..._lifecycle import after_fork
from ..._metrics import Told as Gauge
from . import policy
from .interface import Probe, ProbeStatus
from .policy import HOUR_US, Look, State
from .rows import Summed

_log = logging.getLogger("postrmagic_core.observability")


class Told:
    """What this process knows of how the probes stand, and has said of it.

    It tells gauges of those that it looked at lately itself: of the others another process does.
    """

    def __init__(self, clock: Clock, probes: Mapping[str, Probe]) -> None:
        self._clock = clock
        self._probes = probes
        self._forget()
        after_fork(self._forget)

    def of(self, probe: Probe, before: State, state: State) -> None:
        """This is how it stands, and how it stood before; say so if it was said to stand otherwise."""
        with self._changing:
            known = self._states.get(probe.name)
            if known is not None and (known.at_us or 0) > (state.at_us or 0):
                return  # it was written late, and more is known
            self._states[probe.name] = state
            said = self._said.get(probe.name, before.up)
            if state.up is None or state.up == said:
                return
            self._said[probe.name] = state.up
        told = {"probe": probe.name, "target": probe.target}
        if not state.up:
            _log.warning("a probe is down", extra=told | {"reason": state.error})
        elif said is False:
            _log.info("a probe is up again", extra=told)

    def guess(self, probe: Probe, look: Look) -> None:
        """What ``look`` came to could not be written down: this is how it must stand, by what is known here."""
        state = self._states.get(probe.name, State())
        if state.at_us is not None and look.at_us <= state.at_us:
            return
        how = {"every": probe.every, "timeout": probe.timeout}
        self.of(probe, state, policy.advance(state, look, failures=probe.failures, **how).state)

    def gauges(self) -> list[Gauge]:
        """How those stand that this process looked at lately: 1 is up; and when their certificates expire."""
        now_us, found = self._clock.now_us(), list[Gauge]()
        with self._changing:
            states = dict(self._states)
        for name, state in states.items():
            probe = self._probes[name]
            if state.up is None or policy.stale(state, now_us, probe.every, probe.timeout):
                continue
            found.append(("uptime_up", {"probe": name}, float(state.up)))
            if state.expires_us is not None:
                told = {"probe": name}
                found.append(("uptime_certificate_expires_timestamp_seconds", told, state.expires_us / 1e6))
        return found

    def _forget(self) -> None:
        self._changing = threading.Lock()
        self._states: dict[str, State] = {}
        self._said: dict[str, bool] = {}


def told_as(probe: Probe, state: State, sums: Summed, recovery_us: float | None, now_us: int) -> ProbeStatus:
    """How a probe stands at ``now_us``, with what has passed since the last look."""
    yet = policy.until_now(state, now_us, probe.every, probe.timeout)
    shares = []
    for spent, hours in ((sums.day, 24), (sums.month, 30 * 24)):
        known, down = spent.known + yet.known, spent.down + yet.down
        passed = (hours - 1) * HOUR_US + now_us % HOUR_US
        shares.append((policy.share(known, down), min(1.0, known / max(1, passed))))
    (day, known_day), (month, known_month) = shares
    stale = policy.stale(state, now_us, probe.every, probe.timeout)
    return ProbeStatus(
        name=probe.name,
        kind=probe.kind,
        target=probe.target,
        up=None if stale else state.up,
        since=None if state.since_us is None else from_us(state.since_us),
        last_at=None if state.at_us is None else from_us(state.at_us),
        last_ms=None if state.took_us is None else state.took_us / 1000,
        last_error=state.error,
        availability_day=day,
        availability_month=month,
        known_day=known_day,
        known_month=known_month,
        mean_recovery_seconds=None if recovery_us is None else recovery_us / 1e6,
        expires_at=None if state.expires_us is None else from_us(state.expires_us),
    )
