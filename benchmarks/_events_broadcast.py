"""From ``publish()`` to a listener in another process, over Redis; and what one that waits asks its server for."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from postrmagic_core.events.adapters.redis import RedisChannel
from postrmagic_core.events.channel import ChannelOptions, Missed
from postrmagic_core.testing import Child, spawn

from ._cache_commands import watched
from ._harness import Bench
from ._stats import Comparison, Sample

_PATIENCE = 10.0
_NAMESPACE = "benchmark"
# What a small event takes, its id, time and causes included.
_SIZE = 300
_SETTLE = 1.0


def listen(url: str) -> None:
    """The other process: it writes down the instant (monotonic nanoseconds, one clock for the machine) of each."""

    def heard(payload: bytes) -> None:
        sys.stdout.write(f"{payload[:8].decode()} {time.monotonic_ns()}\n")

    def missed(gap: Missed) -> None:
        sys.stdout.write(f"missed {gap.count}\n")

    with RedisChannel.from_url(url, ChannelOptions(_NAMESPACE)) as channel, channel.listen(heard, missed):
        sys.stdout.write("listening\n")
        time.sleep(3600)


class Pair:
    """A channel here, and a listener in a process of its own."""

    def __init__(self, channel: RedisChannel, listener: Child) -> None:
        self._channel = channel
        self._listener = listener

    def took(self, number: int) -> float:
        """Seconds from the call of ``publish()`` to the listener's first line."""
        payload = b"%08d" % number
        began = time.monotonic_ns()
        self._channel.publish(payload.ljust(_SIZE, b"."))
        heard, _, instant = self._listener.line(_PATIENCE).partition(" ")
        if heard != payload.decode():
            raise RuntimeError(f"{payload!r} was not heard, but {heard} {instant}")
        return (int(instant) - began) / 1e9


@contextmanager
def pair(url: str) -> Iterator[Pair]:
    """Both, until the block's end."""
    with RedisChannel.from_url(url, ChannelOptions(_NAMESPACE)) as channel, spawn(f"{__name__}:listen", url) as child:
        if child.line(_PATIENCE) != "listening":
            raise RuntimeError("the other process does not listen")
        yield Pair(channel, child)


def broadcast_latencies(bench: Bench, url: str, rounds: int) -> Comparison:
    """A small event ``rounds`` times, with random pauses; the first is not kept. ``broadcast_ms`` is its median."""
    sample, drawn = Sample("Redis"), random.Random(bench.options.seed)
    with pair(url) as both:
        both.took(0)
        for number in range(1, rounds + 1):
            time.sleep(drawn.uniform(0.002, 0.02))
            took = both.took(number)
            sample.times.append(took)
            sample.rounds.append(took)
    comparison = Comparison("publish to heard, another process", {sample.name: sample})
    bench.comparisons.append(comparison)
    return comparison


def idle_per_second(url: str, seconds: float) -> float:
    """Commands a second that the server of ``url``, nobody else's, is sent while one listener has nothing to hear."""
    with pair(url) as both:
        both.took(0)
        time.sleep(_SETTLE)
        with watched(url) as seen:
            began = time.monotonic()
            time.sleep(seconds)
            return len(seen) / (time.monotonic() - began)
