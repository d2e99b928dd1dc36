"""Whoever computes for all processes that share a store is killed, or paused past its lease."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store
from postrmagic_core.testing import spawn

TIMEOUT = 10.0
# Seconds; renewed every third of it, which a busy machine must manage.
LEASE = 1.0


def say(word: object) -> None:
    """What a child tells the test."""
    print(word)  # noqa: T201 - the child's voice


def until(signal: str) -> None:
    """Wait for the test, which makes the file: a child has no other ear."""
    while not Path(signal).exists():
        time.sleep(0.005)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store that processes share; the leases' Scripts are the same on every one."""
    return f"sqlite:///{tmp_path / 'kv.db'}"


def hold(url: str, ledger: str) -> None:
    """A process that computes for ever."""

    def load() -> None:
        with Path(ledger).open("a") as lines:
            lines.write("computed\n")
        say("computing")
        time.sleep(600)

    with CacheManager(open_store(url, timeout=TIMEOUT), lease=LEASE) as cache:
        cache.get_or_set("k", load, fresh=60)


def wait_for_value(url: str, ledger: str, start: str) -> None:
    """A process whose four callers wait for the computation elsewhere, and make the next one."""

    def load() -> str:
        with Path(ledger).open("a") as lines:
            lines.write("computed\n")
        return "value"

    store = open_store(url, timeout=TIMEOUT)
    with CacheManager(store, lease=LEASE) as cache, ThreadPoolExecutor(4) as pool:
        until(start)
        say("waiting")
        say(sum(one == "value" for one in pool.map(lambda _: cache.get_or_set("k", load, fresh=60), range(4))))
    store.close()


def test_a_killed_holder_costs_one_more_computation(url: str, tmp_path: Path) -> None:
    """Its lease, renewed while it lived, ends by itself; of four callers one computes again."""
    ledger, start = tmp_path / "ledger", tmp_path / "start"
    with spawn(hold, url, str(ledger)) as holder, spawn(wait_for_value, url, str(ledger), str(start)) as waiter:
        assert holder.line() == "computing"
        start.touch()
        assert waiter.line() == "waiting"
        # Longer than the lease: that nobody computes meanwhile is the holder's renewing.
        time.sleep(1.2 * LEASE)
        assert len(ledger.read_text().splitlines()) == 1
        holder.kill()
        assert waiter.line() == "4"
    assert len(ledger.read_text().splitlines()) == 2


def test_a_holder_that_was_paused_past_its_lease_stores_nothing(url: str, tmp_path: Path) -> None:
    """Woken up, it may return its value but not overwrite the one computed since."""
    ledger = tmp_path / "ledger"
    start, go = tmp_path / "start", tmp_path / "go"
    with spawn(slow, url, str(go)) as holder, spawn(wait_for_value, url, str(ledger), str(start)) as waiter:
        assert holder.line() == "computing"
        holder.pause()
        start.touch()
        assert [waiter.line(), waiter.line()] == ["waiting", "4"]
        go.touch()
        holder.resume()
        assert holder.line() == "overtaken"
        assert holder.line() == "value"


def slow(url: str, go: str) -> None:
    """A process that computes until told, and then says what it got and what is stored."""

    def load() -> str:
        say("computing")
        until(go)
        return "overtaken"

    store = open_store(url, timeout=TIMEOUT)
    with CacheManager(store, lease=LEASE) as cache:
        say(cache.get_or_set("k", load, fresh=60))
        say(cache.get("k"))
    store.close()
