"""Ten thousand transactions while everything dies: none lost, none of a rolled-back one, each effect once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from postrmagic_core.testing.history import History, total_queue
from tests.jobs import chaos

pytestmark = pytest.mark.fault

Opened = Callable[[str], chaos.Shop]


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[Opened]:
    """A factory of shops whose servers and processes end with the test."""
    with ExitStack() as stack:
        yield lambda place: chaos.opened(stack, place, tmp_path)


def outlive(shop: chaos.Shop, transactions: int, seed: int) -> None:
    """Make the transactions under fire; whatever died, nothing is lost and nothing happens twice."""
    rng = random.Random(seed)
    chaos.run(shop, apps=2, transactions=transactions, rng=rng, pause=lambda: 0.2 + 0.6 * rng.random())
    chaos.drained(shop, timeout=chaos.LEASE + 60)
    ledger = chaos.ledger_of(shop)
    assert len(ledger.committed) > transactions / 2
    assert ledger.ticks
    assert shop.killed
    assert not any(ledger.verdict().values()), (seed, ledger.verdict())
    recovered = chaos.recoveries(shop)
    assert all(seconds <= chaos.LEASE + 10 for seconds in recovered), sorted(recovered)[-5:]


SEED = random.randrange(10**6)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", ["sqlite", pytest.param("sqlite+redis", marks=pytest.mark.redis)])
def test_nothing_is_lost(open_shop: Opened, place: str) -> None:
    """The short form: embedded, where applications and workers are killed; and with Redis, which is killed too."""
    outlive(open_shop(place), 60, SEED)


@pytest.mark.soak
@pytest.mark.mysql
@pytest.mark.redis
@pytest.mark.rabbitmq
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("place", chaos.PLACES)
def test_nothing_of_ten_thousand_is_lost(open_shop: Opened, place: str) -> None:
    """The long form, on every broker, with the servers killed too."""
    outlive(open_shop(place), 10_000, SEED)


HELD = 20
"""Jobs that a worker of four threads holds at most: one for each thread, and four ahead."""


def work_off(shop: chaos.Shop, jobs: int, seconds: float, timeout: float) -> None:
    """Five workers, killed at random: every job runs, no other does, and none twice but those that a kill hit."""
    names = [f"{number}" for number in range(jobs)]
    chaos.work_off(shop, names=names, workers=5, seconds=seconds, rng=random.Random(SEED))
    chaos.drained(shop, timeout=chaos.LEASE + timeout)
    history = chaos.begun(shop, names)
    found = total_queue(history.ops).found
    starts = sum(op.f == "dequeue" for op in history.ops)
    assert shop.killed
    assert not found["lost"] | found["unexpected"], SEED
    assert starts - jobs <= len(shop.killed) * HELD, (SEED, starts, len(shop.killed))


@pytest.mark.parametrize("place", ["sqlite", pytest.param("sqlite+redis", marks=pytest.mark.redis)])
def test_a_backlog_is_worked_off_by_workers_that_are_killed(open_shop: Opened, place: str) -> None:
    """The short form."""
    work_off(open_shop(place), 400, 2, timeout=10)


@pytest.mark.soak
@pytest.mark.mysql
@pytest.mark.redis
@pytest.mark.rabbitmq
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("place", chaos.PLACES)
def test_a_backlog_of_a_hundred_thousand_is_worked_off(open_shop: Opened, place: str) -> None:
    """The long form: two minutes of kills."""
    work_off(open_shop(place), 100_000, 120, timeout=600)


def planted(
    committed: set[str], effects: dict[str, int], told: dict[tuple[str, str], int] | None = None, ticks: int = 1
) -> dict[str, object]:
    """The verdict on a run whose transactions 0 and 1 were acknowledged and whose 2 was rolled back."""
    history = History()
    for name, end in (("a-0", "ok"), ("a-1", "ok"), ("a-2", "fail")):
        history.add(1, "invoke", "enqueue", name)
        history.add(1, end, "enqueue", name)  # type: ignore[arg-type]  # a literal in a loop
    for name, times in effects.items():
        for _ in range(times):
            history.add(0, "ok", "dequeue", name)
    heard = Counter(dict.fromkeys((("bill", "a-0"), ("thank", "a-0")), 1) if told is None else told)
    ledger = chaos.Ledger(history.ops, frozenset(committed), Counter(effects), heard, Counter({"noon": ticks}))
    return {name: found for name, found in ledger.verdict().items() if found}


def test_the_checker_sees_what_is_wrong() -> None:
    """A lost effect, a repeated one, one of a rolled-back transaction, a commit that was not: each is named."""
    both, right = {"a-0", "a-1"}, {"a-0": 1, "a-1": 1}
    assert planted(both, right) == {}
    assert planted(both, {"a-0": 1}) == {"lost": ["a-1"]}
    assert planted(both, {"a-0": 1, "a-1": 2}) == {"more than once": ["a-1"]}
    assert planted(both, right | {"a-2": 1}) == {"of no committed transaction": ["a-2"]}
    acknowledged = {"acknowledged but not committed": ["a-1"], "of no committed transaction": ["a-1"]}
    assert planted({"a-0"}, right) == acknowledged
    assert planted({"a-0"}, {"a-0": 1}) == {"acknowledged but not committed": ["a-1"], "lost": ["a-1"]}
    assert planted(both | {"a-2"}, right | {"a-2": 1}) == {"rolled back but committed": ["a-2"]}


def test_the_checker_sees_what_is_wrong_with_events_and_ticks() -> None:
    """A listener that heard nothing, twice, or of what was rolled back; a tick fired twice."""
    both, right = {"a-0", "a-1"}, {"a-0": 1, "a-1": 1}
    bill, thank = ("bill", "a-0"), ("thank", "a-0")
    assert planted(both, right, {bill: 1}) == {"heard by nobody": [thank]}
    assert planted(both, right, {bill: 2, thank: 1}) == {"heard more than once": [bill]}
    stranger = ("bill", "a-3")
    assert planted(both, right, {bill: 1, thank: 1, stranger: 1}) == {"heard of no committed transaction": [stranger]}
    assert planted(both, right, ticks=2) == {"ticks more than once": ["noon"]}
