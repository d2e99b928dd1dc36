"""A store in this process's memory over one on a Redis server, which tells what changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from postrmagic_core._clock import Clock
from postrmagic_core._metrics import Metrics
from postrmagic_core._steps import Steps, adrive, drive
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.stores.adapters._feed import Feed
from postrmagic_core.stores.adapters._feed_copies import Copies
from postrmagic_core.stores.adapters._feed_link import Link
from postrmagic_core.stores.adapters.redis import RedisStore
from postrmagic_core.stores.checks import MAX_TTL_MS, check_keys, check_prefix
from postrmagic_core.stores.interface import Script, Usage

R = TypeVar("R")

_EXPECTED = "expected tiered+ and a Redis URL, such as tiered+redis://host:6379/0?near_mb=64&near_ttl=60&prefix=…"


class TieredStore:
    """``far`` on the server, and copies of what was read from it near.

    Every write goes to the server; what is near ends as the server tells that its key changed, at once in the process
    that wrote. While that cannot be told for sure, all reads go to the server too. ``near_mb``: megabytes of copies;
    ``near_ttl``: seconds a copy is kept at most; ``prefix``: only keys that begin so are kept near and told of.
    ``timeout`` as for :class:`~postrmagic_core.stores.adapters.redis.RedisStore`.
    """

    blocking: ClassVar[bool] = True
    atomic: ClassVar[Literal["keys", "key"]] = "keys"
    clock: ClassVar[Literal["store", "process"]] = "store"

    def __init__(
        self,
        url: str,
        *,
        near_mb: int = 64,
        near_ttl: float = 60.0,
        prefix: bytes = b"",
        timeout: float = 0.5,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        if near_mb < 1 or not 0.001 <= near_ttl <= MAX_TTL_MS / 1000:
            raise ConfigurationError(f"near_mb is 1 or more megabytes and near_ttl positive seconds; {_EXPECTED}")
        self._far = RedisStore(url, timeout=timeout, clock=clock, metrics=metrics)
        self._prefix = prefix
        monotonic = time.monotonic if clock is None else clock.monotonic
        self._copies = Copies(near_mb * 1024 * 1024, near_ttl, monotonic)
        self._look = self._copies.look
        lost = (metrics or Metrics()).counter("stores_feed_lost_total", adapter="tiered")
        place = self._far.place
        self._feed = Feed(lambda now: Link(place, timeout, prefix, now), self._copies, monotonic, lost)
        self._current = self._feed.current

    @classmethod
    def from_url(
        cls, url: str, *, timeout: float = 0.5, clock: Clock | None = None, metrics: Metrics | None = None
    ) -> Self:
        """``tiered+redis://…?near_mb=64&near_ttl=60&prefix=…``; what else it holds is Redis'. No I/O yet."""
        far, options = split(url)
        return cls(far, **options, timeout=timeout, clock=clock, metrics=metrics)

    @property
    def native(self) -> AsyncTieredStore:
        """The same store for asyncio: copies inline, the server by connections of the event loop."""
        return AsyncTieredStore(self, self._far)

    def peek(self, key: bytes) -> bytes | None:
        """See :meth:`SupportsPeek.peek`."""
        now = self._current()
        return None if now is None else self._look(key, now)

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`Store.get`: one trip for all that is not near; each value is of some moment within the call."""
        return drive(self.reading(keys), self._far)

    def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        drive(self.changing(list(items), lambda far: far.set(items, ttl_ms)), self._far)

    def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        counted: Steps[int] = self.changing(keys, lambda far: far.delete(keys))
        return drive(counted, self._far)

    def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """See :meth:`Store.touch`."""
        counted: Steps[int] = self.changing(keys, lambda far: far.touch(keys, ttl_ms))
        return drive(counted, self._far)

    def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """See :meth:`Store.run`: always on the server, whose time a Script sees."""
        return drive(self.running(script, keys, args, now_us), self._far)

    def clear(self, prefix: bytes) -> int:
        """See :meth:`SupportsScan.clear`."""
        return drive(self.clearing(prefix), self._far)

    def usage(self, prefix: bytes) -> Usage:
        """See :meth:`SupportsUsage.usage`: on the server."""
        return self._far.usage(prefix)

    def close(self) -> None:
        """End the feed and its thread, forget the copies, close the connections."""
        self._feed.close()
        self._far.close()

    # Each operation over the server's store, plain or awaitable.

    def reading(self, keys: Sequence[bytes]) -> Steps[list[bytes | None]]:
        """What is near, and the rest from the server."""
        check_keys(keys)
        found: dict[bytes, bytes | None] = {}
        now = self._current()
        if now is not None:
            found = {key: value for key in keys if (value := self._look(key, now)) is not None}
        missing = [key for key in dict.fromkeys(keys) if key not in found]
        if missing:
            self._feed.start()
            kept = [key for key in missing if key.startswith(self._prefix)]
            read: dict[bytes, bytes | None] = {}
            ticket = self._copies.begin(kept)
            try:
                answer = yield lambda far: far.get(missing)
                read = dict(zip(missing, answer, strict=True))
            finally:
                self._copies.end(ticket, kept, read)
            found.update(read)
        return [found.get(key) for key in keys]

    def changing(self, keys: Sequence[bytes], call: Callable[[Any], R]) -> Steps[R]:
        """A write: afterwards nothing older is near, whether it was done, refused, or is in doubt."""
        self._copies.drop(keys)
        try:
            answer: R = yield call
            return answer
        finally:
            self._copies.drop(keys)

    def running(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], now_us: int | None
    ) -> Steps[R]:
        """A Script, which may change any of its keys unless it is declared not to."""
        return self.changing(() if script.read_only else keys, lambda far: far.run(script, keys, args, now_us=now_us))

    def clearing(self, prefix: bytes) -> Steps[int]:
        """Many trips; whoever reads meanwhile keeps nothing that was there before the last one."""
        check_prefix(prefix)
        try:
            cleared: int = yield lambda far: far.clear(prefix)
            return cleared
        finally:
            self._copies.drop_prefix(prefix)


class AsyncTieredStore:
    """:attr:`TieredStore.native`."""

    def __init__(self, store: TieredStore, far: RedisStore) -> None:
        self._store = store
        self._far = far.native

    async def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See :meth:`TieredStore.get`."""
        return await adrive(self._store.reading(keys), self._far)

    async def set(self, items: Mapping[bytes, bytes], ttl_ms: int | None) -> None:
        """See :meth:`Store.set`."""
        await adrive(self._store.changing(list(items), lambda far: far.set(items, ttl_ms)), self._far)

    async def delete(self, keys: Sequence[bytes]) -> int:
        """See :meth:`Store.delete`."""
        return await adrive(self._store.changing(keys, lambda far: far.delete(keys)), self._far)

    async def touch(self, keys: Sequence[bytes], ttl_ms: int | None) -> int:
        """See :meth:`Store.touch`."""
        return await adrive(self._store.changing(keys, lambda far: far.touch(keys, ttl_ms)), self._far)

    async def run(
        self, script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], *, now_us: int | None = None
    ) -> R:
        """See :meth:`TieredStore.run`."""
        return await adrive(self._store.running(script, keys, args, now_us), self._far)

    async def clear(self, prefix: bytes) -> int:
        """See :meth:`SupportsScan.clear`."""
        return await adrive(self._store.clearing(prefix), self._far)

    async def close(self) -> None:
        """Close the running event loop's connections."""
        await self._far.close()


def split(url: str) -> tuple[str, dict[str, Any]]:
    """The URL of the server beneath a tiered one, and the options that are the near side's."""
    if not url.startswith("tiered+redis"):
        raise ConfigurationError(_EXPECTED)
    parts = urlsplit(url.removeprefix("tiered+"))
    query = dict(parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape"))
    options: dict[str, Any] = {}
    try:
        if "near_mb" in query:
            options["near_mb"] = int(query.pop("near_mb"))
        if "near_ttl" in query:
            options["near_ttl"] = float(query.pop("near_ttl"))
    except ValueError:
        raise ConfigurationError(f"near_mb and near_ttl are numbers; {_EXPECTED}") from None
    if "prefix" in query:
        options["prefix"] = query.pop("prefix").encode(errors="surrogateescape")
    return parts._replace(query=urlencode(query, errors="surrogateescape")).geturl(), options
