"""Five processes of fifty callers that all ask for one cold key: how often it is computed, and if its holder dies."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from multiprocessing.synchronize import Barrier
from typing import Any, Literal

from postrmagic_core.cache import CacheManager
from postrmagic_core.stores import open_store

from ._processes import forked

PROCESSES, CALLERS = 5, 50
# Seconds a computation takes: long enough that every caller comes while it runs.
WORK = 0.3
# A busy machine must not turn a waiter into a second computer.
_TIMEOUT, _LEASE = 10.0, 2.0
_PATIENCE = 60.0


def computations(url: str, face: Literal["threads", "asyncio"], rounds: int) -> int:
    """The most computations that any of ``rounds`` cold keys cost."""
    return counted(_threads if face == "threads" else _tasks, url, rounds)


def counted(target: Callable[[str, str, Any, Barrier], None], url: str, rounds: int) -> int:
    """The same of ``target``, which each process calls with the URL, a name nobody has, the counts and a barrier."""
    context = forked(__name__)
    barrier, counts = context.Barrier(PROCESSES), context.Array("i", rounds)
    namespace = secrets.token_hex(8)
    processes = [context.Process(target=target, args=[url, namespace, counts, barrier]) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a caller of the cold key failed")
    return max(int(count) for count in counts)  # type: ignore[attr-defined]  # typeshed knows no iteration


def killed(url: str) -> int:
    """How often the key is computed when the process that computes is killed in the middle."""
    context = forked(__name__)
    barrier, holder, count = context.Barrier(PROCESSES), context.Value("i", 0), context.Value("i", 0)
    given = [url, secrets.token_hex(8), holder, count, barrier]
    processes = [context.Process(target=_doomed, args=given) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    until = time.monotonic() + _PATIENCE
    while not holder.value:
        if time.monotonic() > until:
            raise TimeoutError("nobody computed")
        time.sleep(0.01)
    # Longer than a lease: that nobody computes meanwhile is the holder's renewing.
    time.sleep(1.5 * _LEASE)
    os.kill(holder.value, signal.SIGKILL)
    for process in processes:
        process.join()
    if sorted(process.exitcode or 0 for process in processes) != [-signal.SIGKILL] + [0] * (PROCESSES - 1):
        raise RuntimeError("a caller of the cold key failed")
    return int(count.value)


@contextmanager
def _cache(url: str, namespace: str) -> Iterator[CacheManager]:
    given: dict[str, Any] = {"namespace": namespace, "lease": _LEASE}
    with closing(open_store(url, timeout=_TIMEOUT)) as store, CacheManager(store, **given) as cache:
        yield cache


def _threads(url: str, namespace: str, counts: Any, barrier: Barrier) -> None:
    with _cache(url, namespace) as cache:
        for turn in range(len(counts)):
            _ask(cache, f"threads {turn}", partial(computed, counts, turn), barrier)


def _ask(cache: CacheManager, key: str, compute: Callable[[], str], barrier: Barrier) -> None:
    ask_at_once(partial(cache.get_or_set, key, compute, fresh=600, tags=["cold"]), barrier)


def ask_at_once(ask: Callable[[], object], barrier: Barrier) -> None:
    """Let fifty threads ask at once, when those of every process are ready."""
    start = threading.Barrier(CALLERS + 1)

    def caller() -> object:
        start.wait(_PATIENCE)
        return ask()

    with ThreadPoolExecutor(CALLERS) as pool:
        asked = [pool.submit(caller) for _ in range(CALLERS)]
        barrier.wait(_PATIENCE)
        start.wait(_PATIENCE)
        if [each.result() for each in asked] != ["value"] * CALLERS:
            raise AssertionError("a caller got something else")


def _tasks(url: str, namespace: str, counts: Any, barrier: Barrier) -> None:
    async def ask(cache: CacheManager, turn: int) -> None:
        async def compute() -> str:
            with counts.get_lock():
                counts[turn] += 1
            await asyncio.sleep(WORK)
            return "value"

        asked = (cache.aio.get_or_set(f"tasks {turn}", compute, fresh=600, tags=["cold"]) for _ in range(CALLERS))
        if await asyncio.gather(*asked) != ["value"] * CALLERS:
            raise AssertionError("a caller got something else")

    with _cache(url, namespace) as cache, asyncio.Runner() as runner:
        for turn in range(len(counts)):
            barrier.wait(_PATIENCE)
            runner.run(ask(cache, turn))


def computed(counts: Any, turn: int) -> str:
    """The value, after the work; the computation is counted."""
    with counts.get_lock():
        counts[turn] += 1
    time.sleep(WORK)
    return "value"


def _doomed(url: str, namespace: str, holder: Any, count: Any, barrier: Barrier) -> None:
    def compute() -> str:
        with count.get_lock():
            count.value += 1
            first = count.value == 1
        if first:
            holder.value = os.getpid()
            time.sleep(10 * _PATIENCE)
        return "value"

    with _cache(url, namespace) as cache:
        _ask(cache, "doomed", compute, barrier)
