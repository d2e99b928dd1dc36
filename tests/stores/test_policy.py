"""The breaker's and the waiter's decisions, without a server or a clock."""

from __future__ import annotations

import pytest

from postrmagic_core.stores.policy import CLOSED, PROBE_LONGEST, TRIPS_AFTER, Breaker, lease_pause


def broken(times: int, now: float = 0.0) -> Breaker:
    """A breaker after ``times`` failures in a row."""
    state = CLOSED
    for _ in range(times):
        state = state.failed(now, 0.5)
    return state


def test_a_single_failure_opens_nothing() -> None:
    """A restarted server costs each thread one failure, and no outage."""
    assert not broken(TRIPS_AFTER - 1).refuses(0.0)


def test_the_third_failure_in_a_row_opens() -> None:
    """From then on calls fail without being tried."""
    assert broken(TRIPS_AFTER).refuses(0.0)


def test_an_open_breaker_lets_one_probe_through() -> None:
    """While the probe is under way the others are still refused."""
    state = broken(TRIPS_AFTER)
    assert not state.refuses(PROBE_LONGEST)
    assert state.probing(PROBE_LONGEST, 0.5).refuses(PROBE_LONGEST + 0.4)


@pytest.mark.parametrize("failures", [TRIPS_AFTER, 10, 5000])
@pytest.mark.parametrize("random", [0.0, 0.999])
def test_probes_never_get_rarer_than_promised(failures: int, random: float) -> None:
    """However long the outage, healing is looked for every two seconds."""
    state = broken(failures).failed(100.0, random)
    assert state.probe_at is not None
    assert 100.0 < state.probe_at <= 100.0 + PROBE_LONGEST


@pytest.mark.parametrize("tries", [1, 2, 50, 5000])
@pytest.mark.parametrize(("remaining", "left"), [(0.001, 9.0), (60.0, 0.001), (60.0, 60.0)])
@pytest.mark.parametrize("random", [0.0, 0.999])
def test_a_waiter_costs_at_most_twenty_commands_a_second(
    tries: int, remaining: float, left: float, random: float
) -> None:
    """Nothing shortens the pause below a twentieth of a second."""
    assert 0.05 <= lease_pause(tries, remaining, left, random) <= 0.25
