"""The decisions about jobs, as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._retry import RetryPolicy
from postrmagic_core.jobs import policy
from postrmagic_core.jobs.policy import Candidate, Choice, choose


def row(job_id: str, deliveries: int = 0, retries: int = 2, *, abandoned: bool = False) -> Candidate:
    return Candidate(job_id, deliveries, retries, abandoned)


def test_takes_the_oldest_first_and_no_more_than_are_free() -> None:
    """Three are due and two threads are free: the first two are taken."""
    assert choose([row("a"), row("b"), row("c")], free=2, busy=False) == Choice(("a", "b"))


def test_buries_a_job_whose_worker_vanished_at_its_last_delivery() -> None:
    """retries=2 allows three deliveries; the third vanished too."""
    assert choose([row("a", 3, abandoned=True), row("b")], free=2, busy=True) == Choice(("b",), ("a",))


def test_does_not_bury_a_job_that_only_failed() -> None:
    """A row that waits reported its failures itself: another try was promised."""
    assert choose([row("a", 3)], free=1, busy=False) == Choice(("a",))


def test_the_last_delivery_of_an_abandoned_job_runs_alone() -> None:
    """It may be a killer, or have only shared a process with one: alone it shows."""
    assert choose([row("a", 2, abandoned=True), row("b")], free=2, busy=False) == Choice(("a",), alone=True)


def test_a_busy_process_comes_to_rest_before_it_takes_such_a_job() -> None:
    """What is newer waits, so that a stream of jobs cannot starve it."""
    assert choose([row("a", 2, abandoned=True), row("b")], free=2, busy=True) == Choice()


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.booleans()), max_size=8),
    st.integers(0, 4),
    st.booleans(),
)
def test_no_choice_exceeds_its_bounds(rows: list[tuple[int, int, bool]], free: int, busy: bool) -> None:
    """Whatever is due: no more than free are taken, nothing is both taken and buried, and alone means alone."""
    candidates = [row(str(n), *values[:2], abandoned=values[2]) for n, values in enumerate(rows)]
    choice = choose(candidates, free=max(free, 1), busy=busy)
    assert len(choice.take) <= max(free, 1)
    assert not set(choice.take) & set(choice.bury)
    assert not choice.alone or (len(choice.take) == 1 and not busy)


def test_a_failed_try_waits_up_to_twice_as_long_each_time() -> None:
    """Exponential back-off with full jitter, here at its upper end."""
    backoff = RetryPolicy(attempts=4, base=2.0, cap=100.0)
    delays = [policy.after_failure(n, 3, backoff, 0.5, ("e", "f")).delay for n in (1, 2, 3)]
    assert delays == [1.0, 2.0, 4.0]


def test_after_the_last_try_the_job_is_a_dead_letter() -> None:
    """retries=3: the fourth failure is the last."""
    outcome = policy.after_failure(4, 3, RetryPolicy(attempts=4), 0.5, ("e", "f"))
    assert (outcome.state, outcome.reason, outcome.error) == ("dead", "failed", "e")


def test_one_error_has_one_fingerprint() -> None:
    """Type and place make it; another place makes another."""
    here = policy.fingerprint_of("ValueError", [("a.py", "f")])
    assert here == policy.fingerprint_of("ValueError", [("a.py", "f")])
    assert here != policy.fingerprint_of("ValueError", [("a.py", "g")])
    assert len(here) == 16


def test_sweeps_slow_down_to_one_a_second() -> None:
    """0.2, 0.4, 0.8, 1, 1 … seconds."""
    assert [policy.sweep_delay(n) for n in (0, 1, 2, 3, 100)] == [0.2, 0.4, 0.8, 1.0, 1.0]


def test_a_row_that_is_soon_due_is_looked_for_in_time() -> None:
    """One that is due already and was not taken is another's, or waits for a rest: no hurry."""
    assert policy.sweep_delay(5, 0.3) == 0.3
    assert policy.sweep_delay(5, 60.0) == 1.0
    assert policy.sweep_delay(5, 0.001) == 0.01
    assert policy.sweep_delay(5, -3.0) == 1.0


@pytest.mark.parametrize("namespace", ["", "app[1]", "a*", "a b", "ä", "x" * 65, "a\n"])
def test_a_namespace_that_redis_would_read_as_a_pattern_is_refused(namespace: str) -> None:
    """dramatiq's recovery asks KEYS: with app[1] a job was lost for good."""
    with pytest.raises(ValueError, match="namespace"):
        policy.checked_namespace(namespace)


@pytest.mark.parametrize("queue", ["", "a*", "1a", "a b", "a.DQ", "a.XQ", "a.msgs", "a:b", "x" * 65])
def test_a_queue_name_that_brokers_could_mistake_is_refused(queue: str) -> None:
    """Also the suffixes by which dramatiq names its own keys."""
    with pytest.raises(ValueError, match="queue name"):
        policy.checked_queue(queue)


def test_ordinary_names_are_accepted() -> None:
    """What the settings accept as a namespace, and dramatiq as a queue."""
    assert policy.checked_namespace("shop:prod-1.eu") == "shop:prod-1.eu"
    assert policy.checked_queue("mail_out.high-1") == "mail_out.high-1"
    assert policy.checked_task("shop.mail.<locals>.send") == "shop.mail.<locals>.send"
