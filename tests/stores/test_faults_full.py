"""A store without room, in memory or on a disk: writes say so, reads go on, and with room it is as before."""

from __future__ import annotations

from contextlib import closing

import pytest

from postrmagic_core.errors import OutOfSpace
from postrmagic_core.testing.contracts.store_scripts import APPEND
from tests.disks import Room

pytestmark = pytest.mark.fault

# It does not fit into what a file may have left in its last page.
LARGE = b"x" * 40_000


def test_a_store_without_room_says_so_and_still_reads(room: Room) -> None:
    """Nothing is done in part, the breaker stays closed, and who comes now can read as well; room heals it."""
    with closing(room.open()) as store:
        store.set({b"k": b"v"}, None)
        room.use_up()
        for _ in range(5):
            with pytest.raises(OutOfSpace) as caught:
                store.set({b"k": b"new", b"more": LARGE}, None)
            assert not caught.value.retryable
            with pytest.raises(OutOfSpace):
                store.run(APPEND, [b"log"], [LARGE])
            assert store.get([b"k", b"more", b"log"]) == [b"v", None, None]
        with closing(room.open()) as late:
            assert late.get([b"k"]) == [b"v"]
        room.make()
        store.set({b"k": b"new", b"more": LARGE}, None)
        store.run(APPEND, [b"log"], [LARGE])
        assert store.get([b"k", b"more"]) == [b"new", LARGE]
