"""A limiter on each face, called alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from postrmagic_core.limits import Concurrency, Decision, RateLimiter, Slot, Take
from postrmagic_core.stores import Store
from tests.redis_kinds import valkey_server, valkey_url  # noqa: F401 - pytest looks for fixtures here


class Caller:
    """One face of a limiter, waited for."""

    def __init__(self, limiter: RateLimiter, runner: asyncio.Runner | None) -> None:
        self.limiter = limiter
        self._runner = runner

    def hit(self, *takes: Take, **options: Any) -> Decision:
        """See :meth:`RateLimiter.hit`."""
        decision: Decision = self._call("hit", *takes, **options)
        return decision

    def peek(self, *takes: Take, **options: Any) -> Decision:
        """See :meth:`RateLimiter.peek`."""
        decision: Decision = self._call("peek", *takes, **options)
        return decision

    def acquire(self, concurrency: Concurrency, key: str, **options: Any) -> Slot:
        """See :meth:`RateLimiter.acquire`."""
        slot: Slot = self._call("acquire", concurrency, key, **options)
        return slot

    def renew(self, slot: Slot) -> bool:
        """See :meth:`RateLimiter.renew`."""
        return bool(self._call("renew", slot))

    def release(self, slot: Slot) -> bool:
        """See :meth:`RateLimiter.release`."""
        return bool(self._call("release", slot))

    def holding(self, concurrency: Concurrency, key: str) -> list[int]:
        """How many slots are taken inside the block, which fails, and how many a newcomer sees afterwards."""
        taken: list[int] = []

        def block(slot: Slot) -> None:
            taken.append(slot.taken)
            raise ZeroDivisionError

        async def awaited() -> None:
            async with self.limiter.aio.holding(concurrency, key) as slot:
                block(slot)

        with suppress(ZeroDivisionError):
            if self._runner is not None:
                self._runner.run(awaited())
            else:
                with self.limiter.holding(concurrency, key) as slot:
                    block(slot)
        return [*taken, self.acquire(concurrency, key).taken]

    def _call(self, name: str, *args: Any, **options: Any) -> Any:
        if self._runner is None:
            return getattr(self.limiter, name)(*args, **options)
        return self._runner.run(getattr(self.limiter.aio, name)(*args, **options))


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Iterator[Callable[..., Caller]]:
    """A factory: ``caller(store, unavailable="open")`` opens a limiter on ``store`` and gives each of its faces."""
    with ExitStack() as opened:

        def make(store: Store, **options: Any) -> Caller:
            limiter = opened.enter_context(RateLimiter(store, **options))
            return Caller(limiter, opened.enter_context(asyncio.Runner()) if request.param == "async" else None)

        yield make
