"""What stores decide: when to stop calling a dead server, and how long to wait for a lease."""

from __future__ import annotations

from dataclasses import dataclass

# Consecutive failures that open a breaker. More than one: a restarted server breaks each thread's connection once.
TRIPS_AFTER = 3
# Seconds between probes; doubled after each failed one. Healing is promised within 5 s of the fault's end.
PROBE_FIRST = 0.1
PROBE_LONGEST = 2.0

# Seconds between two tries for a lease: 20 commands a second at most.
POLL_SHORTEST = 0.05
POLL_LONGEST = 0.25


@dataclass(frozen=True, slots=True)
class Breaker:
    """A circuit breaker's state; every change makes a new one.

    Closed while ``probe_at`` is ``None``. Open, calls are refused until ``probe_at`` (monotonic seconds); the first
    call after it is the probe, and the others go on being refused until it has answered.
    """

    failures: int = 0
    probe_at: float | None = None

    def refuses(self, now: float) -> bool:
        """Whether a call at ``now`` fails without being tried."""
        return self.probe_at is not None and now < self.probe_at

    def probing(self, now: float, longest: float) -> Breaker:
        """The state while one call tries whether the server is back, for ``longest`` seconds at most."""
        return Breaker(self.failures, now + longest)

    def failed(self, now: float, random: float) -> Breaker:
        """The state after a failure; ``random`` in [0, 1) spreads the probes of many processes."""
        failures = self.failures + 1
        if failures < TRIPS_AFTER:
            return Breaker(failures)
        # Clamped: 2.0 ** 2000 is an OverflowError, and an outage can last.
        pause = min(PROBE_FIRST * 2.0 ** min(failures - TRIPS_AFTER, 10), PROBE_LONGEST)
        return Breaker(failures, now + pause * (0.5 + random / 2))


CLOSED = Breaker()


def lease_pause(tries: int, remaining: float, left: float, random: float) -> float:
    """Seconds to wait before asking for a lease again.

    ``tries`` so far (from 1), ``remaining`` seconds the present owner may hold it, ``left`` seconds the caller waits
    yet. At least 0.05, though the lease or the wait end sooner: a waiter costs no more than 20 commands a second.
    """
    pause = min(POLL_SHORTEST * 2.0 ** min(tries - 1, 10), POLL_LONGEST)
    pause = POLL_SHORTEST + (pause - POLL_SHORTEST) * random
    return max(min(pause, remaining, left), POLL_SHORTEST)
