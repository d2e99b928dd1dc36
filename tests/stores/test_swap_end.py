"""SWAP's latest end and NOW, on the store in memory with a clock that moves when told."""

from __future__ import annotations

from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.scripts import NOW, SWAP
from postrmagic_core.testing import FakeClock


def revision(number: int) -> bytes:
    """The 8 bytes at the head of a blob."""
    return number.to_bytes(8, "big")


def test_a_row_ends_at_its_latest_end_though_it_is_given_longer_to_live() -> None:
    """Time to live is cut at the end that every save names, by the store's own clock."""
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    [now] = store.run(NOW, [], [])
    ends = now + 10_000_000
    assert store.run(SWAP, [b"row"], [b"", revision(1), 60_000, ends])[0] == 1
    clock.advance(9)
    assert store.run(SWAP, [b"row"], [revision(1), revision(2), 60_000, ends])[0] == 1
    clock.advance(1)
    assert store.get([b"row"]) == [None]


def test_a_save_past_the_end_drops_the_row() -> None:
    """Nothing is kept past the end, whoever saves."""
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    store.set({b"row": revision(1)}, None)
    [now] = store.run(NOW, [], [])
    assert store.run(SWAP, [b"row"], [revision(1), revision(2), 60_000, now])[0] == 0
    assert store.get([b"row"]) == [None]
