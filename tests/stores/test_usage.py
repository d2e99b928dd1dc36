"""How much a store holds under a prefix."""

from __future__ import annotations

import pytest

from postrmagic_core.stores import Store
from postrmagic_core.stores.adapters import sql
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.interface import SupportsUsage, Usage
from postrmagic_core.testing import FakeClock


def test_live_keys_under_a_prefix_are_counted_with_their_bytes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of nobody else, and none that has ended or was deleted; however many batches it takes."""
    assert isinstance(store, SupportsUsage)
    monkeypatch.setattr(sql, "_LOOK", 7)
    store.set({b"{a}:%d" % number: b"x" * 100 for number in range(10, 45)}, 60_000)
    store.set({b"{a}:gone": b"x", b"{b}:1": b"x", b"{a*}:1": b"x", b"{a}": b"x"}, 60_000)
    store.delete([b"{a}:gone"])
    found = store.usage(b"{a}:")
    assert (found.entries, found.bytes) == (35, 35 * (100 + len(b"{a}:10")))
    assert store.usage(b"{c}:") == Usage(0, 0, found.evicted)
    with pytest.raises(ValueError, match="empty prefix"):
        store.usage(b"")


def test_what_had_to_make_room_is_counted() -> None:
    """What had ended already is not."""
    clock = FakeClock()
    store = MemoryStore(clock=clock, max_entries=2)
    store.set({b"a": b"1"}, 1000)
    store.set({b"b": b"1"}, 60_000)
    clock.advance(2)
    assert store.usage(b"a").entries == 0
    for name in (b"c", b"d"):
        store.set({name: b"1"}, 60_000)
    assert store.usage(b"a") == Usage(0, 0, evicted=1)
