"""The decisions about jobs, as values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._retry import RetryPolicy
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import UsageError
from postrmagic_core.jobs import JobQueue, policy
from postrmagic_core.jobs.interface import Claim, Outcome, Settlement
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


def test_a_cancelled_job_whose_worker_vanished_is_dropped() -> None:
    """However often it was delivered: nobody wants it, and nobody is left to be asked."""
    gone = [Candidate("a", 1, 2, abandoned=True, cancelled=True), Candidate("b", 3, 2, abandoned=True, cancelled=True)]
    assert choose([*gone, row("c")], free=2, busy=True) == Choice(("c",), drop=("a", "b"))


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
    assert (outcome.state, outcome.reason, outcome.error) == ("failed", "failed", "e")


@pytest.mark.parametrize(
    ("error", "retry_for", "give_up_on", "worth"),
    [
        (KeyError(), (), (), True),
        (KeyError(), (LookupError,), (), True),
        (KeyError(), (ValueError,), (), False),
        (KeyError(), (), (LookupError,), False),
        (KeyError(), (KeyError,), (LookupError,), False),
    ],
)
def test_a_task_says_which_errors_another_try_may_cure(
    error: Exception, retry_for: tuple[type[Exception], ...], give_up_on: tuple[type[Exception], ...], worth: bool
) -> None:
    """By class; what is given up on wins."""
    assert policy.worth_a_try(error, retry_for, give_up_on) is worth


@pytest.mark.parametrize("state", ["queued", "retrying"])
def test_a_cancelled_job_does_not_come_again(state: Any) -> None:
    """What would have been another try is its end; what it told last is kept."""
    again = Outcome(state, progress=b"half")
    assert policy.heeding(again, cancelled=True) == Outcome("cancelled", progress=b"half")
    assert policy.heeding(again, cancelled=False) is again


def test_a_cancelled_job_that_came_to_its_end_has_that_end() -> None:
    """Nobody undoes what it did."""
    done = Outcome("succeeded")
    assert policy.heeding(done, cancelled=True) is done


def test_short_jobs_are_fetched_ahead_and_long_ones_are_not() -> None:
    """As many as the threads end within 5 ms, four to a thread at most; none while nobody knows."""
    assert [policy.appetite(2, mean) for mean in (None, 0.0, 0.001, 0.004, 0.0051, 1.0)] == [0, 8, 8, 2, 1, 0]


def test_what_is_due_soonest_counts_settlements_too() -> None:
    """A try that comes again in a second is sooner than a row due in five."""
    again = Settlement(Claim("a", "q", "t", 1, b"", 1, 1), Outcome("retrying", delay=1.0))
    ended = Settlement(Claim("b", "q", "t", 1, b"", 1, 1), Outcome("succeeded"))
    assert policy.earliest(5.0, [again, ended]) == 1.0
    assert policy.earliest(None, [again]) == 1.0
    assert policy.earliest(0.5, [again]) == 0.5
    assert policy.earliest(None, [ended]) is None


def test_no_queue_waits_for_another_to_run_empty() -> None:
    """Each turn begins with the next one, and takes from each in turn."""
    assert [policy.in_turn(["a", "b", "c"], turn) for turn in (0, 1, 5)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
    ]
    assert policy.in_turn([], 3) == []
    assert policy.shared([["a1", "a2", "a3"], [], ["c1"]], 3) == ["a1", "c1", "a2"]


@pytest.mark.parametrize(
    ("state", "scope", "started", "over", "free"),
    [
        (None, "until_done", False, False, True),
        ("queued", "until_done", False, False, False),
        ("retrying", "until_done", True, False, False),
        ("running", "until_done", True, False, False),
        ("failed", "until_done", True, False, True),
        ("queued", "until_start", False, False, False),
        ("running", "until_start", True, False, True),
        ("retrying", "until_start", True, False, True),
        ("cancelled", "until_start", False, False, True),
        (None, "window", False, False, False),
        ("succeeded", "window", True, False, False),
        ("running", "window", True, True, True),
    ],
)
def test_a_unique_key_is_free_by_its_job_s_state_or_by_time(
    state: Any, scope: Any, started: bool, over: bool, free: bool
) -> None:
    """Nothing has to be given back, so that no crash leaves a key behind."""
    assert policy.is_free(state, scope, started=started, over=over) is free


def test_a_unique_key_is_its_task_s_own_and_fits_its_column() -> None:
    """A long one, or none, is told by a digest."""
    assert policy.unique_key("mail", "user:7", b"") == "mail:user:7"
    assert policy.unique_key("mail", "", b"one") != policy.unique_key("mail", "", b"two")
    assert policy.unique_key("mail", "", b"one") != policy.unique_key("sms", "", b"one")
    for key in ("k" * 300, "\u00e9" * 150):
        name = policy.unique_key("t" * 200, key, b"")
        assert len(name.encode()) <= 200
        assert name != policy.unique_key("t" * 200, key + "x", b"")


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


def test_a_queue_checks_its_namespace_when_it_is_made() -> None:
    """Before anything is connected to."""
    with pytest.raises(ValueError, match="namespace"):
        JobQueue("redis://localhost/0", database=DatabaseManager("sqlite:///app.db"), namespace="app[1]")


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


def test_a_state_that_there_is_not_is_named() -> None:
    """A misspelt one would find nothing for ever; with those that there are."""
    assert policy.checked_states({"failed", "dead"}) == {"failed", "dead"}
    wrong: Any = {"waiting", "queued"}
    with pytest.raises(UsageError, match=r"no such state of a job: waiting; there are cancelled, dead, .*queued"):
        policy.checked_states(wrong)
