"""The same request at many processes, at processes that are killed, and without its database: one effect."""

# ruff: noqa: T201 - a child process speaks by printing
from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._clock import SystemClock
from postrmagic_core.database import DatabaseManager
from postrmagic_core.testing.process import spawn
from postrmagic_core.testing.servers import MariaDBServer
from tests.databases import empty_database
from tests.middleware.test_idempotency import Rig, make_tables

pytestmark = pytest.mark.fault

WAYS = ["unit", "thread", "wsgi"]
IN_FLIGHT = 3_600.0
"""Longer than any test takes; each has its clock go on so far when it is to be over."""
_MARIADB = pytest.mark.mysql
_MYSQL = [pytest.mark.mysql, pytest.mark.soak]


def _served(mariadb: list[str]) -> list[Any]:
    """Each way on SQLite, some on MariaDB: what differs there is the row's lock, not who began the unit."""
    return [
        *(pytest.param("sqlite", way, id=f"sqlite-{way}") for way in WAYS),
        *(pytest.param("mariadb", way, id=f"mariadb-{way}", marks=_MARIADB) for way in mariadb),
        *(pytest.param("mysql", way, id=f"mysql-{way}", marks=_MYSQL) for way in WAYS),
    ]


class Later(SystemClock):
    """The machine's clock, ``ahead`` seconds ahead."""

    ahead = 0.0

    def now_us(self) -> int:
        """Wall time in microseconds."""
        return super().now_us() + round(self.ahead * 1_000_000)


@pytest.fixture
def url_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """The URL of a database of this test's own, by kind, with its tables."""
    with ExitStack() as opened:

        def url(kind: str) -> str:
            found = opened.enter_context(empty_database(kind, request, tmp_path))
            with DatabaseManager(found) as db:
                make_tables(db)
            return found

        yield url


def race(url: str, way: str, gate: str, callers: int, lease: float, tries: int) -> None:
    """Send the same request from ``callers`` threads once the gate opens, again on 409; say what each got last."""
    with DatabaseManager(url) as db:
        rig, answers = Rig(db, way, lease=lease), []

        def call() -> None:
            answer = rig.send(key="one", body=b"same")
            for _ in range(tries):
                if answer.status != 409:
                    break
                time.sleep(0.02)  # as Retry-After asks, only sooner
                answer = rig.send(key="one", body=b"same")
            answers.append((answer.status, answer.body.decode()))

        threads = [threading.Thread(target=call) for _ in range(callers)]
        print("ready", flush=True)
        with Path(gate).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(json.dumps(answers))


def raced(url: str, way: str, gate: Path, lease: float, tries: int) -> list[tuple[int, str]]:
    """What 40 callers at four processes got."""
    with ExitStack() as stack, gate.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        given = (url, way, str(gate), 10, lease, tries)
        children = [stack.enter_context(spawn(race, *given)) for _ in range(4)]
        assert [child.line(60) for child in children] == ["ready"] * 4
        fcntl.flock(file, fcntl.LOCK_UN)
        return [(status, body) for child in children for status, body in json.loads(child.line(60))]


@pytest.mark.parametrize(("kind", "way"), _served(["unit", "wsgi"]))
def test_forty_callers_at_four_processes_have_one_effect(
    url_of: Callable[[str], str], kind: str, way: str, tmp_path: Path
) -> None:
    """Given 40 equal requests at once, the handler's effect is there once and all get its answer."""
    url = url_of(kind)
    answers = raced(url, way, tmp_path / "gate", IN_FLIGHT, 1_000)
    with DatabaseManager(url) as db:
        stored = Rig(db, way).stored
    assert len(stored) == 1
    assert answers == [(201, stored[0])] * 40


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "way"), _served(["unit", "wsgi"]))
def test_callers_that_overtake_each_other_have_one_effect(
    url_of: Callable[[str], str], kind: str, way: str, tmp_path: Path
) -> None:
    """Given handlers that are all too slow and race to commit, at most one does, and nobody is told of another."""
    url = url_of(kind)
    answers = raced(url, way, tmp_path / "gate", 0.005, 3)
    with DatabaseManager(url) as db:
        rig = Rig(db, way)
        last = rig.send(key="one", body=b"same")
        assert len(rig.stored) == 1
        told = {body for status, body in [*answers, (last.status, last.body.decode())] if status == 201}
        assert told <= set(rig.stored)
    assert {status for status, _ in answers} <= {201, 409, 503}


def die() -> None:
    """As the out-of-memory killer does."""
    os.kill(os.getpid(), signal.SIGKILL)


def serve_and_die(url: str, way: str, point: str) -> None:
    """Serve one request, to be killed at ``point``."""
    with DatabaseManager(url) as db:
        rig = Rig(db, way, lease=IN_FLIGHT)
        if point == "committing":
            db.on_write(lambda tx: die() if rig.runs else None)
        else:
            setattr(rig, point, die)
        rig.send()
        die()


@pytest.fixture
def killed(url_of: Callable[[str], str]) -> Iterator[Callable[..., tuple[Rig, Later]]]:
    """``killed(kind, way, point)`` lets a process die over the request; gives what serves the retry, and its clock."""
    opened: list[DatabaseManager] = []

    def run(kind: str, way: str, point: str) -> tuple[Rig, Later]:
        url, clock = url_of(kind), Later()
        with spawn(serve_and_die, url, way, point) as child:
            assert child.wait(60) == -signal.SIGKILL
        opened.append(DatabaseManager(url, clock=clock))
        return Rig(opened[0].open(), way, lease=IN_FLIGHT), clock

    yield run
    for db in opened:
        db.close()


Killed = Callable[[str, str, str], tuple[Rig, Later]]


@pytest.mark.parametrize("point", ["before", "inside", "committing"])
@pytest.mark.parametrize(("kind", "way"), _served(["thread"]))
def test_killed_before_the_commit_it_runs_again(killed: Killed, kind: str, way: str, point: str) -> None:
    """Given a process killed before, in or at the end of the unit, the retry waits for the expiry and then runs."""
    rig, clock = killed(kind, way, point)
    assert rig.stored == []
    early = rig.send()
    assert (early.status, early.code) == (409, "idempotency.in_flight")
    clock.ahead = IN_FLIGHT + 1
    assert rig.send().status == 201
    assert len(rig.stored) == len(rig.runs) == 1


@pytest.mark.parametrize(("kind", "way"), _served(["thread"]))
def test_killed_after_the_commit_it_never_runs_again(killed: Killed, kind: str, way: str) -> None:
    """Given a process killed between commit and response, the retry hears that it was done; the effect stays one."""
    rig, clock = killed(kind, way, "after")
    assert rig.send().code == "idempotency.in_flight", "the first may still be answering"
    for ahead in (IN_FLIGHT + 1, 80_000):
        clock.ahead = ahead
        answer = rig.send()
        assert (answer.status, answer.code) == (409, "idempotency.done")
        assert "retry-after" not in answer.headers
        assert rig.send(body=b"other").code == "idempotency.mismatch"
    assert rig.runs == []
    assert len(rig.stored) == 1


@pytest.mark.parametrize(("kind", "way"), _served(["thread"]))
def test_killed_after_the_response_it_is_replayed(killed: Killed, kind: str, way: str) -> None:
    """Given a process killed after all was done, another one answers as it did."""
    rig, _ = killed(kind, way, "nowhere")
    assert rig.send().told == (201, rig.stored[0].encode())
    assert rig.runs == []


@pytest.mark.mysql
@pytest.mark.parametrize("way", ["unit", "wsgi"])
def test_without_its_database_nothing_runs(own_mariadb_server: Callable[..., MariaDBServer], way: str) -> None:
    """Given a database that is gone, 503 and no handler; gone after the commit, the first answer, then "done"."""
    server = own_mariadb_server()
    clock = Later()
    with DatabaseManager(server.url, clock=clock) as db:
        make_tables(db)
        rig = Rig(db, way, lease=IN_FLIGHT)
        rig.after = server.kill
        first = rig.send()
        assert first.status == 201
        away = rig.send()
        assert (away.status, away.code) == (503, "backend.unavailable")
        assert len(rig.runs) == 1
        server.restart()
        assert rig.send().code == "idempotency.in_flight"
        clock.ahead = IN_FLIGHT + 1
        assert rig.send().code == "idempotency.done"
        assert rig.stored == [first.body.decode()]
        rig.after = rig.before = server.kill
        failed = rig.send(key="other")
        assert (failed.status, failed.code) == (503, "backend.unavailable")
        server.restart()
        rig.before = rig.after = lambda: None
        clock.ahead += IN_FLIGHT + 1
        assert rig.send(key="other").status == 201
        assert len(rig.stored) == 2
