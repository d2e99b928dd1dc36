"""A process that is stopped while it holds a lease on a shared store."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from postrmagic_core.stores import Store, acquire, open_store
from postrmagic_core.testing import spawn

pytestmark = pytest.mark.fault


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
