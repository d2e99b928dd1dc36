"""The key ring of sessions."""

from __future__ import annotations

import pytest

from postrmagic_core._crypto import KeyRing
from tests.redis_kinds import own_redis_server, redis_kind, replicated  # noqa: F401 - pytest looks for fixtures here

OLD_KEY = "an-old-master-value-0123456789-abcdefghij"
NEW_KEY = "the-next-master-value-9876543210-klmnopqr"


@pytest.fixture
def ring() -> KeyRing:
    """A key ring of one key."""
    return KeyRing([OLD_KEY])
