"""What a deployment decides: the order of its steps from any state, the gate, the error rate, where it goes back to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.deployment import Release, Replica, Terms
from postrmagic_core.deployment.interface import Note
from postrmagic_core.deployment.policy import (
    Standing,
    back_from,
    belongs,
    broken,
    gate,
    next_move,
    previous_of,
    too_many_errors,
    wanted_of,
)

OLD, NEW = Release("1.0", "app:1.0", "sha256:a"), Release("1.1", "app:1.1", "sha256:b")
HEALTHY = Replica("1", "app-1", "app", NEW, "running", "healthy", previous=OLD)
STATES = st.lists(st.booleans(), max_size=5)


@given(
    old=STATES,
    new=st.integers(0, 5),
    wanted=st.integers(1, 4),
    at_once=st.integers(1, 3),
)
def test_every_state_leads_to_the_new_release(old: list[bool], new: int, wanted: int, at_once: int) -> None:
    """Given any mixture, as a killed run leaves it, then the moves end with what is wanted, never with too few."""
    olds = [Standing(f"old-{number}", good) for number, good in enumerate(old)]
    news = [Standing(f"new-{number}", False) for number in range(new)]
    made, fewest = new, min(wanted, sum(old))
    for _ in range(60):
        move = next_move(olds, news, wanted, at_once)
        if move.word == "done":
            break
        if move.word == "await":
            news = [replace(one, good=True) if one.id in move.ids else one for one in news]
        elif move.word == "start":
            assert len(olds) + len(news) + move.many <= max(len(old), wanted) + max(at_once, wanted) + new
            news += [Standing(f"new-{made + number}", False) for number in range(move.many)]
            made += move.many
        else:
            olds = [one for one in olds if one.id not in move.ids]
            news = [one for one in news if one.id not in move.ids]
        assert sum(one.good for one in olds + news) >= fewest
    assert (len(olds), len(news)) == (0, wanted)


def test_the_usual_way() -> None:
    """Given two old replicas, then one new is begun, waited for, and only then one old retired."""
    olds, words = [Standing("a", True), Standing("b", True)], []
    move = next_move(olds, [], 2, 1)
    words.append((move.word, move.many))
    move = next_move(olds, [Standing("c", False)], 2, 1)
    words.append((move.word, len(move.ids)))
    move = next_move(olds, [Standing("c", True)], 2, 1)
    words.append((move.word, len(move.ids)))
    assert words == [("start", 1), ("await", 1), ("retire", 1)]


@pytest.mark.parametrize(
    ("replica", "up", "verdict"),
    [
        (HEALTHY, True, "ready"),
        (HEALTHY, None, "ready"),
        (HEALTHY, False, "waiting"),
        (replace(HEALTHY, health="starting"), True, "waiting"),
        (replace(HEALTHY, health="unhealthy"), True, "failed"),
        (replace(HEALTHY, health=""), True, "waiting"),
        (replace(HEALTHY, state="exited", exit_code=3), True, "failed"),
        (replace(HEALTHY, restarts=1), True, "failed"),
        (replace(HEALTHY, state="created"), None, "waiting"),
        (None, True, "failed"),
    ],
)
def test_the_gate(replica: Replica | None, up: bool | None, verdict: str) -> None:
    """Given what engine and proxy say, then only a replica that both vouch for is ready, and a dead one fails."""
    found, why = gate(replica, up, settled=False)
    assert (found, bool(why)) == (verdict, verdict != "ready")


def test_a_replica_without_a_health_check_has_to_settle() -> None:
    """Given no health check, then it is believed after a moment."""
    assert gate(replace(HEALTHY, health=""), None, settled=True) == ("ready", "")


def test_the_way_back_is_patient() -> None:
    """Given an unhealthy old replica, then it is waited for when there is nothing better; a dead one is not."""
    assert gate(replace(HEALTHY, health="unhealthy"), True, True, patient=True)[0] == "waiting"
    assert gate(replace(HEALTHY, state="exited"), True, True, patient=True)[0] == "failed"
    assert "code 7" in broken(replace(HEALTHY, state="exited", exit_code=7))


@pytest.mark.parametrize(
    ("asked", "failed", "limit", "too_many"),
    [
        (0, 0, 0.01, False),
        (1, 1, 0.01, True),
        (100, 1, 0.01, False),
        (10, 3, 0.01, True),
        (10_000, 100, 0.01, False),
        (10_000, 130, 0.01, True),
        (50, 1, 0.0, True),
        (50, 50, 1.0, False),
    ],
)
def test_errors(asked: int, failed: int, limit: float, too_many: bool) -> None:
    """Given counts, then only a rate that is surely above the limit is too great."""
    assert too_many_errors(asked, failed, limit) is too_many


@given(asked=st.integers(0, 10**9), failed=st.integers(0, 10**9), limit=st.floats(0, 1))
def test_a_rate_at_or_below_the_limit_never_counts(asked: int, failed: int, limit: float) -> None:
    """Given any counts, then what is within the limit is never too many, and more failures never make it better."""
    failed = min(asked, failed)
    if asked and failed / asked <= limit:
        assert not too_many_errors(asked, failed, limit)
    if too_many_errors(asked, failed, limit) and failed < asked:
        assert too_many_errors(asked, failed + 1, limit)


@pytest.mark.parametrize(
    ("noted", "old", "new", "configured", "wanted"),
    [
        (None, 2, 0, 3, 2),  # scaled by hand: it stays so
        (None, 0, 0, 3, 3),
        (None, 2, 1, 2, 2),  # killed with one too many
        (None, 1, 1, 2, 2),
        (4, 1, 1, 2, 4),
        (None, 4, 1, 2, 4),
        (None, 0, 0, 0, 1),
    ],
)
def test_how_many_replicas(noted: int | None, old: int, new: int, configured: int, wanted: int) -> None:
    """Given what runs and what was noted, then a service keeps the number that it had."""
    assert wanted_of(noted, old, new, configured) == wanted


def test_where_a_failure_leads_back_to() -> None:
    """Given what ran, then that; given a run that was killed when all was replaced, then what it had noted."""
    old = Replica("2", "app-2", "app", OLD, "running", "healthy")
    assert previous_of(NEW, [old, HEALTHY], None) == OLD
    assert previous_of(NEW, [HEALTHY], Note(NEW, OLD, {}, 0)) == OLD
    assert previous_of(NEW, [HEALTHY], None) == OLD  # by its label
    assert previous_of(NEW, [], None) is None
    # The same version of another image is another release.
    rebuilt = replace(NEW, image_id="sha256:c")
    assert previous_of(rebuilt, [HEALTHY], None) == NEW


def test_where_a_person_goes_back_to() -> None:
    """Given labels, then the release before; given an unfinished one, then what it was to replace."""
    assert back_from([HEALTHY], None) == OLD
    assert back_from([HEALTHY], Note(Release("1.2", "app:1.2"), NEW, {}, 0)) == NEW
    assert back_from([replace(HEALTHY, previous=None)], None) is None


def test_what_belongs_to_a_release() -> None:
    """Given version and image, then both must be equal, and what is to be replaced again never belongs."""
    assert belongs(HEALTHY, NEW)
    assert not belongs(HEALTHY, replace(NEW, image_id="sha256:c"))
    assert not belongs(HEALTHY, replace(NEW, version="1.2"))
    assert not belongs(HEALTHY, NEW, {"1"})


@pytest.mark.parametrize("terms", [{"at_once": 0}, {"max_error_rate": 1.5}, {"watch": -1}, {"ready_timeout": 0}])
def test_terms_that_cannot_be(terms: dict[str, float]) -> None:
    """Given a number out of its range, then it is refused by name."""
    with pytest.raises(ValueError, match="expected"):
        Terms(**terms)  # type: ignore[arg-type]  # whole numbers are floats here
