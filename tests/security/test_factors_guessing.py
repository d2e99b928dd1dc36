"""Guessing is slowed: in a challenge soon, for a user later, for recovery codes never, and nobody is locked out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.limits import Limit, RateLimiter
from postrmagic_core.security.factors import Enrolment, FactorDecision, GuessLimits
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock
from tests.backends import Flaky
from tests.security.factors_rig import ALICE, BOB, Rig, events, listen, rigged

DELAYED = "delayed"


@pytest.fixture(params=["own", "given"])
def rig(request: pytest.FixtureRequest, database: DatabaseManager, ring: KeyRing) -> Iterator[Rig]:
    """The default limits, counted in this process, or by a limiter that was given; both by the test's clock."""
    clock = FakeClock()
    with ExitStack() as opened:
        limiter = None
        if request.param == "given":
            limiter = opened.enter_context(RateLimiter(MemoryStore(clock=clock), clock=clock))
        yield opened.enter_context(rigged(database, ring, clock=clock, limits=GuessLimits(), limiter=limiter))


def guess(rig: Rig, enrolment: Enrolment, challenge: str, times: int, user_id: str = ALICE) -> list[str]:
    """What so many wrong codes are told."""
    wrong = rig.wrong(enrolment)
    return [rig.verify(user_id, wrong, challenge=challenge).reason for _ in range(times)]


def test_five_wrong_codes_delay_the_challenge(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Then not even the right one is looked at; in another challenge the user passes at once."""
    enrolment, _ = rig.enabled()
    code = rig.code(enrolment)
    listen(caplog)
    assert guess(rig, enrolment, "the attacker's", 7) == ["wrong"] * 5 + [DELAYED] * 2
    delayed = rig.verify(ALICE, code, challenge="the attacker's")
    assert (delayed.accepted, delayed.reason) == (False, DELAYED)
    assert 0 < delayed.retry_after <= 60
    assert rig.verify(ALICE, code, challenge="the user's") == FactorDecision(True, "accepted")
    assert events(caplog) == ["security.factor_refused"] * 8 + ["security.factor_accepted"]


def test_a_delayed_code_was_not_used(rig: Rig) -> None:
    """When the delay is over it is still good, if its time is not over."""
    enrolment, _ = rig.enabled()
    guess(rig, enrolment, "one", 5)
    rig.clock.advance(60 - 31)
    assert rig.verify(ALICE, rig.code(enrolment), challenge="one").reason == DELAYED
    rig.clock.advance(31)
    assert rig.verify(ALICE, rig.code(enrolment), challenge="one")


def test_new_challenges_bring_no_new_guesses(rig: Rig) -> None:
    """Who has the password can begin any number: a user's guesses are counted over all of them."""
    enrolment, _ = rig.enabled()
    told = [reason for number in range(10) for reason in guess(rig, enrolment, f"challenge {number}", 5)]
    assert told.count("wrong") == 20
    rig.clock.advance(24 * 3600)
    told = [reason for number in range(10, 20) for reason in guess(rig, enrolment, f"challenge {number}", 5)]
    assert told.count("wrong") == 20


def test_a_day_of_guessing_finds_a_code_once_in_two_thousand(rig: Rig) -> None:
    """The bound that the limits' description names: guesses in a day, each right with 2 in 1,000,000."""
    user = GuessLimits().user
    assert (user.burst + user.amount * 86_400 / user.period) * 2 / 1_000_000 < 1 / 1_900


def test_whom_an_attacker_delays_recovers(rig: Rig) -> None:
    """While the attacker uses up all guesses of the user, recovery codes still open, and other users feel nothing."""
    enrolment, codes = rig.enabled()
    code = rig.code(enrolment)
    for number in range(5):
        guess(rig, enrolment, f"challenge {number}", 5)
    assert rig.verify(ALICE, code, challenge="the user's").reason == DELAYED
    assert rig.recover(ALICE, codes[0])
    other = rig.enrol(BOB)
    assert rig.confirm(BOB, rig.code(other)) is not None
    rig.clock.advance(30)
    assert rig.verify(BOB, rig.code(other), challenge="the attacker's")


def test_nobody_is_locked_out(rig: Rig) -> None:
    """Guesses come back by themselves: in a challenge after a minute, for a user after six."""
    enrolment, _ = rig.enabled()
    for number in range(5):
        guess(rig, enrolment, f"challenge {number}", 5)
    delayed = rig.verify(ALICE, rig.code(enrolment))
    assert delayed.retry_after <= 360
    rig.clock.advance(delayed.retry_after + 1)
    assert rig.verify(ALICE, rig.code(enrolment))


def test_a_challenge_is_one_users(rig: Rig) -> None:
    """An attacker who uses somebody's challenge id with his own name takes none of its guesses."""
    enrolment, _ = rig.enabled()
    code = rig.code(enrolment)
    guess(rig, enrolment, "the user's", 6, BOB)
    assert rig.verify(ALICE, code, challenge="the user's")


def test_parallel_guesses_pass_no_limit(rig: Rig) -> None:
    """Counted before they are looked at: of forty at once five are, in each challenge."""
    enrolment, _ = rig.enabled()
    with ThreadPoolExecutor(20) as pool:
        told = list(pool.map(lambda _: guess(rig, enrolment, "one", 2), range(20)))
    assert [reason for reasons in told for reason in reasons].count("wrong") == 5


def test_other_texts_take_no_guess(rig: Rig) -> None:
    """Five digits cannot be right: a slip of the finger costs nothing, and tells nobody anything."""
    enrolment, _ = rig.enabled()
    code = rig.code(enrolment)
    assert [rig.verify(ALICE, "12345", challenge="one").reason for _ in range(30)] == ["wrong"] * 30
    assert rig.verify(ALICE, code, challenge="one")


@pytest.mark.fault
def test_who_cannot_count_lets_nobody_pass(database: DatabaseManager, ring: KeyRing) -> None:
    """While the limiter's store is away every code is refused, whatever the limiter does elsewhere; then it heals."""
    store = Flaky()
    with RateLimiter(store, unavailable="open") as limiter, rigged(database, ring, limiter=limiter) as rig:
        enrolment, codes = rig.enabled()
        store.away = True
        refused = rig.verify(ALICE, rig.code(enrolment))
        assert (refused.accepted, refused.reason) == (False, DELAYED)
        assert refused.retry_after > 0
        assert rig.recover(ALICE, codes[0])
        store.away = False
        assert rig.verify(ALICE, rig.code(enrolment))


def test_the_counters_name_nobody(database: DatabaseManager, ring: KeyRing, store: Store) -> None:
    """Challenges may be session ids: no key of the store holds one, or a user."""
    seen: list[bytes] = []
    run = store.run

    def watched(script: object, keys: list[bytes], *args: object, **options: object) -> object:
        seen.extend(keys)
        return run(script, keys, *args, **options)  # type: ignore[arg-type]  # passed on

    store.run = watched  # type: ignore[assignment, method-assign]  # a spy on one store
    with RateLimiter(store) as limiter, rigged(database, ring, limiter=limiter) as rig:
        enrolment, _ = rig.enabled("alice")
        assert rig.verify("alice", rig.code(enrolment), challenge="the-session-id")
    assert len(seen) == 2
    assert not any(name in key for key in seen for name in (b"alice", b"the-session-id"))


@pytest.mark.redis
def test_processes_count_together(database_url: str, ring: KeyRing, redis_url: str) -> None:
    """Two instances over one store have one user's five guesses together."""
    with ExitStack() as opened:
        rigs = []
        for _ in range(2):
            store = opened.enter_context(closing(open_store(redis_url, timeout=5.0)))
            limiter = opened.enter_context(RateLimiter(store))
            manager = opened.enter_context(DatabaseManager(database_url))
            rigs.append(opened.enter_context(rigged(manager, ring, limiter=limiter, limits=GuessLimits())))
        enrolment, _ = rigs[0].enabled()
        told = [reason for rig in rigs * 3 for reason in guess(rig, enrolment, "one", 2)]
        assert told == ["wrong"] * 5 + [DELAYED] * 7


def test_limits_are_the_callers(database: DatabaseManager, ring: KeyRing) -> None:
    """Fewer guesses, where that is wanted."""
    few = GuessLimits(Limit("challenge", 1, 3600.0), Limit("user", 2, 3600.0))
    with rigged(database, ring, limits=few) as rig:
        enrolment, _ = rig.enabled()
        assert guess(rig, enrolment, "a", 2) + guess(rig, enrolment, "b", 2) + guess(rig, enrolment, "c", 1) == [
            "wrong",
            DELAYED,
            "wrong",
            DELAYED,
            DELAYED,
        ]
