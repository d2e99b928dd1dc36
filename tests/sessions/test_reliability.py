"""The reliability promises of sessions, on a Redis that is refused, silent, stopped and killed."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import BackendError
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import open_store
from postrmagic_core.testing.contracts.reliability import ReliabilityContract
from postrmagic_core.testing.contracts.rig import Budget
from tests.backends import TIMEOUT, OnOwnRedis

pytestmark = [pytest.mark.redis, pytest.mark.fault]

Sessions = SessionStore[dict[str, Any]]
RING = KeyRing(["a-master-value-0123456789-abcdefghijklmnop"])


class TestSessions(OnOwnRedis, ReliabilityContract[Sessions]):
    """The effect adds one to a counter of its own in alice's session: saved twice, it would show."""

    effect_bytes: ClassVar[bytes] = b"EVALSHA\r\n"
    budget: ClassVar[Budget] = Budget(call=1.0)

    def prepare(self, url: str) -> None:
        """Alice logs in; the server learns the Scripts, so that one request carries out one save."""
        sessions = SessionStore(open_store(url, timeout=TIMEOUT), RING).open()
        session = sessions.load(None)
        session.login("alice")
        self.cookie = sessions.save(session)
        self.effect(sessions, "first")
        self.close(sessions)

    def make(self, url: str) -> Sessions:
        """Impatient."""
        return SessionStore(open_store(url, timeout=0.25), RING).open()

    def close(self, subject: Sessions) -> None:
        """And the store beneath."""
        subject.close()
        subject.store.close()

    def operation(self, subject: Sessions) -> object:
        """Read the session."""
        return subject.load(self.cookie).user_id

    def effect(self, subject: Sessions, token: str) -> None:
        """Save a change."""
        session = subject.load(self.cookie)
        session.data[token] = session.data.get(token, 0) + 1
        subject.save(session)

    def effects(self, subject: Sessions) -> Counter[str]:
        """Every counter."""
        return Counter(subject.load(self.cookie).data)

    def tagged(self, subject: Sessions, tag: str) -> str:
        """A session of the tag's own, read back."""
        session = subject.load(None)
        session.data["tag"] = tag
        return str(subject.load(subject.save(session)).data["tag"])

    async def tagged_async(self, subject: Sessions, tag: str) -> str:
        """The same, awaited."""
        session = await subject.aio.load(None)
        session.data["tag"] = tag
        return str((await subject.aio.load(await subject.aio.save(session))).data["tag"])

    def decide(self, subject: Sessions) -> bool:
        """Whether this is alice."""
        try:
            return subject.load(self.cookie).user_id == "alice"
        except BackendError:
            return False
