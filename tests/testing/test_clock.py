"""FakeClock moves when told, and its two clocks move apart only when told."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from postrmagic_core._clock import Clock, from_us
from postrmagic_core.testing import FakeClock


def test_it_is_a_clock_that_stands_still(frozen_clock: FakeClock) -> None:
    """Two readings are equal until somebody moves it."""
    clock: Clock = frozen_clock
    assert (clock.now_us(), clock.monotonic()) == (clock.now_us(), clock.monotonic())
    assert from_us(clock.now_us()) == frozen_clock.now == datetime(2026, 1, 1, tzinfo=UTC)


def test_advance_and_sleep_move_both_clocks_at_once(frozen_clock: FakeClock) -> None:
    """Sleeping an hour takes no time, and both clocks say an hour has passed."""
    wall, monotonic, began = frozen_clock.now, frozen_clock.monotonic(), time.monotonic()
    frozen_clock.advance(0.25)
    frozen_clock.sleep(3600)
    assert frozen_clock.now - wall == timedelta(seconds=3600.25)
    assert frozen_clock.monotonic() - monotonic == 3600.25
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_jump_moves_wall_time_only(frozen_clock: FakeClock, seconds: float) -> None:
    """An operator who sets the clock does not make intervals longer or shorter."""
    wall, monotonic = frozen_clock.now, frozen_clock.monotonic()
    frozen_clock.jump(seconds)
    assert (frozen_clock.now - wall).total_seconds() == seconds
    assert frozen_clock.monotonic() == monotonic


def test_set_takes_an_aware_instant_of_any_zone(frozen_clock: FakeClock) -> None:
    """The wall clock stands at the instant, in UTC; a naive one is refused."""
    monotonic = frozen_clock.monotonic()
    frozen_clock.set(datetime(2027, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))))
    assert frozen_clock.now == datetime(2027, 5, 1, 10, tzinfo=UTC)
    assert frozen_clock.monotonic() == monotonic
    with pytest.raises(ValueError, match="aware"):
        frozen_clock.set(datetime(2027, 5, 1))  # noqa: DTZ001 - the mistake under test


def test_time_does_not_pass_backwards(frozen_clock: FakeClock) -> None:
    """A negative advance is a mistake in the test, and the error names the right call."""
    with pytest.raises(ValueError, match=r"jump\(\)"):
        frozen_clock.advance(-1)
