"""Waking: within the process, across processes, and after a fork."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from sqlalchemy import select

from postrmagic_core.jobs import policy, task
from postrmagic_core.jobs.adapters._datagrams import Chimes, Doorbell
from postrmagic_core.jobs.tables import workers
from postrmagic_core.jobs.wake import Bell
from postrmagic_core.jobs.workers import Registration

Rig = Any


def test_a_ring_before_the_wait_is_not_missed() -> None:
    """The waiter says how many it has seen."""
    bell = Bell()
    bell.ring()
    assert bell.wait(0, timeout=0) == 1
    assert bell.wait(1, timeout=0) == 1


def test_a_waiter_wakes_at_once() -> None:
    """Long before its time-out."""
    bell, seen = Bell(), []
    waiter = threading.Thread(target=lambda: seen.append(bell.wait(0, timeout=30)), daemon=True)
    waiter.start()
    bell.ring()
    waiter.join(5)
    assert seen == [1]


def test_a_registered_worker_is_called_by_another_process_s_commit(sql_rig: Rig) -> None:
    """A datagram to the address in pm_workers; its row goes with it."""
    called, ours, theirs = threading.Event(), Chimes(sql_rig.db), Chimes(sql_rig.db)
    with (
        Doorbell(ours, called.set) as bell,
        Registration(sql_rig.db, "w", queues=["default"], threads=1, port=bell.port, running=lambda: 0),
    ):
        theirs.call()
        assert called.wait(5)
    with sql_rig.db.read() as tx:
        assert tx.scalars(select(workers.c.id)).all() == []
    theirs.call()
    theirs.close()


def test_a_worker_of_this_process_is_called_without_a_datagram(sqlite_rig: Rig) -> None:
    """Before call() returns."""
    called, chimes = threading.Event(), Chimes(sqlite_rig.db)
    with Doorbell(chimes, called.set):
        chimes.call()
        assert called.is_set()
    called.clear()
    chimes.call()
    chimes.close()
    assert not called.is_set()


def test_a_closed_queue_starts_no_thread_again(sqlite_rig: Rig) -> None:
    """A call after the end is nothing."""
    chimes = Chimes(sqlite_rig.db)
    chimes.close()
    before = threading.active_count()
    chimes.call()
    assert threading.active_count() <= before


def test_an_idle_worker_begins_at_the_commit_and_not_at_the_next_sweep(
    sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here nobody sweeps for a minute."""
    monkeypatch.setattr(policy, "sweep_delay", lambda idle, next_due: 60.0)

    @task(name="quick")
    def quick(ctx: Any) -> int:
        return 1

    sqlite_rig.jobs.include(quick)
    sqlite_rig.work()
    for _ in range(2):
        assert sqlite_rig.jobs.result(sqlite_rig.jobs.enqueue(quick.call()).id, timeout=10) == 1


def test_without_a_wake_the_sweep_finds_the_job(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit whose datagram was lost costs a second, not the job."""

    @task(name="quiet")
    def quiet(ctx: Any) -> int:
        return 1

    sqlite_rig.jobs.include(quiet)
    sqlite_rig.work()
    monkeypatch.setattr(Chimes, "call", lambda self: None)
    began = time.monotonic()
    assert sqlite_rig.jobs.result(sqlite_rig.jobs.enqueue(quiet.call()).id) == 1
    assert time.monotonic() - began < 5
