"""A disk that a test may fill, and stores whose room can be used up and made again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from postrmagic_core._sql import Backend, PoolLimits, open_backend
from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.sql_sqlite import SqliteStore
from postrmagic_core.testing.servers import RedisServer, require
from postrmagic_files import FileStore
from tests.redis_kinds import KINDS

# A busy machine may need longer than the half second that production promises.
TIMEOUT = 5.0


class Ballast:
    """A file that takes all of a disk but ``left`` bytes."""

    def __init__(self, disk: Path, left: int) -> None:
        self._disk, self._left = disk, left
        self._file = disk / "ballast"

    def load(self) -> None:
        """Take the room."""
        with self._file.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(self._disk).free - self._left)

    def drop(self) -> None:
        """Give it back."""
        self._file.unlink()


@dataclass(frozen=True)
class Room:
    """Where stores are opened, whose room is used up and made again."""

    open: Callable[[], Store]
    use_up: Callable[[], object]
    make: Callable[[], object]


def in_memory_of(server: RedisServer) -> Room:
    """A server's memory."""
    import redis

    def allow(size: str) -> None:
        with closing(redis.Redis.from_url(server.url)) as raw:
            raw.config_set("maxmemory", size)

    return Room(lambda: open_store(server.url, timeout=TIMEOUT), partial(allow, "1mb"), partial(allow, "100mb"))


def in_pages_of(url: str) -> Room:
    """A file of SQLite's that may not grow: it answers as where the disk is full, and nobody has to fill one."""
    backends: list[Backend] = []

    def opened() -> Store:
        backends.append(open_backend(url, pool=PoolLimits(size=1, overflow=0)))
        return SqliteStore(backends[-1], timeout=TIMEOUT)

    def allow(pages: int) -> None:
        for backend in backends:
            with backend.engine("write").connect() as connection:
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    return Room(opened, partial(allow, 1), partial(allow, 100_000))


@pytest.fixture(
    params=[
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("valkey", marks=[pytest.mark.redis, pytest.mark.soak]),
        "sqlite",
        pytest.param("sqlite on a disk", marks=pytest.mark.soak),
        pytest.param("files on a disk", marks=pytest.mark.soak),
    ]
)
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    """Of each kind that may lack it."""
    kind, _, on_a_disk = request.param.partition(" ")
    if on_a_disk:
        disk: Path = request.getfixturevalue("small_disk")
        stores: dict[str, Callable[[], Store]] = {
            "sqlite": lambda: open_store(f"sqlite:///{disk}/kv.db", timeout=TIMEOUT),
            "files": lambda: FileStore(disk / "kv", timeout=TIMEOUT),
        }
        ballast = Ballast(disk, 0)
        yield Room(stores[kind], ballast.load, ballast.drop)
    elif kind == "sqlite":
        yield in_pages_of(f"sqlite:///{tmp_path}/kv.db")
    else:
        require(KINDS[kind].binary(), f"faults need a private server: no {kind}-server is installed")
        with KINDS[kind](maxmemory=3_000_000) as server:
            yield in_memory_of(server)
