"""What the cache contract works with: a cache by either face, a store that can be away, computations that wait."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Protocol, TypeVar

from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import BackendUnavailable

from .through import Through, close_native

T = TypeVar("T")

# Seconds after which what must end soon counts as never ending: far more than a busy machine needs.
SOON = 20.0


class Opener(Protocol):
    """Opens a cache; see :meth:`__call__`."""

    def __call__(self, on: Any = ..., **options: Any) -> CacheManager:
        """An open cache on the test's store or ``on``, closed after the test; ``options`` are those of its class."""
        ...


class Face:
    """A cache's methods by name, on one face; both return when done."""

    def __init__(self, cache: CacheManager, runner: asyncio.Runner | None) -> None:
        self.cache = cache
        self.runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The method; where the face is async, run in the test's event loop."""
        if self.runner is None:
            return getattr(self.cache, name)  # type: ignore[no-any-return]  # looked up by name
        method, runner = getattr(self.cache.aio, name), self.runner
        if not inspect.iscoroutinefunction(method):
            return method  # type: ignore[no-any-return]  # looked up by name
        return lambda *args, **options: runner.run(method(*args, **options))

    def of(self, cache: CacheManager) -> Face:
        """Another cache by the same face, on the same event loop."""
        return Face(cache, self.runner)

    def together(self, caches: Sequence[CacheManager], work: Callable[[Any], Any]) -> list[Any]:
        """What ``work(cache)`` gives for each, all at once: in threads, or in tasks of one event loop."""
        if self.runner is None:
            with ThreadPoolExecutor(len(caches)) as pool:
                return list(pool.map(work, caches))

        async def main() -> list[Any]:
            return await asyncio.gather(*(work(cache.aio) for cache in caches))

        return self.runner.run(main())

    def until(self, true: Callable[[], object]) -> None:
        """Let the background work until ``true()``; fails after :data:`SOON` seconds."""
        deadline = time.monotonic() + SOON
        while not true():
            assert time.monotonic() < deadline, f"what runs in the background had not ended after {SOON:g} s"
            if self.runner is None:
                time.sleep(0.002)
            else:
                self.runner.run(asyncio.sleep(0.002))


@contextmanager
def by_face(name: str, cache: CacheManager) -> Iterator[Face]:
    """The cache by the face of that name: ``sync``, or ``async`` on an event loop of its own."""
    if name == "sync":
        yield Face(cache, None)
        return
    with asyncio.Runner() as runner:
        yield Face(cache, runner)
        runner.run(settle(cache.store))


def numbers() -> Callable[[], int]:
    """A computation that answers how often it ran."""
    ran = count(1)
    return lambda: next(ran)


class Watched(Through):
    """Notes every operation asked of a store, and can be away: then nothing is asked, and everything fails."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.trips: list[str] = []
        self.away = False

    def asked(self, operation: str, keys: Sequence[bytes]) -> None:
        """Refuse, or note it; a look into this process is no trip."""
        if self.away:
            raise BackendUnavailable("the store is away")
        if operation != "peek":
            self.trips.append(operation)


@dataclass
class Row:
    """An outbox row."""

    payload: bytes


class Transaction:
    """A database's write unit, as far as a cache sees it; it commits when told."""

    database_id = "contract"
    tables_written: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.staged: list[tuple[str, bytes]] = []
        self._hooks: list[Callable[[], None]] = []

    def stage(self, topic: str, payload: bytes, *, key: str | None = None, due_us: int = 0) -> None:
        """Keep the row."""
        self.staged.append((topic, payload))

    def after_commit(self, hook: Callable[[], None]) -> None:
        """Keep the hook."""
        self._hooks.append(hook)

    def before_commit(self, hook: Callable[[], None]) -> None:
        """A cache asks for none."""
        raise NotImplementedError

    def execute(self, statement: Any, parameters: Any = None) -> Any:
        """A cache asks for none."""
        raise NotImplementedError

    def commit(self) -> None:
        """What the database does after COMMIT."""
        for hook in self._hooks:
            hook()


class Slow:
    """A computation that says when it runs and ends when told; thread or task, as it is called."""

    def __init__(self, value: Callable[[], Any]) -> None:
        self.calls = 0
        self.runs = threading.Event()
        self.end = threading.Event()
        self._value = value
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        """In a thread."""
        self._begin()
        assert self.end.wait(SOON)
        return self._value()

    async def awaited(self) -> Any:
        """In a task."""
        self._begin()
        while not self.end.is_set():  # noqa: ASYNC110 - a threading.Event cannot be awaited
            await asyncio.sleep(0.001)
        return self._value()

    def _begin(self) -> None:
        with self._lock:
            self.calls += 1
        self.runs.set()


class CancelledAt:
    """Awaits ``work``, whose task is cancelled at its ``nth`` suspension."""

    def __init__(self, work: Any, nth: int) -> None:
        self._steps = work.__await__()
        self._nth = nth
        self._awaits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        """Hand on each suspension, and cancel at the one meant."""
        answer = partial(self._steps.send, None)
        while True:
            try:
                waited = answer()
            except StopIteration as done:
                return done.value
            self._awaits += 1
            task = asyncio.current_task()
            if self._awaits == self._nth and task is not None:
                task.cancel()
            try:
                yield waited
                answer = partial(self._steps.send, None)
            except BaseException as error:  # thrown in by the event loop: it is the work's
                answer = partial(self._steps.throw, error)


async def awaiting(work: Any) -> Any:
    """What ``work`` gives: a coroutine, which a task can be made of."""
    return await work


def on_loop(store: object, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives on an event loop of its own, on which the store leaves nothing open."""

    async def main() -> T:
        try:
            return await work
        finally:
            await settle(store)

    return asyncio.run(main())


async def settle(store: object) -> None:
    """Let the tasks in the background end, then close what the store holds for this event loop."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        await asyncio.wait(tasks, timeout=SOON)
    await close_native(store)
