"""The worker is killed in the middle of its work: every thumbnail and all details are made, each once."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Table, func, select

from media_library.tables import blobs, details, renditions
from media_library.tasks import extract_details, extract_missing, make_thumbnails, refresh_statistics
from postrmagic_core.database.tables import once, outbox
from postrmagic_core.jobs.interface import DEAD, LIVE
from postrmagic_core.settings import Settings
from postrmagic_core.testing import spawn, until
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.servers import RedisServer
from tests.app.house import House, furnish, open_house, small

pytestmark = pytest.mark.fault

ROOT = Path(__file__).parents[2]
PATIENCE = 250.0


def work() -> None:
    """In a process of its own: a worker with its relay, until killed."""
    from postrmagic_core.jobs.process import run

    run("media_library.worker:stack", 4, "all")


def environment(settings: Settings) -> dict[str, str]:
    """Where the worker finds what this process uses; a lost lease ends soon."""
    return {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'examples'}",
        "POSTRMAGIC_STACK__DATA_DIR": str(settings.stack.data_dir),
        "POSTRMAGIC_DATABASE__URL": settings.database_url(),
        "POSTRMAGIC_CACHE__URL": settings.store_url(settings.cache),
        "POSTRMAGIC_JOBS__URL": settings.broker_url(),
        "POSTRMAGIC_JOBS__LEASE": "2",
        "POSTRMAGIC_LOG__LEVEL": "WARNING",
    }


def rows(house: House, table: Table) -> int:
    """How many rows a table has."""
    with house.application.stack.database.read() as unit:
        return int(unit.scalar(select(func.count()).select_from(table)))


def wait_until(condition: Callable[[], bool]) -> None:
    """Look often; a thumbnail is made in another process, which cannot tell us."""
    until(condition, timeout=PATIENCE)


def at_rest(house: House) -> bool:
    """Whether nothing waits or runs, in the outbox or as a job."""
    return rows(house, outbox) == 0 and not house.application.stack.jobs.find(LIVE)


def succeeded(house: House, task: str) -> int:
    """How many jobs of a task have succeeded."""
    return len(house.application.stack.jobs.find({"succeeded"}, task=task, limit=10_000))


def told(house: House) -> list[tuple[str, int]]:
    """What the user was told, as kind and amount, the latest first."""
    latest = house.application.notifications.latest(house.user_id())
    return [(each["kind"], each["amount"]) for each in latest]


def outlive_a_kill(settings: Settings, number: int) -> None:
    """Upload ``number`` pictures, kill the worker when half of the thumbnails are there, start another."""
    with open_house(settings) as house:
        with spawn(work, env=environment(settings)) as worker:
            uploaded = [house.add(small()).media_id for _ in range(number)]
            wait_until(lambda: rows(house, renditions) >= number)
            worker.kill()
        assert rows(house, renditions) < 2 * number
        with spawn(work, env=environment(settings)):
            wait_until(lambda: rows(house, renditions) == 2 * number)
            wait_until(lambda: rows(house, details) == number)
            wait_until(lambda: at_rest(house))
        assert rows(house, blobs) == number
        # Of each upload an effect of either listener, one of the thumbnails' job, and one of the listener that tells of
        # them. Its details are asked for by the
        # upload, and again by each worker that finds some missing as it starts; how often that is, and how many changes
        # one refresh stands for, is as chance has it. Whatever the number of these jobs, each had its effect once.
        assert succeeded(house, make_thumbnails.name) == number
        looked, missing, refreshes = (
            succeeded(house, task.name) for task in (extract_details, extract_missing, refresh_statistics)
        )
        assert looked >= number
        assert missing <= 2
        assert refreshes >= 1
        assert rows(house, once) == 4 * number + looked + missing + refreshes
        assert house.application.stack.jobs.find(DEAD) == []
        assert told(house) == [("posters_ready", number)]
        types = house.application.library.stats(house.user_id())["types"]
        assert types == [{"type": "image/jpeg", "count": number}]
        with house.application.stack.database.read() as unit:
            made = Counter(unit.execute(select(renditions.c.format)).scalars())
        assert made == {"webp": number, "jpeg": number}
        visitor = house.browser()
        for media_id in uploaded:
            assert visitor.get(f"/api/v1/media/{media_id}/thumbnail").content[:3] == b"\xff\xd8\xff"


@pytest.fixture
def settings(tmp_path: Path, furnished: Path) -> Settings:
    """Everything in SQLite files."""
    shutil.copy(furnished, tmp_path)
    return embedded_settings(tmp_path)


def test_a_killed_worker_loses_and_repeats_no_thumbnail(settings: Settings) -> None:
    """On the embedded default; decoders are processes, so this is the short form of the proof below."""
    outlive_a_kill(settings, 8)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_killed_worker_loses_and_repeats_none_of_two_hundred(settings: Settings) -> None:
    """The same with 200 uploads."""
    outlive_a_kill(settings, 200)


@pytest.mark.soak
@pytest.mark.mysql
@pytest.mark.redis
@pytest.mark.timeout(600)
def test_a_killed_worker_loses_and_repeats_none_on_mariadb_and_redis(
    tmp_path: Path, mariadb_url: str, own_redis_server: Callable[..., RedisServer]
) -> None:
    """Tables in MariaDB, jobs and cache in a Redis that keeps what it acknowledged."""
    redis = own_redis_server(appendonly="always")
    settings = embedded_settings(tmp_path).replace(
        database={"url": mariadb_url},
        jobs={"url": redis.create_database()},
        cache={"url": redis.create_database()},
    )
    furnish(settings)
    outlive_a_kill(settings, 100)
