"""Limits without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from postrmagic_core.errors import OutcomeUnknown
from postrmagic_core.limits import Decision, RateLimiter, Take, policy
from postrmagic_core.stores import Script, View
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.locked import Entry
from postrmagic_core.stores.scripts import GCRA, SEMAPHORE_ACQUIRE, gcra, semaphore_acquire


def opens(*args: object) -> str:
    """Whatever was agreed, a store that is away admits everybody."""
    return "open"


def hit_again(limiter: RateLimiter, *takes: Take, **options: Any) -> Decision:
    """A call whose answer was lost is sent once more."""
    call = policy.asked(limiter.deciding.names, takes)
    try:
        answer = limiter.store.run(GCRA, call.keys, call.args)
    except OutcomeUnknown:
        answer = limiter.store.run(GCRA, call.keys, call.args)
    return policy.decided(call, answer)


def look_then_hit(limiter: RateLimiter, *takes: Take, **options: Any) -> Decision:
    """First it is looked, then counted: between the two others do the same."""
    call = policy.asked(limiter.deciding.names, takes)
    [value] = limiter.store.get(call.keys)
    taken = int(value or b"0")
    time.sleep(0.001)
    limiter.store.set({call.keys[0]: b"%d" % (taken + 1)}, 600_000)
    return policy.decided(call, [int(taken < takes[0].limit.burst), 0])


def _unforgiving(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    """Without a look at how far ahead a bucket can be."""
    emission, burst = int(args[0]), int(args[1])
    stored = max(int(view.get(keys[0]) or 0), now_us)
    if stored + emission > now_us + emission * burst:
        return [0, stored - now_us]
    view.put(keys[0], b"%d" % (stored + emission), 600_000)
    return [1, stored + emission - now_us]


UNFORGIVING = Script(
    "unforgiving",
    _unforgiving,
    "local emission, burst = tonumber(arg(1)), tonumber(arg(2))\n"
    "local stored = math.max(tonumber(get(1) or '0'), now)\n"
    "if stored + emission > now + emission * burst then return {0, stored - now} end\n"
    "put(1, text(stored + emission), 600000)\n"
    "return {1, stored + emission - now}",
)


class _Endless:
    """Nothing ends."""

    def __init__(self, view: View) -> None:
        self.get, self.drop = view.get, view.drop
        self._put = view.put

    def put(self, key: bytes, value: bytes, ttl_ms: int | None) -> None:
        """For ever."""
        self._put(key, value, None)


def _endless(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    return gcra.body(_Endless(view), keys, args, now_us)


ENDLESS = Script(
    "endless", _endless, "local put_until = put\nlocal function put(i, value) put_until(i, value) end\n" + GCRA.lua
)


def _held_for_ever(view: View, keys: Sequence[bytes], args: Sequence[bytes], now_us: int) -> list[int]:
    return semaphore_acquire.body(_Endless(view), keys, [args[0], args[1], b"600000"], now_us)


_ARGS = "local arg_of = arg\nlocal function arg(i) return i == 3 and '600000' or arg_of(i) end\n"
HELD_FOR_EVER = Script("held_for_ever", _held_for_ever, _ARGS + SEMAPHORE_ACQUIRE.lua)


def hoard(store: MemoryStore, held: None, changes: Mapping[bytes, Entry | None]) -> None:
    """No room is made."""
    for key, entry in changes.items():
        if entry is None:
            store._entries.pop(key, None)
        else:
            store._entries[key] = entry
