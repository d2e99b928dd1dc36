"""A hundred callers of one cold key, threads and tasks of five processes: one of them computes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store
from tests.backends import KINDS, TIERED
from tests.crowd import crowd

pytestmark = pytest.mark.fault

PROCESSES, CALLERS = 5, 10


def say(word: object) -> None:
    """What a child tells the test."""
    print(word)  # noqa: T201 - the child's voice


def ask(url: str, ledger: str, start: str) -> None:
    """A process whose ten threads and ten tasks ask for one key at once; a computation leaves a line in the ledger."""

    def load() -> str:
        with Path(ledger).open("a") as lines:
            lines.write("computed\n")
        time.sleep(0.5)
        return "value"

    with closing(open_store(url, timeout=10.0)) as store, CacheManager(store) as cache, ThreadPoolExecutor() as pool:

        def call() -> str:
            return cache.get_or_set("k", load, fresh=60, tags=["t"])

        async def tasks() -> list[str]:
            calls = (cache.aio.get_or_set("k", load, fresh=60, tags=["t"]) for _ in range(CALLERS))
            return await asyncio.gather(*calls)

        cache.get("warm")
        say("ready")
        while not Path(start).exists():
            time.sleep(0.005)
        threads = [pool.submit(call) for _ in range(CALLERS)]
        say([*asyncio.run(tasks()), *(thread.result() for thread in threads)].count("value"))


@pytest.mark.parametrize("kind", [*KINDS[1:], TIERED])
def test_threads_and_tasks_of_five_processes_compute_once(
    url_of: Callable[[str], str], tmp_path: Path, kind: str
) -> None:
    """On every store that processes can share."""
    ledger, start = tmp_path / "ledger", tmp_path / "start"
    calls = [(url_of(kind), str(ledger), str(start))] * PROCESSES
    with crowd(ask, *calls) as children:
        assert [child.line() for child in children] == ["ready"] * PROCESSES
        start.touch()
        assert [child.line() for child in children] == [str(2 * CALLERS)] * PROCESSES
        assert [child.wait() for child in children] == [0] * PROCESSES
    assert ledger.read_text().splitlines() == ["computed"]
