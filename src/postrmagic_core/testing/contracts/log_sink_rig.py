"""What the contract of log sinks works with: where sinks write to, how it is read back, how it is made to refuse."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from postrmagic_core._metrics import Metrics
from postrmagic_core.log.interface import Sink
from postrmagic_core.log.writer import Writer

PROMPT = 5.0
"""Seconds in which a sink says that it cannot write, and in which it does again."""


@dataclass(frozen=True)
class Outlet:
    """One place of the test's own that sinks write to.

    ``open`` makes a sink on it, as a process would; ``read`` gives the lines that arrived there, without empty ones and
    those of blanks only; ``refuse`` makes it refuse every write for a block, as a full disk does.
    """

    open: Callable[[], Sink]
    read: Callable[[], list[bytes]]
    refuse: Callable[[], AbstractContextManager[object]] | None = None


def notice(told: dict[str, Any]) -> bytes:
    """What the writer has to say, as a line."""
    return json.dumps({"notice": told}).encode()


def writer(sink: Sink, *, metrics: Metrics | None = None, backlog: int = 100_000) -> Writer:
    """A writer on ``sink``."""
    return Writer(sink, metrics or Metrics(), backlog=backlog, render_notice=notice)


def numbered(count: int, size: int = 0, who: object = "") -> list[bytes]:
    """Lines that say their number, filled up to ``size`` bytes."""
    return [f"{who}:{number}:".encode().ljust(size, b".") for number in range(count)]


def whole(sink: Sink, lines: Sequence[bytes]) -> None:
    """Write all ``lines``, however many the sink takes at once."""
    at = 0
    while at < len(lines):
        arrived = sink.write(lines[at:])
        assert type(arrived) is int, f"write() answered {arrived!r}: it is to say how many lines arrived"
        assert 0 < arrived <= len(lines) - at, f"write() says that {arrived} of {len(lines) - at} lines arrived"
        at += arrived


def forked(work: Callable[[], object]) -> int:
    """A child that does ``work`` and ends without anything of its parent's; its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def ended(*children: int) -> None:
    """Wait for them; each must have done its work."""
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * len(children), f"children ended with {codes}"
