"""Several processes on one store: exact, whole, fenced."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from postrmagic_core.stores import Store, acquire, open_store
from postrmagic_core.stores.scripts import GCRA, SWAP
from postrmagic_core.testing import Child, spawn
from postrmagic_core.testing.contracts.on_store import persist
from tests.stores.hesitating import hesitating

pytestmark = pytest.mark.fault

PROCESSES = 4
LIMIT = 10
HOUR = 3_600_000_000
BUCKETS = [b"bucket-%d" % number for number in range(8)]


def ready(store: Store) -> None:
    """Tell the parent, and wait for its word: all processes begin at once."""
    store.get([b"go"])
    print("ready")  # noqa: T201 - the parent reads it
    while store.get([b"go"]) == [None]:
        time.sleep(0.01)


def begin(store: Store, children: Sequence[Child]) -> None:
    """Give the word once all are ready."""
    assert [child.line() for child in children] == ["ready"] * len(children)
    store.set({b"go": b"1"}, 600_000)


def ask(url: str) -> None:
    """Ten callers in this process ask once for each bucket; prints how many were admitted to each."""
    with closing(open_store(url, timeout=5.0)) as store, ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: persist(store.run, GCRA, [b"warm"], [1, 100]), range(10)))
        ready(store)
        for bucket in BUCKETS:
            answers = pool.map(lambda _, key=bucket: persist(store.run, GCRA, [key], [HOUR, LIMIT]), range(10))
            print(sum(answer[0] for answer in answers))  # noqa: T201 - the parent reads it


def test_a_limit_is_exact_over_processes(shared_url: str) -> None:
    """Forty callers in four processes share a limit of ten: ten are admitted, from the bucket's first call on."""
    with closing(open_store(shared_url, timeout=5.0)) as store, ExitStack() as stack:
        children = [stack.enter_context(spawn(ask, shared_url)) for _ in range(PROCESSES)]
        begin(store, children)
        admitted = [sum(int(child.line()) for child in children) for _ in BUCKETS]
        assert admitted == [LIMIT] * len(BUCKETS)


def blob(revision: int, text: bytes) -> bytes:
    """Revision, checksum, text."""
    return revision.to_bytes(8, "big") + hashlib.sha256(text).digest() + text


def swap_many(url: str, who: int, times: int) -> None:
    """Replace one value ``times`` times, each from what was read; every value read has its checksum."""
    with closing(open_store(url, timeout=5.0)) as store:
        ready(store)
        hesitating(store)
        for turn in range(times):
            text = b"%d-%d " % (who, turn) * (500 * (who + 1))
            while True:
                current = store.get([b"row"])[0]
                assert current is not None
                assert hashlib.sha256(current[40:]).digest() == current[8:40], "a torn value was read"
                revision = int.from_bytes(current[:8], "big")
                answer = persist(store.run, SWAP, [b"row"], [current[:8], blob(revision + 1, text), 600_000, b""])
                if answer[0] == 1:
                    break
    print("done")  # noqa: T201 - the parent reads it


def test_values_are_read_whole_and_no_swap_is_lost(shared_url: str) -> None:
    """Four processes replace one large value; nobody reads half of one, and every replacement counts."""
    times = 25
    with closing(open_store(shared_url, timeout=5.0)) as store, ExitStack() as stack:
        store.set({b"row": blob(0, b"first")}, 600_000)
        children = [stack.enter_context(spawn(swap_many, shared_url, who, times)) for who in range(PROCESSES)]
        begin(store, children)
        assert [child.line(60) for child in children] == ["done"] * PROCESSES
        last = store.get([b"row"])[0]
        assert last is not None
        assert int.from_bytes(last[:8], "big") == PROCESSES * times


def hold(url: str) -> None:
    """Take the lease for a moment, tell the fence, and after the word try to use and to release it."""
    with closing(open_store(url, timeout=5.0)) as store:
        lease = acquire(store, b"lease", ttl=0.3)
        assert lease is not None
        print(lease.fence)  # noqa: T201 - the parent reads it
        while store.get([b"go"]) == [None]:
            time.sleep(0.005)
        print(int(lease.left > 0), int(lease.renew()), int(lease.release()))  # noqa: T201 - the parent reads it


def successor(store: Store) -> int:
    """The fence of the next owner, as soon as there is one."""
    deadline = time.monotonic() + 10
    while True:
        lease = acquire(store, b"lease", ttl=600)
        if lease is not None:
            return lease.fence
        assert time.monotonic() < deadline, "the lease of a paused owner never ended"
        time.sleep(0.02)


def test_an_owner_paused_past_its_end_is_none(shared_url: str) -> None:
    """A process stopped while it holds a lease finds another owner with a higher fence, and cannot end its lease."""
    with closing(open_store(shared_url, timeout=5.0)) as store, spawn(hold, shared_url) as owner:
        fence = int(owner.line())
        owner.pause()
        assert successor(store) > fence
        store.set({b"go": b"1"}, 60_000)
        owner.resume()
        assert owner.line() == "0 0 0"
        assert acquire(store, b"lease", ttl=600) is None
