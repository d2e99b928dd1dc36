"""What sessions promise on a store, as tests: subclass :class:`SessionContract`, say how to open yours, and run it.

::

    class TestSessionsOnMyStore(SessionContract):
        @pytest.fixture
        def open_store(self, tmp_path):
            return lambda: MyStore(tmp_path)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import Store
from postrmagic_core.testing import FakeClock

from .on_store import OnStore
from .session_data import DataPromises
from .session_devices import DevicePromises
from .session_ends import EndPromises
from .session_ids import IdPromises
from .session_rig import Face, Opener, by_face


class SessionContract(OnStore, DataPromises, IdPromises, EndPromises, DevicePromises):
    """Every promise of :class:`~postrmagic_core.sessions.SessionStore` that rests on its store, on both faces.

    A subclass supplies the fixture ``open_store``, whose Scripts must be atomic over several keys.
    """

    @pytest.fixture
    def session_class(self) -> type[SessionStore[Any]]:
        """Override to prove sessions of another make."""
        return SessionStore

    @pytest.fixture
    def clock(self) -> FakeClock:
        """The processes' clock: it begins with the present, as the store's does, and moves when told."""
        return FakeClock(datetime.now(UTC))

    @pytest.fixture
    def ring(self) -> KeyRing:
        """A key ring of one key."""
        return KeyRing(["a-master-value-0123456789-abcdefghijklmn"])

    @pytest.fixture
    def open_sessions(
        self, store: Store, ring: KeyRing, session_class: type[SessionStore[Any]], clock: FakeClock
    ) -> Iterator[Opener]:
        """Opens sessions on the test's store."""
        with ExitStack() as opened:

            def open_one(*model: Any, **options: Any) -> SessionStore[Any]:
                return opened.enter_context(session_class(store, ring, *model, **{"clock": clock, **options}))

            yield open_one

    @pytest.fixture(params=["sync", "async"])
    def face(self, request: pytest.FixtureRequest, open_sessions: Opener) -> Iterator[Face]:
        """Sessions with free data, by each of their faces."""
        with by_face(request.param, open_sessions) as face:
            yield face
