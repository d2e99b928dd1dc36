"""The sessions' benchmark reports what it promises, from few calls, and its two applications do the same work."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks._harness import Bench
from benchmarks.sessions import accounts, client, costs, kept, library, original, peers, served, workers
from benchmarks.sessions.library import Request
from postrmagic_core.errors import BackendUnavailable, Conflict
from postrmagic_core.testing import spawn

UPLOAD = "Concert at the new harbour"
PEERS = {
    "starsessions": "starsessions",
    "litestar": "litestar",
    "flask_session": "flask_session",
    "django": "django",
}


class Short(Bench):
    """One round of few calls."""

    def repeats(self, full: int, quick: int) -> int:
        """Always one."""
        return 1


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """Where coroutines are awaited."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.redis
def test_a_session_that_is_only_read_takes_one_command(redis_url: str, runner: asyncio.Runner) -> None:
    """Of load and save together; its time stands beside a bare GET, for both faces."""
    bench = Short()
    costs.unchanged(bench, redis_url)
    costs.unchanged_awaited(bench, runner, redis_url)
    assert bench.figures["unchanged_commands"] == 1
    assert bench.figures["load_save_time_ratio"] > 0
    assert bench.figures["load_save_aio_time_ratio"] > 0
    assert {costs.OURS, costs.RAW, costs.RAW_OURS} <= bench.comparisons[0].samples.keys()


@pytest.mark.redis
def test_a_session_that_changes_is_saved_by_one_command(redis_url: str) -> None:
    """After one that loads it."""
    bench = Short()
    costs.changed(bench, redis_url)
    assert bench.figures["changed_commands"] == 1
    assert bench.figures["changed_load_commands"] == 1


def tell_of_frameworks(redis_url: str) -> None:
    """In a process of its own, as Django's settings are the process's: print what was measured, and what is missing."""
    bench = Short()
    with asyncio.Runner() as runner:
        peers.requests(bench, runner, redis_url)
    sys.stdout.write(json.dumps(["told", bench.figures, bench.missing]) + "\n")


@pytest.mark.redis
def test_each_framework_is_measured_or_named(redis_url: str) -> None:
    """Its commands and what its sessions add, for a request that reads and one that changes a key."""
    with spawn(tell_of_frameworks, redis_url) as child:
        _, figures, missing = json.loads(next(line for line in child.lines() if line.startswith('["told"')))
        assert child.wait(60) == 0
    measured = {name.partition(".")[2] for name in figures}
    assert measured | missing.keys() == {*PEERS, "ours_starlette", "ours_flask"}
    assert {name for name in PEERS if not installed(PEERS[name])} <= missing.keys()
    for name in measured:
        assert {f"{what}_{kind}.{name}" for what in ("read", "change") for kind in ("commands", "session_us")} <= (
            figures.keys()
        )
    assert figures["read_commands.ours_starlette"] == 1
    assert figures["change_commands.ours_starlette"] == 2


def installed(module: str) -> bool:
    """Whether a peer is there."""
    return find_spec(module) is not None


@pytest.fixture(params=["original", "ours", "ours_core"])
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[library.Side, list[str]]]:
    """Each application with five users, and their sessions' tokens."""
    library.seed(tmp_path, 5)
    if request.param == "original":
        yield original.Original(tmp_path), original.prepare(tmp_path, 5)
    else:
        tokens = kept.prepare(tmp_path, 5)
        ours = kept.Kept(tmp_path) if request.param == "ours" else kept.KeptByCore(tmp_path)
        yield ours, tokens
        ours.close()


def test_both_applications_answer_the_same(side: tuple[library.Side, list[str]]) -> None:
    """A user's own media, the newest first; an upload is on the list; without a session there is nothing."""
    application, tokens = side
    before = json.loads(application.answer(Request(tokens[3], None)).body)
    assert [row["title"] for row in before[:2]] == [f"Concert {n} at the old harbour" for n in (24, 23)]
    assert len(before) == 20
    assert application.answer(Request(tokens[3], UPLOAD)) == library.UPLOADED
    assert json.loads(application.answer(Request(tokens[3], None)).body)[0]["title"] == UPLOAD
    assert json.loads(application.answer(Request(tokens[2], None)).body)[0]["title"] != UPLOAD
    assert application.answer(Request("nobody's", None)) == library.NOBODY


def test_the_original_writes_with_each_call(tmp_path: Path) -> None:
    """``last_activity``, also where nothing else changes, and into the library's own file, in SQLite's own ways."""
    library.seed(tmp_path, 2)
    token, _ = original.prepare(tmp_path, 2)
    with closing(sqlite3.connect(tmp_path / library.FILE)) as connection:
        connection.execute("UPDATE sessions SET last_activity = last_activity - 100")
        connection.commit()
        assert original.Original(tmp_path).answer(Request(token, None)).status == 200
        times = [row[0] for row in connection.execute("SELECT last_activity FROM sessions ORDER BY user_id")]
        assert times[0] >= int(time.time()) - 10 > times[1]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.parametrize(("ago", "writes"), [(30, False), (kept.TOUCH + 1, True)])
def test_ours_writes_a_session_once_a_minute(ago: float, writes: bool, tmp_path: Path) -> None:
    """Or when it changed, and a list changes nothing; one that was prolonged just now is not again."""
    library.seed(tmp_path, 5)
    tokens = kept.prepare(tmp_path, 5, lambda: ago)
    with closing(sqlite3.connect(tmp_path / "kv.db")) as connection:
        ours = kept.Kept(tmp_path)
        try:
            seen = [rows(connection)]
            for _ in range(2):
                assert {ours.answer(Request(token, None)).status for token in tokens} == {200}
                seen.append(rows(connection))
        finally:
            ours.close()
    assert (seen[0] != seen[1]) is writes
    assert seen[1] == seen[2]


def rows(connection: sqlite3.Connection) -> dict[bytes, bytes]:
    """What the store holds."""
    return dict(connection.execute("SELECT k, v FROM pm_kv"))


@pytest.mark.parametrize(
    "error",
    [sqlite3.OperationalError("database is locked"), Conflict("the time-out ended before the store's work did")],
)
def test_a_lock_is_told_from_a_failure(error: Exception) -> None:
    """However it is wrapped; another error fails the run."""
    outer = BackendUnavailable("away")
    outer.__cause__ = error
    assert workers.is_locked(error)
    assert workers.is_locked(outer)
    assert not workers.is_locked(BackendUnavailable("away"))


class Failing:
    """An application that cannot answer."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def answer(self, request: Request) -> library.Response:
        """Raises its error."""
        raise self._error


def test_a_locked_database_is_counted_and_another_error_is_not_hidden() -> None:
    """By the client."""
    line = workers.told(Request("token", None))
    locked = workers.answered(Failing(sqlite3.OperationalError("database is locked")), line)
    assert client.refused(b"%d\n%b" % (locked.status, locked.body))
    broken = workers.answered(Failing(ValueError("wrong")), line)
    with pytest.raises(RuntimeError, match="wrong"):
        client.refused(b"%d\n%b" % (broken.status, broken.body))


@pytest.mark.soak
def test_the_clients_are_answered_by_processes(tmp_path: Path) -> None:
    """All of them, with what they asked for; afterwards no process is left, and nobody listens."""
    served.prepared(tmp_path, 100, [served.OURS])
    with served.running(served.OURS, tmp_path / served.OURS, served.FEW) as side:
        found = side.asked(0.3, seed=1)
    assert found.rate > 0
    assert found.locked == 0
    assert len(found.times) >= round(found.rate * 0.3)
    with pytest.raises((ConnectionError, FileNotFoundError)), closing(client.connected(str(side.listens))):
        pass


@pytest.mark.soak
def test_decisions_and_logins_are_timed() -> None:
    """Of the rooms as they are by default."""
    bench = Short()
    accounts.authorized(bench)
    accounts.logins(bench)
    assert {"authz_check_us", "authz_identity_us", "login_rate", "login_rate.one", "login_ms"} == bench.figures.keys()
    assert all(value > 0 for value in bench.figures.values())
