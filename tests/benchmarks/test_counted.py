"""The experiments of the counters find nothing lost of ours, and can find it: a peer or a planted mistake loses it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from benchmarks import _contention, proofs
from benchmarks._harness import Bench, Options
from benchmarks.counters import jobs, migration, outages, sessions, sites, updates, workers
from benchmarks.counters.migration import AWKWARD
from benchmarks.transfer.moving import asked
from postrmagic_core.testing.faults import load_rows
from postrmagic_core.testing.servers import MariaDBServer, RedisServer

CASES = {awkward.name: awkward for awkward in AWKWARD}


@pytest.mark.redis
@pytest.mark.parametrize(
    ("name", "lost"), [("ours", 0), pytest.param("django", sessions.WRITERS - 1, marks=pytest.mark.soak)]
)
def test_keys_that_are_written_at_once(name: str, lost: int, redis_server: RedisServer) -> None:
    """Each is kept; where the whole session is written, one writer's are."""
    with ExitStack() as opened:
        loop = opened.enter_context(sites.running())
        site = sites.MAKERS[name][1](opened, redis_server.create_database(), loop)
        assert sessions.lost_keys(site) == lost


@pytest.mark.redis
def test_a_logout_is_final(redis_server: RedisServer) -> None:
    """A request that had begun before it brings nobody back; before the logout there was somebody."""
    with ExitStack() as opened:
        loop = opened.enter_context(sites.running())
        site = sites.ours(opened, redis_server.create_database(), loop)
        cookie = site.ask("/login").cookie
        assert site.ask("/who", cookie).text == sites.USER
        assert not sessions.still_in(site)


@pytest.mark.redis
def test_a_call_whose_reply_is_lost(redis_server: RedisServer) -> None:
    """Ours counts once; a client that tries again counts twice."""
    bench = Bench(Options(quick=True))
    outages.lost_reply(bench, redis_server)
    assert bench.figures["incr_with_lost_reply"] == 1
    assert bench.figures["incr_with_lost_reply_peer.redis_py"] == 2


@pytest.mark.mysql
@pytest.mark.parametrize(
    ("name", "ours", "theirs"),
    [
        ("19.99 in NUMERIC", "exact", "lost"),
        pytest.param("a row that leads nowhere", "refused", "refused", marks=pytest.mark.soak),
    ],
)
def test_a_database_that_is_moved(name: str, ours: str, theirs: str, mariadb_server: MariaDBServer) -> None:
    """It is exact or refused; by hand, a column as SQLAlchemy reflects it rounds without a word."""
    assert migration.outcome(mariadb_server, migration.moved, CASES[name]) == ours
    assert migration.outcome(mariadb_server, migration.by_reflection, CASES[name]) == theirs


@pytest.mark.soak
@pytest.mark.mysql
def test_a_check_that_is_gone_is_a_loss(mariadb_server: MariaDBServer) -> None:
    """What must be refused there is tried."""

    def plainly(_: Path, url: str) -> None:
        asked(mariadb_server, url, "CREATE TABLE t (id INT, n INT)", "INSERT INTO t VALUES (1, 0)")

    assert migration.outcome(mariadb_server, plainly, CASES["a CHECK"]) == "lost"


@pytest.mark.soak
def test_updates_are_lost_by_default_settings(tmp_path: Path) -> None:
    """Or they end with an error: the experiment can tell either."""
    found = {}
    for worker in (_contention.ours, updates.on_sqlalchemy, updates.on_django):
        (tmp_path / worker.__name__).mkdir()
        found[worker.__name__] = _contention.contend(
            _contention.sqlite_url(str(tmp_path / worker.__name__)), worker, 50
        )
    assert (found["ours"].lost, found["ours"].errors) == (0, 0)
    assert found["on_sqlalchemy"].lost > 0
    assert found["on_django"].errors > 0


@pytest.mark.soak
@pytest.mark.redis
def test_jobs_that_kill_and_jobs_that_are_killed(
    own_redis_server: Callable[..., RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours ends after its retries, dead; another job is run again when the lease is over."""
    monkeypatch.setattr(jobs, "SIDES", {"ours": workers.Ours})
    bench, server = Bench(Options(quick=True)), own_redis_server(appendonly="everysec")
    with jobs.recovering(bench, server) as recoveries:
        jobs.poisoned(bench, server)
        recoveries.report(bench)
    assert bench.figures["poison_runs"] == 1 + workers.RETRIES
    assert bench.figures["recovery_s"] < 30


@pytest.mark.soak
def test_rows_are_proved_by_running_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One row whose test is green without its guard is not counted, and named; one that cannot occur is not proved."""
    good = next(row for row in load_rows(proofs.FAULTS) if row.id == "L2.urgent")
    path = tmp_path / "faults.toml"
    fault = "[[fault]]\nid = {!r}\ntests = [{!r}]\nguard = {!r}\ndouble = {!r}\n"
    path.write_text(
        fault.format("good", good.tests[0], good.guard, good.double)
        + fault.format("green", good.tests[0], "postrmagic_core.log.adapters.appending:Appender._blank", good.double)
        + "[[fault]]\nid = 'none'\nnot_applicable = 'it cannot occur'\n"
    )
    monkeypatch.setattr(proofs, "FAULTS", path)
    bench = Bench()
    proofs.faults(bench)
    assert (bench.figures["fault_rows"], bench.figures["fault_rows_not_applicable"]) == (3, 1)
    assert bench.figures["fault_rows_proved"] == 1
    assert bench.missing == {"fault green": "not proved: green"}


@pytest.mark.soak
def test_a_requirement_whose_tests_pass_is_met() -> None:
    """Also where the method of every class is named; a test that fails names its requirement."""
    assert proofs._unproved(["tests/stores/test_contract.py::*::test_a_pickle_stays_bytes"]) == {}
    told = proofs._UNPROVED.findall("1.1.1   tests/a.py::test_x  was skipped\n219 requirements")
    assert told == [("1.1.1", "tests/a.py::test_x  was skipped")]


@pytest.mark.soak
def test_a_worker_that_fails_tells_why(tmp_path: Path) -> None:
    """Nobody waits for it until the end."""
    worker = workers.Worker("nobody", tmp_path)
    try:
        with pytest.raises(TimeoutError, match=r"nobody began[\s\S]*KeyError"):
            jobs._until(partial(workers.begun, tmp_path), "nobody began", worker)
    finally:
        worker.end()
    assert not worker.alive
