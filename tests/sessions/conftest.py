"""Every store, either face, and sessions on top."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import Store
from postrmagic_core.stores.interface import SupportsAsync
from postrmagic_core.testing import FakeClock

OLD_KEY = "an-old-master-value-0123456789-abcdefghij"
NEW_KEY = "the-next-master-value-9876543210-klmnopqr"


@pytest.fixture
def ring() -> KeyRing:
    """A key ring of one key."""
    return KeyRing([OLD_KEY])


class Face:
    """A session store's methods by name, on one face; both return when done."""

    def __init__(self, sessions: SessionStore[Any], runner: asyncio.Runner | None) -> None:
        self.sessions = sessions
        self.runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The method; where the face is async, run in the test's event loop."""
        if self.runner is None:
            return getattr(self.sessions, name)  # type: ignore[no-any-return]  # looked up by name
        method, runner = getattr(self.sessions.aio, name), self.runner
        return lambda *args: runner.run(method(*args))


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest, store: Store, ring: KeyRing, frozen_clock: FakeClock) -> Iterator[Face]:
    """Sessions with free data, by each face; touches follow ``frozen_clock``."""
    with SessionStore(store, ring, clock=frozen_clock) as sessions:
        if request.param == "sync":
            yield Face(sessions, None)
            return
        with asyncio.Runner() as runner:
            yield Face(sessions, runner)
            if isinstance(store, SupportsAsync):
                runner.run(store.native.close())  # type: ignore[attr-defined]  # the Redis store's own
