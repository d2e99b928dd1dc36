"""A Redis whose disk is full takes no job, says so, and takes them again once there is room."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from postrmagic_core.errors import BackendError, OutOfSpace
from postrmagic_core.jobs import task
from postrmagic_core.testing.servers import RedisServer, require
from tests.disks import Ballast
from tests.jobs.conftest import Place, Rig

pytestmark = [pytest.mark.redis, pytest.mark.fault]

Sync = Literal["everysec", "always"]


@task(name="full.note")
def note(ctx: object, value: str) -> str:
    """Return what it was given."""
    return value


class Limited(RedisServer):
    """One that is told by an error, not by a signal, that a file may not grow."""

    def _argv(self) -> list[str]:
        return ["/bin/sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh", *super()._argv()]

    def allow_files(self, size: int) -> None:
        """Let no file of the server grow beyond ``size`` bytes: its disk is full, though nobody else's."""
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, hard))


def prove(
    rig: Rig,
    server: RedisServer,
    caplog: pytest.LogCaptureFixture,
    use_up: Callable[[], object],
    make_room: Callable[[], object],
    *,
    always: bool,
) -> None:
    """What was acknowledged runs; what a unit enqueued meanwhile waits in the outbox, and runs once there is room.

    A Redis that syncs always ends when it cannot write: it is started again when there is room. One that syncs every
    second may have acknowledged what it then could not write.
    """
    rig.jobs.include(note)
    acknowledged = [rig.jobs.enqueue(note.call("before"))]
    use_up()
    refusal: BackendError | None = None
    deadline = time.monotonic() + 30
    while refusal is None and time.monotonic() < deadline:
        try:
            acknowledged.append(rig.jobs.enqueue(note.call("x" * 1000)))
        except BackendError as error:
            refusal = error
        time.sleep(0.01)
    assert refusal is not None
    assert always or isinstance(refusal, OutOfSpace)
    with caplog.at_level(logging.WARNING), rig.db.write() as tx:
        kept = rig.jobs.enqueue(note.call("kept"), tx=tx)
    rig.until(lambda: "jobs" in caplog.text)  # the relay's word of the route that fails
    make_room()
    if always:
        server.kill()
        server.start()
    rig.until(lambda: answers(rig))
    rig.work(2)
    assert rig.result(kept) == "kept"
    surely = acknowledged if always else acknowledged[:-1]
    assert {handle.wait(30).state for handle in surely} == {"succeeded"}


def answers(rig: Rig) -> bool:
    """Whether the broker is known to be back."""
    try:
        rig.jobs.counts()
    except BackendError:
        return False
    return True


@pytest.mark.parametrize("appendonly", ["everysec", "always"])
def test_a_server_whose_file_may_not_grow_refuses_jobs_and_the_outbox_keeps_them(
    make_rig: Callable[..., Rig], sqlite_place: Place, caplog: pytest.LogCaptureFixture, appendonly: Sync
) -> None:
    """As far as any user can fill a disk."""
    require(RedisServer.binary(), "no redis-server: install it")
    with Limited(appendonly=appendonly) as server:
        rig = make_rig(Place(sqlite_place.database_url, server.url), lease=1.0)
        prove(
            rig,
            server,
            caplog,
            use_up=lambda: server.allow_files(64 * 1024),
            make_room=lambda: server.allow_files(resource.RLIM_INFINITY) if server.running else None,
            always=appendonly == "always",
        )


@pytest.mark.soak
@pytest.mark.parametrize("appendonly", ["everysec", "always"])
def test_a_full_disk_refuses_jobs_and_the_outbox_keeps_them(
    make_rig: Callable[..., Rig],
    sqlite_place: Place,
    small_disk: Path,
    caplog: pytest.LogCaptureFixture,
    appendonly: Sync,
) -> None:
    """A disk that is full to the last page."""
    with RedisServer(appendonly=appendonly, options=["--dir", str(small_disk)]) as server:
        rig = make_rig(Place(sqlite_place.database_url, server.url), lease=1.0)
        ballast = Ballast(small_disk, 0)
        prove(rig, server, caplog, ballast.load, ballast.drop, always=appendonly == "always")
