"""What the channel contract works with: listeners that write down what they are told, in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from postrmagic_core.events.channel import KEPT_LEAST, Channel, Missed

from ..waiting import until

SOON = 20.0
"""Seconds after which what must happen soon counts as never happening: far more than a busy machine needs."""
MEANWHILE = 0.2
"""Seconds for which a test waits to see that nothing happens."""
PROMPT = 2.5
"""Seconds in which a listener and a channel end."""
KEEP = KEPT_LEAST
"""Bytes that the tests' channels keep for a slow listener."""


class Opener(Protocol):
    """Opens an adapter; see :meth:`__call__`."""

    def __call__(self, *, namespace: str = ...) -> Channel:
        """An open adapter on the test's channel, as another process would have it; closed after the test."""
        ...


class Notebook:
    """A listener: everything it was told, in order; ``heard`` and ``missed`` are what a channel calls."""

    def __init__(self) -> None:
        self.told: list[bytes | Missed] = []
        self.gate = threading.Event()
        self.gate.set()

    def heard(self, payload: bytes) -> None:
        """Write it down, once the gate is open."""
        self.told.append(payload)
        self.gate.wait(SOON)

    def missed(self, missed: Missed) -> None:
        """Write it down."""
        self.told.append(missed)

    @property
    def payloads(self) -> list[bytes]:
        """What was heard."""
        return [each for each in self.told if isinstance(each, bytes)]

    @property
    def gaps(self) -> list[Missed]:
        """What was told to be missed."""
        return [each for each in self.told if isinstance(each, Missed)]

    @property
    def accounted(self) -> int:
        """How many payloads were heard or told to be missed."""
        return len(self.payloads) + sum(each.count or 0 for each in self.gaps)

    def await_told(self, count: int) -> None:
        """Wait until it was told so many things."""
        until(lambda: len(self.told) >= count, f"only {len(self.told)} of {count} things were told")

    def await_heard(self, payload: bytes) -> None:
        """Wait until it has heard that."""
        until(lambda: payload in self.told, f"{payload!r} was not heard")

    def expect(self, *told: bytes | Missed) -> None:
        """Wait until exactly this was told, in this order."""
        self.await_told(len(told))
        assert self.told == list(told)


@contextmanager
def listening(channel: Channel) -> Iterator[Notebook]:
    """A listener for the block."""
    notebook = Notebook()
    with channel.listen(notebook.heard, notebook.missed):
        try:
            yield notebook
        finally:
            notebook.gate.set()


def numbered(count: int, size: int = 0, who: str = "") -> list[bytes]:
    """Payloads that say their number, filled up to ``size`` bytes."""
    return [f"{who}{number}:".encode().ljust(size, b".") for number in range(count)]
