"""AsyncCacheManager: the same cache for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .._spans import NO_SPAN, spans
from .._steps import Steps, adrive
from ..errors import BackendError
from ..stores.aio import AsyncLease, AsyncStoreFace, acquire
from .access import Answer, Tags
from .cached import Decorator
from .flights import Caller, Outcome
from .interface import CacheStats, Committing
from .near import MISSING
from .policy import Freshness
from .traced import hit, operating
from .warming import Report, W, Warm, WarmReport, quiet

if TYPE_CHECKING:
    from .manager import CacheManager

T = TypeVar("T")


class AsyncCacheManager:
    """The async face of a :class:`CacheManager`: one store, one flight table, the same promises."""

    def __init__(self, cache: CacheManager) -> None:
        self._cache = cache
        self._access = cache.access
        self._near = cache.access.near
        self._port = _Port(cache)

    async def get(self, key: str, default: Any = None, *, kind: Any = None) -> Any:
        """See :meth:`CacheManager.get`."""
        self._cache.ensure_open()
        if self._near is not None:
            value = self._near.value(key, kind)
            if value is not MISSING:
                return value
        if spans.recorder is None:
            return await self._get(key, default, kind)
        with operating("get", self._cache.store, key) as trip:
            value = await self._get(key, MISSING, kind)
            trip.tell(hit(value is not MISSING))
            return default if value is MISSING else value

    async def _get(self, key: str, default: Any, kind: Any) -> Any:
        tags, names = self._access.asked(key)
        try:
            answer: Answer = await self._port.store.get(names)
        except BackendError as error:
            answer = error
        value = self._access.plain(answer, kind, tags)
        if value is not MISSING:
            return value
        return await self._run(self._access.get(key, kind, default, tags, answer))

    async def get_many(self, keys: Iterable[str], *, kind: Any = None) -> dict[str, Any]:
        """See :meth:`CacheManager.get_many`."""
        with operating("get_many", self._cache.store):
            return await self._run(self._access.get_many(keys, kind))

    async def set(self, key: str, value: Any, ttl: float, *, tags: Tags = (), kind: Any = None) -> None:
        """See :meth:`CacheManager.set`."""
        with operating("set", self._cache.store, key):
            await self._run(self._access.set(key, value, ttl, tags, kind))

    async def delete(self, *keys: str) -> int:
        """See :meth:`CacheManager.delete`."""
        with operating("delete", self._cache.store, count=len(keys)):
            return await self._run(self._access.delete(keys))

    async def clear(self) -> int:
        """See :meth:`CacheManager.clear`."""
        with operating("clear", self._cache.store):
            return await self._run(self._access.clear())

    @overload
    async def get_or_set(
        self,
        key: str,
        fn: Callable[[], Awaitable[T]],
        *,
        fresh: float,
        stale: float = 0,
        tags: Tags = (),
        kind: Any = None,
        negative: float | None = None,
        errors: tuple[type[Exception], ...] = (),
    ) -> T: ...

    @overload
    async def get_or_set(
        self,
        key: str,
        fn: Callable[[], T],
        *,
        fresh: float,
        stale: float = 0,
        tags: Tags = (),
        kind: Any = None,
        negative: float | None = None,
        errors: tuple[type[Exception], ...] = (),
    ) -> T: ...

    async def get_or_set(
        self,
        key: str,
        fn: Callable[[], Any],
        *,
        fresh: float,
        stale: float = 0,
        tags: Tags = (),
        kind: Any = None,
        negative: float | None = None,
        errors: tuple[type[Exception], ...] = (),
    ) -> Any:
        """See :meth:`CacheManager.get_or_set`.

        ``fn`` is a coroutine function, or a plain one: that runs in a thread, since it may block. A stale entry is
        computed anew by a task of this loop.
        """
        self._cache.ensure_open()
        value = self._cache.filling.nearby(key, kind, tags)
        if value is not MISSING:
            return value
        with NO_SPAN if spans.recorder is None else operating("get_or_set", self._cache.store, key):
            answer: Answer | None = None
            since = self._cache.clock.monotonic()
            if not self._cache.filling.in_unit():
                asked, names = self._access.named(key, tags)
                try:
                    answer = await self._port.store.get(names)
                except BackendError as error:
                    answer = error
                value = self._access.plain(answer, kind, asked)
                if value is not MISSING:
                    return value
            fill = self._cache.filling.fill(key, fn, Freshness(fresh, stale), tags, kind, negative, errors)
            return await self._run(
                self._cache.filling.get_or_set(fill, Caller(asyncio.get_running_loop(), since), answer)
            )

    def cached(
        self,
        template: str,
        *,
        fresh: float,
        stale: float = 0,
        tags: Iterable[str] = (),
        kind: Any = ...,
        negative: float | None = None,
        errors: tuple[type[Exception], ...] = (),
        ignore: Collection[str] = (),
    ) -> Decorator:
        """See :meth:`CacheManager.cached`: the function itself decides which face it uses."""
        return self._cache.cached(
            template, fresh=fresh, stale=stale, tags=tags, kind=kind, negative=negative, errors=errors, ignore=ignore
        )

    def warmer(self, name: str, *, after: Iterable[str] = ()) -> Callable[[W], W]:
        """See :meth:`CacheManager.warmer`."""
        return self._cache.warmer(name, after=after)

    async def warm(
        self, names: Iterable[str] | None = None, *, time_limit: float | None = None, report: Report = quiet
    ) -> WarmReport:
        """See :meth:`CacheManager.warm`; a plain warmer runs in a thread."""
        self._cache.ensure_open()
        return await adrive(self._cache.warming.run(names, time_limit, report), self._port)

    async def capture(self, tags: Iterable[str]) -> dict[str, int]:
        """See :meth:`CacheManager.capture`."""
        with operating("capture", self._cache.store):
            return await self._run(self._access.capture(tags))

    async def invalidate(self, *tags: str, tx: Committing | None = None, detached: bool = False) -> None:
        """See :meth:`CacheManager.invalidate`."""
        if tx is not None:
            self._cache.invalidate(*tags, tx=tx)
            return
        self._cache.filling.check_outside(detached)
        with operating("invalidate", self._cache.store, count=len(tags)):
            await self._run(self._access.invalidate(tags))

    def stats(self) -> CacheStats:
        """See :meth:`CacheManager.stats`."""
        return self._cache.stats()

    async def _run(self, steps: Steps[T]) -> T:
        self._cache.ensure_open()
        return await adrive(steps, self._port)


def _unawaited(answer: Any) -> None:
    """Close a coroutine that nobody will await: Python warns of one that is merely dropped."""
    if inspect.iscoroutine(answer):
        answer.close()


class _Port:
    """The operations of the async face: each is awaited."""

    def __init__(self, cache: CacheManager) -> None:
        self.store = AsyncStoreFace(cache.store, cache.bridge)
        self._cache = cache
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, fn: Callable[[], Any]) -> Any:
        if inspect.iscoroutinefunction(fn):
            return await fn()
        answer = await self._cache.computing.lift(fn, undo=_unawaited)
        # A lambda or a partial around a coroutine function only shows itself by what it returns.
        return await answer if inspect.isawaitable(answer) else answer

    async def warm(self, warmer: Warm) -> None:
        await self.call(partial(warmer, self._cache))

    async def wait(self, future: Future[Outcome], seconds: float) -> Outcome:
        async with asyncio.timeout(seconds):
            return await asyncio.wrap_future(future)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def acquire(self, key: bytes) -> AsyncLease | None:
        return await acquire(self.store, key, ttl=self._cache.lease, clock=self._cache.clock)

    async def release(self, lease: AsyncLease) -> None:
        await lease.release()

    async def background(self, steps: Steps[None], ended: Callable[[], None]) -> None:
        task = asyncio.get_running_loop().create_task(adrive(steps, self))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: ended())
