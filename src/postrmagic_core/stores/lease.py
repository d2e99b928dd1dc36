"""Leases: a lock with an owner's token, a fencing number, an end and renewal. The only application lock."""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from postrmagic_core._clock import Clock, SystemClock
from postrmagic_core._steps import Steps, drive
from postrmagic_core.errors import BackendError, Conflict, OutcomeUnknown

from .interface import Store
from .keys import companion
from .policy import lease_pause
from .scripts import LEASE_ACQUIRE, LEASE_RELEASE, LEASE_RENEW

_log = logging.getLogger("postrmagic_core.stores")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a lease is made of, on both faces.

    ``fence`` grows with each owner: hand it to whatever the lease protects, which refuses a number lower than one it
    has seen (an owner that was paused past its end does not know that it is one no more). ``ttl`` in seconds.
    """

    key: bytes
    owner: bytes
    fence: int
    ttl: float

    @property
    def ttl_ms(self) -> int:
        """The same in milliseconds, at least one."""
        return max(round(self.ttl * 1000), 1)


class Holding:
    """A lease held, on either face: its grant, and how long it is surely held yet."""

    __slots__ = ("_clock", "_until", "grant")

    grant: Grant

    def __init__(self, grant: Grant, asked_at: float, clock: Clock) -> None:
        self.grant = grant
        self._clock = clock
        self._until = asked_at + grant.ttl

    @property
    def fence(self) -> int:
        """The fencing number: see :class:`Grant`."""
        return self.grant.fence

    @property
    def left(self) -> float:
        """Seconds it is surely held yet, by this process's monotonic clock, counted from before the store was asked."""
        return max(self._until - self._clock.monotonic(), 0.0)

    def _renewed(self, asked_at: float, answer: list[int]) -> bool:
        """What LEASE_RENEW answered to a question asked then."""
        renewed = answer[0] == 1
        self._until = asked_at + self.grant.ttl if renewed else asked_at
        return renewed


class Lease(Holding):
    """A lease held, as long as it is renewed in time."""

    __slots__ = ("_store",)

    def __init__(self, store: Store, grant: Grant, asked_at: float, clock: Clock) -> None:
        super().__init__(grant, asked_at, clock)
        self._store = store

    def renew(self) -> bool:
        """Hold it ``ttl`` seconds from now; ``False``: it ended, and may be another's."""
        grant, asked_at = self.grant, self._clock.monotonic()
        return self._renewed(asked_at, self._store.run(LEASE_RENEW, [grant.key], [grant.owner, grant.ttl_ms]))

    def release(self) -> bool:
        """Give it back; ``False``: it was this owner's no more. Another's lease is never touched."""
        self._until = self._clock.monotonic()
        return self._store.run(LEASE_RELEASE, [self.grant.key], [self.grant.owner])[0] == 1


def request(key: bytes, ttl: float) -> Grant:
    """What to ask a store for: a new owner's token, no fence yet."""
    if not ttl > 0:
        raise ValueError(f"ttl is a positive number of seconds, got {ttl}")
    return Grant(key, secrets.token_hex(16).encode(), 0, ttl)


def asking(asked: Grant) -> Steps[list[int]]:
    """Ask for the lease; ask once more under the same token where the answer was lost."""

    def ask(store: Any) -> Any:
        return store.run(LEASE_ACQUIRE, [asked.key, companion(asked.key, b"fence")], [asked.owner, asked.ttl_ms])

    try:
        answer: list[int] = yield ask
    except BackendError as error:
        if not answer_lost(error):
            raise
        answer = yield ask
    return answer


def answer_lost(error: BackendError) -> bool:
    """Whether the lease may be ours without our knowing it: the token lets the script know its owner again."""
    return isinstance(error, OutcomeUnknown)


def granted(asked: Grant, answer: list[int]) -> Grant | None:
    """The grant in LEASE_ACQUIRE's answer, or ``None``: another owns the lease."""
    return Grant(asked.key, asked.owner, answer[1], asked.ttl) if answer[0] == 1 else None


def acquire(store: Store, key: bytes, *, ttl: float, clock: Clock | None = None) -> Lease | None:
    """Take the lease ``key`` for ``ttl`` seconds, or return ``None`` at once: another owns it.

    A lost answer is asked for once more under the same token: the script knows its owner again.
    """
    lease, _ = _try(store, request(key, ttl), clock or SystemClock())
    return lease


@contextmanager
def leased(store: Store, key: bytes, *, ttl: float, wait: float = 0.0, clock: Clock | None = None) -> Iterator[Lease]:
    """Hold the lease for the block, after waiting at most ``wait`` seconds; :class:`Conflict` if it stays another's.

    Released however the block ends. Not renewed by itself: a block that may outlast ``ttl`` calls ``renew()``.
    """
    lease = _wait(store, request(key, ttl), wait, clock or SystemClock())
    try:
        yield lease
    finally:
        _let_go(lease)


class Patience:
    """How long to wait between tries for a lease that is another's, until ``wait`` seconds are over."""

    def __init__(self, wait: float, clock: Clock) -> None:
        self._wait = wait
        self._clock = clock
        self._until = clock.monotonic() + wait
        self._tries = 0

    def pause(self, remaining_ms: int) -> float:
        """Seconds until the next try; ``remaining_ms``: how long it may be another's yet. :class:`Conflict` at last."""
        self._tries += 1
        left = self._until - self._clock.monotonic()
        if left <= 0:
            raise Conflict(f"the lease is another's and did not become free within {self._wait:g} s")
        return lease_pause(self._tries, remaining_ms / 1000, left, random.random())  # noqa: S311 - jitter, no secret


def _try(store: Store, asked: Grant, clock: Clock) -> tuple[Lease | None, int]:
    asked_at = clock.monotonic()
    answer = drive(asking(asked), store)
    grant = granted(asked, answer)
    return (None if grant is None else Lease(store, grant, asked_at, clock)), answer[1]


def _wait(store: Store, asked: Grant, wait: float, clock: Clock) -> Lease:
    patience = Patience(wait, clock)
    while True:
        lease, remaining_ms = _try(store, asked, clock)
        if lease is not None:
            return lease
        clock.sleep(patience.pause(remaining_ms))


def let_go_failed(grant: Grant, error: BackendError) -> None:
    """Say that a release failed, and no more: it must not hide how the block ended, and the lease ends by itself."""
    _log.warning("a lease could not be released; it ends by itself in %g s at the latest", grant.ttl, exc_info=error)


def _let_go(lease: Lease) -> None:
    try:
        lease.release()
    except BackendError as error:
        let_go_failed(lease.grant, error)
