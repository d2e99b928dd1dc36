"""What dies in a container, and what comes of it: requests, jobs, data."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.containers.engine import ROOT, told
from tests.containers.load import Account, asked, load, uploaded
from tests.containers.project import Project, until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]
CLIENTS = 8


def test_a_killed_replica_costs_no_read(project: Project, token: str, measured: dict[str, Any]) -> None:
    """Given traffic, when one of two replicas is killed, then no read fails, and of writes only those it was at.

    It comes back by itself, and what was acknowledged is in the database.
    """
    told("a replica killed under load")
    before = _media(project)
    victim = project.containers("app")[0]
    with load(project.address, token=token, clients=CLIENTS, writes=0.2, uploads=0.05) as account:
        time.sleep(3)
        project.crashed(victim)
        time.sleep(1)
        back = until(lambda: project.health(victim) == "healthy" and project.up() == 2, "it serves again", timeout=120)
        time.sleep(1)
    failed = account.failed()
    measured["replica killed"] = {
        "requests": len(account.requests),
        "failed_reads": sum(one.reads for one in failed),
        "failed_writes": sum(not one.reads for one in failed),
        "clients": CLIENTS,
        "serves_again_s": round(back + 1, 1),
    }
    assert not [one for one in failed if one.reads], f"{account.told()}\n{project.seen()}"
    assert len(failed) <= CLIENTS, f"{account.told()}\n{project.seen()}"
    _nothing_lost(project, before, account)


def test_without_the_proxys_retries_reads_would_fail(project: Project, token: str, tmp_path: Path) -> None:
    """Given a proxy that tries nothing again, when a replica is killed, then requests fail: the retries do it."""
    told("the same with a proxy that does not try again")
    sure = (ROOT / "deploy" / "haproxy.cfg").read_text(encoding="utf-8")
    weak = re.sub(r"\bretry-on .*", "retry-on none", re.sub(r"\bretries \d+", "retries 0", sure)).replace(
        "option redispatch 1", ""
    )
    assert weak != sure
    (tmp_path / "haproxy.cfg").write_text(weak, encoding="utf-8")
    (tmp_path / "compose.yaml").write_text(
        f"configs: {{haproxy: {{file: {tmp_path / 'haproxy.cfg'}}}}}\n", encoding="utf-8"
    )
    anew = ("up", "--detach", "--no-build", "--no-deps", "--force-recreate", "--wait", "proxy")
    weakened = replace(project, files=(*project.files, str(tmp_path / "compose.yaml")))
    try:
        weakened.compose(*anew)
        until(lambda: project.up() == 2, "both replicas get requests")
        with load(project.address, token=token, clients=CLIENTS, writes=0.2) as account:
            time.sleep(2)
            project.crashed(project.containers("app")[0])
            time.sleep(4)
        assert account.failed(), account.told()
    finally:
        project.compose(*anew)
        until(lambda: project.up() == 2, "both replicas get requests", timeout=120)


def test_a_killed_worker_loses_no_job(project: Project, token: str, measured: dict[str, Any]) -> None:
    """Given a worker at its jobs, when it is killed again and again, then every upload gets its thumbnail."""
    told("a worker killed mid-job")
    amount, kills, counted = 24, 0, []
    made = uploaded(project.address, token, amount, size=(1600, 2400))
    for share in (0.0, 0.3, 0.6):
        until(partial(_more, project, made, share * amount), "jobs are done", timeout=240)
        counted.append(_done(project, made))
        project.crashed(project.containers("worker")[0])
        kills += 1
    killed = time.monotonic()
    until(lambda: _done(project, made) == amount, "every thumbnail", timeout=300, every=1)
    measured["worker killed"] = {
        "uploads": amount,
        "kills": kills,
        "thumbnails": _done(project, made),
        "jobs": 2 * amount,
        "all_done_after_s": round(time.monotonic() - killed, 1),
    }
    assert counted[0] < amount, "the worker was done before it was killed"
    assert {asked(project.address, f"/api/v1/media/{one}/thumbnail", token) for one in made} == {200}


def _more(project: Project, media: list[int], than: float) -> bool:
    return _done(project, media) > than


def _done(project: Project, media: list[int]) -> int:
    """How many of them have each of their two jobs' results."""
    chosen = ", ".join(map(str, media))
    asked = (
        f"SELECT COUNT(*) FROM media m WHERE m.id IN ({chosen})"
        " AND EXISTS (SELECT 1 FROM renditions r WHERE r.digest = m.digest)"
        " AND EXISTS (SELECT 1 FROM details d WHERE d.digest = m.digest)"
    )
    return int(project.queried(asked)[0][0])


def test_the_database_goes_and_comes_back(project: Project, token: str, measured: dict[str, Any]) -> None:
    """Given traffic, when the database stops, then nothing is said to be done that is not; back, all is as before.

    Replicas are not ready meanwhile, and none of them has to be started anew.
    """
    told("the database stopped and started under load")
    before, replicas = _media(project), sorted(project.containers("app"))
    database = project.containers("database")[0]
    with load(project.address, token=token, clients=CLIENTS, writes=0.2, uploads=0.05) as account:
        time.sleep(3)
        project.engine.docker("stop", "--time=30", database)
        stopped = time.time()
        time.sleep(5)
        assert asked(project.address, "/readyz") == 503
        project.engine.docker("start", database)
        started = time.time()
        until(lambda: project.health(database) == "healthy", "the database is healthy", timeout=120)
        until(lambda: project.up() == 2, "both replicas are ready", timeout=60)
        served = time.time()
        time.sleep(4)
    after = account.between(served + 1, served + 60)
    measured["database away"] = {
        "away_s": round(started - stopped, 1),
        "failed_meanwhile": len(account.failed()),
        "ready_again_s": round(served - started, 1),
        "requests_after": len(after.requests),
        "failed_after": len(after.failed()),
    }
    assert after.requests
    assert not after.failed(), f"{after.told()}\n{project.seen()}"
    assert sorted(project.containers("app")) == replicas
    _nothing_lost(project, before, account)


def _media(project: Project) -> int:
    return int(project.queried("SELECT COUNT(*) FROM media")[0][0])


def _nothing_lost(project: Project, before: int, account: Account) -> None:
    """What was acknowledged is there; what failed may be there or not."""
    uploads = [one for one in account.requests if one.method == "POST"]
    acknowledged = sum(one.status == 201 for one in uploads)
    assert acknowledged > 0, account.told()
    assert before + acknowledged <= _media(project) <= before + acknowledged + sum(one.failed for one in uploads)
