"""Eight processes, or threads, on one key: what is read is always a whole value, and never an older one than before."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.locked import Entry
from postrmagic_core.stores.scripts import SWAP
from postrmagic_core.testing.contracts.on_store import persist
from tests.crowd import crowd
from tests.stores.hesitating import hesitating
from tests.threads import restless

pytestmark = pytest.mark.fault

CALLERS = 8
REPLACED = b"replaced"
SWAPPED = b"swapped"


def value(revision: int, text: bytes) -> bytes:
    """Revision (8 bytes), checksum of the text (32), text."""
    return revision.to_bytes(8, "big") + hashlib.sha256(text).digest() + text


def checked(found: bytes | None) -> int:
    """The revision of a value that is whole."""
    assert found is not None, "a value that nobody deletes was missing"
    assert hashlib.sha256(found[40:]).digest() == found[8:40], "a torn value was read"
    return int.from_bytes(found[:8], "big")


def work(store: Store, who: int, turns: int) -> int:
    """Replace one key blindly and another only as it was read, values of all sizes; returns the swaps that counted."""
    newest = counted = 0
    for turn in range(turns):
        text = b"%d-%d " % (who, turn) * (1 + (who * 1237 + turn * 311) % 4000)
        persist(store.set, {REPLACED: value(turn, text)}, 600_000)
        found, current = persist(store.get, [REPLACED, SWAPPED])
        checked(found)
        revision = checked(current)
        assert revision >= newest, "an older value was read than before"
        newest = revision
        answer = persist(store.run, SWAP, [SWAPPED], [current[:8], value(revision + 1, text), 600_000, b""])
        counted += answer[0] == 1
    return counted


def prepare(store: Store) -> None:
    """Both keys, with something whole in them."""
    store.set({REPLACED: value(0, b"first"), SWAPPED: value(0, b"first")}, 600_000)


def process(url: str, who: int, turns: int) -> None:
    """One of the eight: begins when told, and says how many of its swaps counted."""
    with closing(open_store(url, timeout=10.0)) as store:
        store.get([b"go"])
        print("ready")  # noqa: T201 - the parent reads it
        while store.get([b"go"]) == [None]:
            time.sleep(0.01)
        print(work(hesitating(store), who, turns))  # noqa: T201 - the parent reads it


def test_eight_processes_read_whole_values(shared_url: str) -> None:
    """Blind writes tear nothing, and every swap that was acknowledged is there."""
    calls = [(shared_url, who, 8) for who in range(CALLERS)]
    with closing(open_store(shared_url, timeout=10.0)) as store, crowd(process, *calls) as children:
        prepare(store)
        assert [child.line(60) for child in children] == ["ready"] * CALLERS
        store.set({b"go": b"1"}, 600_000)
        counted = sum(int(child.line(60)) for child in children)
        assert checked(store.get([SWAPPED])[0]) == counted > 0


class Hesitant(MemoryStore):
    """Lets the others run between its reading and its writing: without a lock they would."""

    def load(self, held: None, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """As the store's own."""
        found = super().load(held, keys)
        time.sleep(0.00002)
        return found


def test_eight_threads_read_whole_values() -> None:
    """The same on the store in memory."""
    store, start = Hesitant(), threading.Barrier(CALLERS)
    prepare(store)

    def caller(who: int) -> int:
        start.wait(30)
        return work(store, who, 100)

    with restless(), ThreadPoolExecutor(CALLERS) as pool:
        counted = sum(pool.map(caller, range(CALLERS)))
    assert checked(store.get([SWAPPED])[0]) == counted > 0
