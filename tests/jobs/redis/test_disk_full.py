"""A Redis whose disk is full takes no job, says so, and takes them again once there is room."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from postrmagic_core.errors import BackendError, OutOfSpace
from postrmagic_core.jobs import task
from postrmagic_core.testing.servers import RedisServer
from tests.disks import Ballast
from tests.jobs.conftest import Place, Rig

pytestmark = [pytest.mark.redis, pytest.mark.fault, pytest.mark.soak]


@task(name="full.note")
def note(ctx: object, value: str) -> str:
    """Return what it was given."""
    return value


@pytest.mark.parametrize("appendonly", ["everysec", "always"])
def test_a_full_disk_refuses_jobs_and_the_outbox_keeps_them(
    make_rig: Callable[..., Rig], sqlite_place: Place, small_disk: Path, appendonly: str
) -> None:
    """What was acknowledged runs; what a unit enqueued meanwhile waits in the outbox, and runs once there is room.

    A Redis that syncs always ends when it cannot write: it is started again when there is room.
    """
    with RedisServer(appendonly=appendonly, options=["--dir", str(small_disk)]) as server:  # type: ignore[arg-type]  # words
        rig = make_rig(Place(sqlite_place.database_url, server.url), lease=1.0)
        rig.jobs.include(note)
        acknowledged = [rig.jobs.enqueue(note.call("before"))]
        ballast = Ballast(small_disk, 0)
        ballast.load()
        refusal: BackendError | None = None
        deadline = time.monotonic() + 30
        while refusal is None and time.monotonic() < deadline:
            try:
                acknowledged.append(rig.jobs.enqueue(note.call("x" * 1000)))
            except BackendError as error:
                refusal = error
            time.sleep(0.01)
        assert refusal is not None
        assert appendonly == "always" or isinstance(refusal, OutOfSpace)
        with rig.db.write() as tx:
            kept = rig.jobs.enqueue(note.call("kept"), tx=tx)
        ballast.drop()
        if appendonly == "always":
            server.kill()
            server.start()
        rig.until(lambda: answers(rig))
        rig.work(2)
        assert kept.result(60) == "kept"
        states = {handle.wait(30).state for handle in acknowledged[: -1 if appendonly == "everysec" else None]}
        assert states == {"succeeded"}


def answers(rig: Rig) -> bool:
    """Whether the broker is known to be back."""
    try:
        rig.jobs.counts()
    except BackendError:
        return False
    return True
