"""How a probe stands after a look, and of how much time that tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.observability.uptime import policy
from postrmagic_core.observability.uptime.policy import HOUR_US, Change, Look, Spent, State

MINUTE = 60 * 1_000_000
START = 1_000 * HOUR_US


def advance(state: State, at: float, error: str = "", failures: int = 2) -> Change:
    """A look at a minute."""
    look = Look(START + round(at * MINUTE), 1000, error)
    return policy.advance(state, look, failures=failures, every=60.0, timeout=10.0)


def played(looks: str, failures: int = 2) -> tuple[State, Spent, list[tuple[str, int]]]:
    """A look each minute, ``x`` one that failed, a space none at all; and what was opened and closed, by minute."""
    state, known, down, changes = State(), 0, 0, list[tuple[str, int]]()
    for minute, look in enumerate(looks):
        if look == " ":
            continue
        change = advance(state, minute, "it answered 500" if look == "x" else "", failures)
        state = change.state
        known += sum(one.known for one in change.hours.values())
        down += sum(one.down for one in change.hours.values())
        for name, at in (("open", change.opened), ("close", change.closed)):
            if at is not None:
                changes.append((name, (at - START) // MINUTE))
    return state, Spent(known // MINUTE, down // MINUTE), changes


@pytest.mark.parametrize(
    ("looks", "known", "down", "changes"),
    [
        ("....", 3, 0, []),
        (".x..", 3, 0, []),
        (".xx..", 4, 2, [("open", 1), ("close", 3)]),
        (".xxxx", 4, 3, [("open", 1)]),
        ("xx.", 2, 2, [("open", 0), ("close", 2)]),
        (".x.x.x.", 6, 0, []),
        # Nobody looked: of that a minute is known, and two that failed are not in a row.
        (".      .", 1, 0, []),
        (".x      x.", 3, 0, []),
        (".xx      x.", 4, 3, [("open", 1), ("close", 10)]),
        (".xx      .", 3, 2, [("open", 1), ("close", 9)]),
    ],
)
def test_it_is_down_from_the_first_failure_of_a_row_to_the_first_success(
    looks: str, known: int, down: int, changes: list[tuple[str, int]]
) -> None:
    """What nobody knows is neither up nor down."""
    _, spent, found = played(looks)
    assert (spent, found) == (Spent(known, down), changes)


def test_how_many_failures_there_have_to_be_is_set() -> None:
    """The time of all of them counts, once they are enough."""
    assert played(".xxx.", 1)[1:] == (Spent(4, 3), [("open", 1), ("close", 4)])
    assert played(".xxx.", 3)[1:] == (Spent(4, 3), [("open", 1), ("close", 4)])
    assert played(".xxx.", 4)[1:] == (Spent(4, 0), [])
    assert played(".xxx.", 1)[1:] == played(".xxx.", 3)[1:]


def test_since_when_is_told() -> None:
    """Up since it first was, down since the first failure of the row; undecided before."""
    assert played("x")[0].up is None
    assert played("")[0] == State()
    for looks, up, since in ((".x.", True, 0), ("x.", True, 1), (".xx", False, 1), (".xx.", True, 3)):
        state = played(looks)[0]
        assert (state.up, ((state.since_us or 0) - START) // MINUTE) == (up, since)


def test_hours_share_what_lies_across_them() -> None:
    """Each takes its part, known and down."""
    state = advance(State(), 59.5).state
    change = advance(state, 60.5, "x", failures=1)
    assert change.hours == {START: Spent(MINUTE // 2, 0), START + HOUR_US: Spent(MINUTE // 2, 0)}
    change = advance(change.state, 61, "x", failures=1)
    assert change.hours == {START + HOUR_US: Spent(MINUTE // 2, MINUTE // 2)}
    state = advance(advance(State(), 59).state, 59.5, "x").state
    change = advance(state, 60.5, "x")
    assert change.hours == {
        START: Spent(MINUTE // 2, MINUTE // 2),
        START + HOUR_US: Spent(MINUTE // 2, MINUTE // 2),
    }


def test_a_clock_that_is_set_back_tells_of_no_time() -> None:
    """What was known stays; the next look counts from there."""
    state = advance(State(), 10).state
    change = advance(state, 5)
    assert change.hours == {}
    assert sum(one.known for one in advance(change.state, 6).hours.values()) == MINUTE


def test_what_has_passed_since_the_last_look_counts_as_far_as_it_is_known() -> None:
    """Until nobody has looked for long."""
    up, down = played("..")[0], played(".xx")[0]
    now = START + 3 * MINUTE
    assert policy.until_now(up, now, 60.0, 10.0) == Spent(2 * MINUTE, 0)
    assert policy.until_now(down, now, 60.0, 10.0) == Spent(MINUTE, MINUTE)
    assert policy.until_now(up, now + HOUR_US, 60.0, 10.0) == Spent(MINUTE, 0)
    assert policy.until_now(State(), now, 60.0, 10.0) == Spent()
    assert policy.until_now(played("x")[0], now, 60.0, 10.0) == Spent()  # nobody knows yet
    assert [policy.stale(up, now + HOUR_US * number, 60.0, 10.0) for number in (0, 1)] == [False, True]
    assert policy.stale(State(), now, 60.0, 10.0)


def test_a_share_is_of_what_is_known() -> None:
    """And of nothing there is none."""
    assert policy.share(0, 0) is None
    assert policy.share(10, 0) == 1.0
    assert policy.share(10, 10) == 0.0
    assert policy.share(10, 1) == pytest.approx(0.9)


@given(st.text("x. ", max_size=60), st.integers(1, 4))
def test_whatever_happens_no_more_is_down_than_is_known(looks: str, failures: int) -> None:
    """And no more is known than has passed; what opens, closes before it opens again."""
    state, spent, changes = played(looks, failures)
    assert 0 <= spent.down <= spent.known <= max(0, len(looks) - 1)
    names = [name for name, _ in changes]
    assert names == ["open", "close"] * (len(names) // 2) + ["open"] * (len(names) % 2)
    assert (state.up is False) == (len(names) % 2 == 1)
