"""What the reliability promises are checked on: a harness around the client, a server, and a proxy between them."""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from postrmagic_core.errors import BackendError
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import ServerProcess

S = TypeVar("S")
T = TypeVar("T")

_TRIES = 10


class Broken(AssertionError):
    """A promise is not kept; the text says which and what was seen."""


def promise(kept: object, name: str, seen: str) -> None:
    """Raise :class:`Broken` unless ``kept``."""
    if not kept:
        raise Broken(f"{name}: {seen}")


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds a client promises: ``call`` for a whole public call, retries included, ``heal`` after a fault's end.

    ``slack`` is what a busy machine may add before the promise counts as broken.
    """

    call: float = 5.0
    heal: float = 5.0
    slack: float = 1.0


class Harness(ABC, Generic[S]):
    """How to use one client: what a backend's contract class supplies.

    ``effect_bytes`` occurs in the request that carries out :meth:`effect` and in no other, for example ``b"EVALSHA"``
    or ``b"COMMIT"``: there the proxy cuts.
    """

    effect_bytes: ClassVar[bytes]

    @abstractmethod
    def make(self, url: str) -> S:
        """An open client of the server at ``url``, with the budget's time-outs."""

    @abstractmethod
    def close(self, subject: S) -> None:
        """Close what :meth:`make` gave."""

    @abstractmethod
    def operation(self, subject: S) -> object:
        """An idempotent read."""

    @abstractmethod
    def effect(self, subject: S, token: str) -> object:
        """A write that would be seen twice if done twice; returning means that it is acknowledged."""

    @abstractmethod
    def effects(self, subject: S) -> Counter[str]:
        """How often each token's effect is there."""

    def prepare(self, url: str) -> None:
        """Make the tables or keys that the other hooks use; called once for each test, without faults."""

    def tagged(self, subject: S, tag: str) -> str:
        """A request whose answer is ``tag``: a swapped reply shows. P5."""
        raise NotImplementedError

    async def tagged_async(self, subject: S, tag: str) -> str:
        """:meth:`tagged` on the async face, to be cancelled. P5, row ``cancel``."""
        raise NotImplementedError

    def decide(self, subject: S) -> bool:
        """A decision (may this pass?) that the server would answer with yes. P6."""
        raise NotImplementedError


@dataclass(frozen=True)
class Answer:
    """What a call returned or raised, and how many seconds it took."""

    value: Any
    error: BaseException | None
    seconds: float


class Caller(Generic[S]):
    """One client and the one thread in which it is used, so that connections pinned to a thread are met again."""

    def __init__(self, harness: Harness[S], url: str) -> None:
        self._harness, self._url = harness, url
        self._subject: S | None = None
        self._work: queue.SimpleQueue[tuple[Callable[[S], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True, name="postrmagic-contract")
        self._thread.start()

    def begin(self, work: Callable[[S], Any]) -> Future[Any]:
        """Start ``work(client)``; the client is made on the first call."""
        future: Future[Any] = Future()
        self._work.put((work, future))
        return future

    def call(self, work: Callable[[S], Any], seconds: float = 30.0) -> Answer:
        """What ``work(client)`` gave within ``seconds``; longer breaks P1."""
        return settle(self.begin(work), seconds)

    def close(self) -> None:
        """Close the client in its thread and end the thread."""
        self._work.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, future = item
            began = time.monotonic()
            value, error = None, None
            try:
                if self._subject is None:
                    self._subject = self._harness.make(self._url)
                value = work(self._subject)
            except Exception as raised:  # the check judges it
                error = raised
            future.set_result(Answer(value, error, time.monotonic() - began))
        if self._subject is not None:
            self._harness.close(self._subject)


def settle(future: Future[Any], seconds: float) -> Answer:
    """The answer of a begun call, or P1 broken."""
    try:
        answer: Answer = future.result(seconds)
    except TimeoutError:
        raise Broken(f"P1 bounded: a call had neither returned nor raised after {seconds:.1f} s") from None
    return answer


@dataclass(frozen=True)
class Rig(Generic[S]):
    """Everything a check needs; ``url`` leads straight to the server, ``proxy.url`` through the faults."""

    harness: Harness[S]
    server: ServerProcess
    proxy: FaultProxy
    url: str
    budget: Budget = Budget()

    @contextmanager
    def caller(self, *, warm: bool = True) -> Iterator[Caller[S]]:
        """A client through the proxy; ``warm`` has its connection already."""
        caller = Caller(self.harness, self.proxy.url)
        try:
            if warm:
                _calmly(lambda: _value(caller.call(self.harness.operation)))
            yield caller
        finally:
            caller.close()

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """One of :data:`FAULTS` for the block, shown to bite, ended after it."""
        begin, end = self._faults()[name]
        begin()
        try:
            yield
        finally:
            end()

    def effects(self) -> Counter[str]:
        """The tokens on the server, read past the proxy by a fresh client."""
        subject = self.harness.make(self.url)
        try:
            return _calmly(lambda: self.harness.effects(subject))
        finally:
            self.harness.close(subject)

    def _faults(self) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
        return {
            "refused": (self.proxy.refuse, self.proxy.heal),
            "blackholed": (self.proxy.blackhole, self.proxy.heal),
            "stopped": (self.server.pause, self.server.resume),
            "killed": (self.server.kill, self.server.start),
        }


def _calmly(read: Callable[[], T]) -> T:
    """What ``read`` gives while no fault is on: an impatient client may need several tries on a busy machine."""
    for _ in range(_TRIES):
        try:
            return read()
        except BackendError:
            time.sleep(0.05)
    return read()


def _value(answer: Answer) -> Any:
    if answer.error is not None:
        raise answer.error
    return answer.value


FAULTS = ("refused", "blackholed", "stopped", "killed")


@contextmanager
def rigged(harness: Harness[S], server: ServerProcess, budget: Budget) -> Iterator[Rig[S]]:
    """A rig on a fresh database of ``server``."""
    url = server.create_database()
    harness.prepare(url)
    with FaultProxy(url) as proxy:
        yield Rig(harness, server, proxy, url, budget)
