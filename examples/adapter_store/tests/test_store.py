"""The files keep what a store promises, and carry a cache and sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.cache import CacheManager
from postrmagic_core.errors import BackendRejected, ConfigurationError
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores import Store, leased
from postrmagic_core.testing import FakeClock
from postrmagic_core.testing.contracts.cache import CacheContract
from postrmagic_core.testing.contracts.store import StoreContract
from postrmagic_files import FileStore


class TestFiles(StoreContract):
    """As a store."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Callable[[], Store]:
        """In the test's own directory; a busy machine may need longer than half a second."""
        return lambda: FileStore(tmp_path / "kv", timeout=5.0)


class TestCacheOnFiles(CacheContract):
    """Under a cache."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Callable[[], Store]:
        """In the test's own directory."""
        return lambda: FileStore(tmp_path / "kv", timeout=5.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    """A store in the test's own directory."""
    opened = FileStore.from_url(f"files://{tmp_path}/a%20place/kv", timeout=5.0)
    yield opened
    opened.close()


def test_a_cache_computes_once(store: FileStore) -> None:
    """By either face, until its tag is invalidated."""
    posters = iter([["Gala"], ["Gala", "Fair"]])
    with CacheManager(store) as cache:
        for _ in range(2):
            assert cache.get_or_set("list", lambda: next(posters), fresh=60, tags=["posters"]) == ["Gala"]
        cache.invalidate("posters")
        fresh = asyncio.run(cache.aio.get_or_set("list", lambda: next(posters), fresh=60, tags=["posters"]))
        assert fresh == ["Gala", "Fair"]


def test_sessions_live_and_end(store: FileStore) -> None:
    """Data come back; logging in changes the id; revoked is over; and nothing can be read in the files."""
    with SessionStore(store, KeyRing(["an-old-master-value-0123456789-abcdefghij"])) as sessions:
        session = sessions.load(None)
        session.data["cart"] = "a-secret-poster"
        before = sessions.save(session)
        session = sessions.load(before)
        session.login("alice")
        after = sessions.save(session)
        assert after != before
        assert sessions.load(before).user_id is None
        assert (sessions.load(after).user_id, sessions.load(after).data) == ("alice", {"cart": "a-secret-poster"})
        files = [path for path in store._directory.iterdir() if path.is_file()]
        assert files
        assert all(b"a-secret-poster" not in path.read_bytes() for path in files)
        sessions.revoke_all("alice")
        assert sessions.load(after).is_new


def test_what_has_ended_is_swept(tmp_path: Path) -> None:
    """And nothing else; a lease is a value like any other."""
    clock = FakeClock()
    store = FileStore(tmp_path / "kv", clock=clock)
    store.set({b"short": b"1", b"other": b"1"}, 1000)
    store.set({b"long": b"1", b"for ever": b"1"}, None)
    with leased(store, b"lease", ttl=5):
        pass
    clock.advance(2)
    assert store.sweep() == 2
    assert store.sweep() == 0
    assert store.get([b"short", b"long", b"for ever"]) == [None, b"1", b"1"]


@pytest.mark.parametrize("url", ["files://host/path", "files:relative", "files:///", "files://"])
def test_a_url_that_names_no_directory_is_refused(url: str) -> None:
    """With what is expected instead."""
    with pytest.raises(ConfigurationError, match="files:///var/kv"):
        FileStore.from_url(url)


def test_a_file_in_the_directorys_place_is_refused(tmp_path: Path) -> None:
    """At the first operation, as our own error."""
    (tmp_path / "kv").touch()
    with pytest.raises(BackendRejected):
        FileStore(tmp_path / "kv").get([b"k"])
