"""RateLimiter: the sync face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from .._bridge import Bridge
from .._clock import Clock, SystemClock
from .._lifecycle import Lifecycle
from .._metrics import Metrics
from .._steps import drive
from ..errors import BackendError
from ..stores.checks import check_atomic
from ..stores.interface import Store
from ..stores.scripts import GCRA, GCRA_PEEK
from .deciding import Deciding, full
from .interface import Concurrency, Decision, Slot, Take, Unavailable

if TYPE_CHECKING:
    from .aio import AsyncRateLimiter


class RateLimiter(Lifecycle):
    """Limits in a store: exact over all processes that share it, by its clock.

    ``store`` is borrowed: who opened it closes it; its Scripts must be atomic over several keys. While it is away,
    ``unavailable`` holds, or what a call says in its place: ``"local"`` limits in this process alone, each process up
    to the whole limit; ``"open"`` admits, except where the store is only busy, which is ``"local"``; ``"closed"``
    refuses. No method raises :class:`BackendError`.

    Counts ``limits_admitted_total``, ``limits_refused_total``, ``limits_uncounted_total`` (admitted while nobody
    counted) and ``limits_store_errors_total``.
    """

    def __init__(
        self,
        store: Store,
        *,
        namespace: str = "app",
        unavailable: Unavailable = "local",
        clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        super().__init__()
        check_atomic(store, "limits")
        self.store = store
        self.bridge = Bridge(name="postrmagic-limits")
        self.deciding = Deciding(namespace, unavailable, clock or SystemClock(), metrics or Metrics())

    @cached_property
    def aio(self) -> AsyncRateLimiter:
        """The same limits for asyncio, with the same names."""
        from .aio import AsyncRateLimiter

        return AsyncRateLimiter(self)

    def hit(self, *takes: Take, unavailable: Unavailable | None = None) -> Decision:
        """Count a call, if every limit admits it: ``hit(per_minute.of(user), per_day.of(user, cost=5))``.

        One operation of the store, never sent again: a lost answer may have counted a call that was refused, and never
        leaves out one that the store admitted.
        """
        self.ensure_open()
        call = self.deciding.asked(takes)
        try:
            answer = self.store.run(GCRA, call.keys, call.args)
        except BackendError as error:
            return self.deciding.undecided(call, error, unavailable)
        return self.deciding.decided(call, answer)

    def peek(self, *takes: Take, unavailable: Unavailable | None = None) -> Decision:
        """What :meth:`hit` would say now; nothing is counted."""
        self.ensure_open()
        call = self.deciding.asked(takes, look=True)
        try:
            answer = self.store.run(GCRA_PEEK, call.keys, call.args)
        except BackendError as error:
            return self.deciding.unlooked(call, error, unavailable)
        return self.deciding.looked(call, answer)

    def acquire(self, concurrency: Concurrency, key: str | bytes, *, unavailable: Unavailable | None = None) -> Slot:
        """Take one of the slots for ``key``, to be given to :meth:`release`; at once, whether there is one or not."""
        self.ensure_open()
        return drive(self.deciding.acquire(self.deciding.slot(concurrency, key), unavailable), self)

    def renew(self, slot: Slot) -> bool:
        """Hold the slot for its ``lease`` from now, for work that lasts longer; ``False``: it ended, all are taken."""
        self.ensure_open()
        return drive(self.deciding.renew(slot), self)

    def release(self, slot: Slot) -> bool:
        """Give the slot back; ``False``: it had ended, was none, or ends by itself since the store is away."""
        self.ensure_open()
        return drive(self.deciding.release(slot), self)

    @contextmanager
    def holding(
        self, concurrency: Concurrency, key: str | bytes, *, unavailable: Unavailable | None = None
    ) -> Iterator[Slot]:
        """Hold a slot for the block; :class:`Overloaded` where all are taken."""
        slot = self.acquire(concurrency, key, unavailable=unavailable)
        if not slot.allowed:
            raise full(slot)
        try:
            yield slot
        finally:
            self.release(slot)

    def _open(self) -> None:
        pass

    def _close(self) -> None:
        self.bridge.close()
        self.deciding.outage.fallback.close()
