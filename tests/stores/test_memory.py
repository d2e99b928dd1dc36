"""The memory store's own promises: bounded, and on the monotonic clock."""

from __future__ import annotations

import threading

import pytest

from postrmagic_core.errors import OutOfSpace
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock
from tests.threads import restless


def test_the_least_recently_used_goes_first() -> None:
    """Reading keeps an entry; what nobody read makes room."""
    store = MemoryStore(max_entries=2)
    store.set({b"a": b"1", b"b": b"2"}, None)
    store.get([b"a"])
    store.set({b"c": b"3"}, None)
    assert store.get([b"a", b"b", b"c"]) == [b"1", None, b"3"]


def test_bytes_are_bounded() -> None:
    """However many values come, the last ones stay and the sum stays below the bound."""
    store = MemoryStore(max_bytes=10_000)
    for number in range(100):
        store.set({b"%d" % number: b"x" * 1000}, None)
    kept = [number for number in range(100) if store.get([b"%d" % number])[0] is not None]
    assert kept == list(range(100 - len(kept), 100))
    assert 5 <= len(kept) <= 9


def test_a_replaced_value_is_not_counted_twice() -> None:
    """One key set a thousand times takes the room of one."""
    store = MemoryStore(max_bytes=10_000)
    store.set({b"other": b"y"}, None)
    for _ in range(1000):
        store.set({b"k": b"x" * 5000}, None)
    assert store.get([b"other"]) == [b"y"]


def test_more_than_fits_is_refused_whole() -> None:
    """Nothing is thrown out for what cannot be kept."""
    store = MemoryStore(max_bytes=10_000)
    store.set({b"old": b"y"}, None)
    with pytest.raises(OutOfSpace):
        store.set({b"k": b"x" * 10_001}, None)
    assert store.get([b"old", b"k"]) == [b"y", None]


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_jump_of_the_wall_clock_changes_no_time_to_live(jump: float) -> None:
    """An hour back or forth, a value of ten seconds lives ten seconds."""
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    store.set({b"k": b"v"}, 10_000)
    clock.jump(jump)
    clock.advance(9)
    assert store.get([b"k"]) == [b"v"]
    clock.advance(1.1)
    assert store.get([b"k"]) == [None]


@pytest.mark.parametrize(("max_bytes", "max_entries"), [(0, 1), (1, 0)])
def test_a_store_without_room_is_refused(max_bytes: int, max_entries: int) -> None:
    """The bounds are positive."""
    with pytest.raises(ValueError, match="positive"):
        MemoryStore(max_bytes=max_bytes, max_entries=max_entries)


def test_looking_disturbs_nobody_who_goes_through_the_keys() -> None:
    """peek() takes no lock and reorders the entries: clear() and usage() bear it."""
    store, stop = MemoryStore(), threading.Event()
    keys = [b"a:%d" % number for number in range(2000)]
    store.set(dict.fromkeys(keys, b"v"), None)

    def look() -> None:
        while not stop.is_set():
            for key in keys:
                store.peek(key)

    thread = threading.Thread(target=look)
    with restless():
        thread.start()
        try:
            for _ in range(50):
                assert store.clear(b"b:") == 0
                assert store.usage(b"a:").entries == len(keys)
        finally:
            stop.set()
            thread.join()
