"""What sessions promise, the same on every store and either face; and what they cannot work with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import BaseModel

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import ConfigurationError, NotOpen
from postrmagic_core.sessions import Binding, CookieSessions, SessionStore
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.stores.adapters.sql import SqlStore
from postrmagic_core.testing.contracts.session import SessionContract
from tests.backends import TIMEOUT


class TestMemory(SessionContract):
    """In this process."""

    @pytest.fixture
    def open_store(self) -> Callable[[], Store]:
        """A new one each time."""
        return MemoryStore


class TestSqlite(SessionContract):
    """In a file."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Callable[[], Store]:
        """On the test's own file."""
        return lambda: open_store(f"sqlite:///{tmp_path / 'kv.db'}", timeout=TIMEOUT)


class OnServer(SessionContract):
    """In a database that the class's tests share; each leaves it empty."""

    server: ClassVar[str]

    @pytest.fixture(scope="class")
    @classmethod
    def kept(cls, request: pytest.FixtureRequest) -> Iterator[SqlStore]:
        """The store, on the server that the fixture of this name gives."""
        server = request.getfixturevalue(cls.server)
        url = server.create_database()
        with closing(open_store(url, timeout=TIMEOUT)) as kept:
            assert isinstance(kept, SqlStore)
            yield kept
        server.drop_database(url)

    @pytest.fixture
    def store(self, kept: SqlStore) -> Iterator[Store]:
        """The same, empty."""
        yield kept
        kept.clear(b"{")


@pytest.mark.mysql
class TestMariaDB(OnServer):
    """On a real server."""

    server = "mariadb_server"


@pytest.mark.mysql
@pytest.mark.soak
class TestMysqld(OnServer):
    """On MySQL itself, which is none of MariaDB's."""

    server = "mysql_server"


@pytest.mark.redis
class TestRedis(SessionContract):
    """On a real server."""

    @pytest.fixture
    def open_store(self, redis_url: str) -> Callable[[], Store]:
        """In the test's own database."""
        return lambda: open_store(redis_url, timeout=TIMEOUT)


@pytest.mark.redis
@pytest.mark.soak
class TestValkey(SessionContract):
    """On Redis's sibling."""

    @pytest.fixture
    def open_store(self, valkey_url: str) -> Callable[[], Store]:
        """In the test's own database."""
        return lambda: open_store(valkey_url, timeout=TIMEOUT)


def test_what_sessions_cannot_work_with_is_refused(ring: KeyRing) -> None:
    """A model that a new visitor cannot have, another type, numbers that contradict each other, no open()."""

    class Needy(BaseModel):
        name: str

    store = MemoryStore()
    with pytest.raises(ConfigurationError, match="give name a default"):
        SessionStore(store, ring, Needy)
    with pytest.raises(ConfigurationError, match="pydantic model or a dict"):
        SessionStore(store, ring, list)
    with pytest.raises(ConfigurationError, match="needs migrate="):
        SessionStore(store, ring, version=2)
    with pytest.raises(ConfigurationError, match="1 or more"):
        SessionStore(store, ring, version=0)
    with pytest.raises(ValueError, match="touch_interval < idle_timeout <= absolute_timeout"):
        SessionStore(store, ring, idle_timeout=60, absolute_timeout=30)
    with pytest.raises(ValueError, match="rotation_grace < renewal_timeout"):
        SessionStore(store, ring, rotation_grace=60, renewal_timeout=30)
    with pytest.raises(ValueError, match="too short for absolute_timeout"):
        SessionStore(store, ring, rotation_grace=0, renewal_timeout=0.001)
    with pytest.raises(ValueError, match="max_sessions"):
        SessionStore(store, ring, max_sessions=0)
    with pytest.raises(TypeError, match="no option idle; it has namespace, idle_timeout"):
        SessionStore(store, ring, idle=60)  # type: ignore[call-overload]  # what is refused
    with pytest.raises(TypeError, match="no option max_sessions; it has namespace"):
        CookieSessions(ring, max_sessions=1)  # type: ignore[call-overload]  # what is refused
    with pytest.raises(ValueError, match='"off", "log" or "revoke"'):
        Binding(agent="deny")  # type: ignore[arg-type]  # what is refused
    with pytest.raises(ValueError, match="user's id"), SessionStore(store, ring) as sessions:
        sessions.load(None).login("")
    with pytest.raises(NotOpen):
        SessionStore(store, ring).load(None)
