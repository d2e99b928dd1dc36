"""Somebody sets the clock, an hour back or forth: nothing lives longer for it, and nothing ends early."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from postrmagic_core.stores import Store, acquire, leased, open_store
from postrmagic_core.stores.adapters import _machine_time
from postrmagic_core.stores.scripts import GCRA, NOW
from postrmagic_core.testing import FakeClock, spawn
from tests.backends import KINDS, TIMEOUT

pytestmark = pytest.mark.fault

HOUR = 3600.0
JUMPS = pytest.mark.parametrize("jump", [-HOUR, HOUR], ids=["back", "forth"])


class Timed:
    """A store, and letting its time pass: by the clock it was given, or by the server's own."""

    def __init__(self, url: str) -> None:
        self.clock = FakeClock()
        self.store: Store = open_store(url, timeout=TIMEOUT, clock=self.clock)
        # Seconds of something short; a server's pass while a busy machine does something else.
        self.life = 1.0 if self.store.clock == "store" else 0.5

    def passes(self, seconds: float) -> None:
        """Let that much of the store's time pass, and a little."""
        if self.store.clock == "store":
            time.sleep(seconds * 1.1)
        self.clock.advance(seconds * 1.1)


@pytest.fixture(params=KINDS)
def timed(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[Timed]:
    """One of each kind; a server's clock is its own business, this process's is set."""
    timed = Timed(url_of(request.param))
    with closing(timed.store):
        yield timed


@JUMPS
def test_a_value_lives_its_time_and_no_longer(timed: Timed, jump: float) -> None:
    """Stored before the jump, and stored after it."""
    timed.store.set({b"long": b"v"}, 600_000)
    timed.store.set({b"short": b"v"}, 300)
    timed.clock.jump(jump)
    assert timed.store.get([b"long"]) == [b"v"]
    timed.passes(0.3)
    assert timed.store.get([b"long", b"short"]) == [b"v", None]
    timed.store.set({b"after": b"v"}, int(timed.life * 1000))
    assert timed.store.get([b"after"]) == [b"v"]
    timed.passes(timed.life)
    assert timed.store.get([b"long", b"after"]) == [b"v", None]


@JUMPS
def test_a_lease_lasts_its_time_and_no_longer(timed: Timed, jump: float) -> None:
    """Nobody gets it early, its owner does not believe in it longer than the store, and the next fence is higher."""
    first = acquire(timed.store, b"lease", ttl=timed.life, clock=timed.clock)
    assert first is not None
    timed.clock.jump(jump)
    assert 0 < first.left <= timed.life
    assert acquire(timed.store, b"lease", ttl=timed.life, clock=timed.clock) is None
    timed.passes(timed.life)
    assert first.left == 0
    with leased(timed.store, b"lease", ttl=60, wait=0, clock=timed.clock) as second:
        assert second.fence > first.fence
        assert not first.renew()
        assert not first.release()


@JUMPS
def test_a_limit_admits_neither_more_nor_less(timed: Timed, jump: float) -> None:
    """One that is used up stays so, and comes back in its own time."""
    tenth_of_an_hour = 360_000_000
    assert timed.store.run(GCRA, [b"long"], [tenth_of_an_hour, 1])[0] == 1
    assert timed.store.run(GCRA, [b"short"], [100_000, 1])[0] == 1
    timed.clock.jump(jump)
    assert timed.store.run(GCRA, [b"long"], [tenth_of_an_hour, 1])[0] == 0
    timed.passes(0.1)
    assert timed.store.run(GCRA, [b"short"], [100_000, 1])[0] == 1


@JUMPS
def test_the_stores_time_goes_on(timed: Timed, jump: float) -> None:
    """What is told as the store's time, and ends are named by, does not jump."""
    [before] = timed.store.run(NOW, [], [])
    timed.clock.jump(jump)
    [after] = timed.store.run(NOW, [], [])
    assert 0 <= after - before < 60_000_000


@pytest.mark.parametrize(
    "kind", [pytest.param("mariadb", marks=pytest.mark.mysql), pytest.param("redis", marks=pytest.mark.redis)]
)
@JUMPS
def test_hosts_whose_clocks_differ_agree(url_of: Callable[[str], str], kind: str, jump: float) -> None:
    """What one stores for a minute the other reads, though its clock is an hour away: the server's counts."""
    url, away = url_of(kind), FakeClock()
    away.jump(jump)
    with closing(open_store(url, timeout=5.0)) as here, closing(open_store(url, timeout=5.0, clock=away)) as there:
        here.set({b"here": b"v"}, 60_000)
        there.set({b"there": b"v"}, 60_000)
        assert here.get([b"here", b"there"]) == there.get([b"here", b"there"]) == [b"v", b"v"]
        assert acquire(there, b"lease", ttl=60) is not None
        assert acquire(here, b"lease", ttl=60) is None


def write(url: str, ahead: float) -> None:
    """A process that begins when the machine's clock is so many seconds ahead, and stores something for a minute."""
    real = time.time_ns
    time.time_ns = lambda: real() + int(ahead * 1e9)  # the machine's clock, as it sees it
    with closing(open_store(url, timeout=5.0)) as store:
        store.set({b"theirs": b"v"}, 60_000)
        [value] = store.get([b"ours"])
        [now] = store.run(NOW, [], [])
        print(value is not None, now)  # noqa: T201 - the parent reads it


@JUMPS
def test_a_process_that_begins_after_the_jump_agrees(url_of: Callable[[str], str], jump: float) -> None:
    """On a file: both read what the other stored, and tell the same time."""
    url = url_of("sqlite")
    with closing(open_store(url, timeout=5.0)) as store:
        store.set({b"ours": b"v"}, 60_000)
        with spawn(write, url, jump) as child:
            found, now = child.line().split()
        assert found == "True"
        assert abs(store.run(NOW, [], [])[0] - int(now)) < 60_000_000
        assert store.get([b"theirs", b"ours"]) == [b"v", b"v"]


def test_the_machines_next_start_is_another_time(url_of: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What elapsed since an earlier start means nothing: the wall clock is asked again."""
    url = url_of("sqlite")
    with closing(open_store(url)) as store:
        store.set({b"k": b"v"}, 600_000)
        [before] = store.run(NOW, [], [])
    monkeypatch.setattr(_machine_time, "start", lambda: "another start")
    monkeypatch.setattr(_machine_time, "elapsed", lambda: 1.0)
    with closing(open_store(url)) as store:
        assert abs(store.run(NOW, [], [])[0] - before) < 60_000_000
        assert store.get([b"k"]) == [b"v"]
