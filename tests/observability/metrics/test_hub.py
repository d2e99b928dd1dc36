"""The figures of all processes are one: added up, kept when a process ends, and never less than was told before."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import BackendUnavailable, NotOpen
from postrmagic_core.observability.metrics import MetricsHub, figures, policy
from postrmagic_core.observability.metrics.board import Board
from postrmagic_core.observability.metrics.own import Own
from postrmagic_core.observability.metrics.policy import Totals
from postrmagic_core.observability.metrics.reading import Reader
from postrmagic_core.stores import Keys, Store, open_store
from postrmagic_core.testing import until
from tests.backends import Flaky
from tests.observability.metrics.told import values

Make = Callable[..., Any]

LOST = 'postrmagic_processes_lost_total{kind="web"}'
ENDED = 'postrmagic_processes_ended_total{kind="web"}'
PROCESSES = 'postrmagic_processes{kind="web"}'


def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on whoever has not told anything this very moment is taken for dead."""
    monkeypatch.setattr("postrmagic_core.observability.metrics.hub.silence", lambda every: 1e-6)


def test_each_process_tells_the_sum_of_all(make: Make) -> None:
    """Counters, buckets and gauges of two, whichever is asked; its own as they are now, the other's as published."""
    one, other = make().open(), make().open()
    one.jobs.add(3)
    other.jobs.add(4)
    one.metrics.histogram("db_pool_wait_seconds", pool="read").observe(0.2)
    other.metrics.histogram("db_pool_wait_seconds", pool="read").observe(0.3)
    assert one.orders == 3
    told = other.told()
    assert told["postrmagic_shop_orders_total"] == 7
    assert told['postrmagic_db_pool_wait_seconds_count{pool="read"}'] == 2
    assert told['postrmagic_db_pool_wait_seconds_sum{pool="read"}'] == 0.5
    assert told['postrmagic_db_pool_wait_seconds_bucket{le="0.25",pool="read"}'] == 1
    assert (told[PROCESSES], told["postrmagic_metrics_store_up"]) == (2, 1)


def test_what_was_told_is_published_before(make: Make) -> None:
    """So that no other process tells less the moment after: the one that told it may be dead by then."""
    one, other = make().open(), make().open()
    one.jobs.add(5)
    assert one.orders == 5
    assert other.orders == 5


def test_who_ends_in_order_is_among_the_ended_at_once(make: Make) -> None:
    """What it counted stays, its gauges and itself are gone; it is no loss."""
    one, other = make().open(), make().open()
    one.metrics.gauge("log_backlog", lambda: 7)
    one.jobs.add(5)
    assert one.told()["postrmagic_log_backlog"] == 7
    one.jobs.add(1)
    one.hub.close()
    told = other.told()
    assert told["postrmagic_shop_orders_total"] == 6
    assert "postrmagic_log_backlog" not in told
    assert (told[PROCESSES], told[ENDED], told[LOST]) == (1, 1, 0)


def test_who_was_closed_and_opened_again_counts_once(make: Make) -> None:
    """It begins anew, from what it had told."""
    one, other = make().open(), make().open()
    one.jobs.add(5)
    one.hub.close()
    one.jobs.add(2)
    one.open()
    assert (one.orders, other.orders) == (7, 7)


def test_who_falls_silent_is_added_to_the_ended_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sees it first does it; its counters never waver."""
    one, two, three = make().open(), make().open(), make().open()
    one.jobs.add(5)
    one.hub.publish()
    silent(monkeypatch)
    assert [two.orders, two.orders, three.orders, two.orders] == [5, 5, 5, 5]
    assert two.told()[LOST] >= 1  # each of the living too, in the eyes of the others


def test_who_was_only_paused_goes_on_from_what_was_added(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken for dead; what it counted since is told under another name, and nothing twice."""
    one, other = make().open(), make().open()
    one.jobs.add(5)
    one.metrics.histogram("db_pool_wait_seconds", pool="read").observe(0.2)
    one.hub.publish()
    with monkeypatch.context() as patched:
        silent(patched)
        assert [other.orders, other.orders] == [5, 5]
    one.jobs.add(2)
    told = one.told()
    assert told["postrmagic_shop_orders_total"] == 7
    assert told['postrmagic_db_pool_wait_seconds_count{pool="read"}'] == 1
    assert (told[PROCESSES], told[LOST]) == (2, 1)
    assert other.orders == 7


@pytest.mark.parametrize("stored", [True, False])
def test_a_telling_whose_answer_was_lost_counts_once(
    stored: bool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored or not, when its process was taken for dead, it is known from its number which was the last."""
    metrics = Metrics()
    board, orders = Board(store, "app", metrics), metrics.counter("shop_orders_total")
    own, really = Own(Reader(metrics), "web"), board.tell

    def tell() -> Totals:
        return own.tell(board, "", "", 5.0)[0].totals

    def lose(*given: Any) -> Any:
        if stored:
            really(*given)
        raise BackendUnavailable("away")

    orders.add(5)
    tell()
    orders.add(2)
    with monkeypatch.context() as patched:
        patched.setattr(board, "tell", lose)
        with pytest.raises(BackendUnavailable):
            tell()
    orders.add(1)
    time.sleep(0.001)
    assert board.fold(own.name, 1e-6)
    living, ended, series = tell(), board.look().ended, ("shop_orders_total", ())
    assert ended.counters[series] == (7 if stored else 5)
    assert ended.counters[series] + living.counters[series] == 8


@pytest.mark.parametrize("others", [0, 1])
def test_while_the_store_is_away_each_tells_what_it_knows(others: int, caplog: pytest.LogCaptureFixture) -> None:
    """Of itself now, of the others what was known last, and that it is so; it is said once, and counted."""
    caplog.set_level(logging.INFO, "postrmagic_core.observability")
    store = Flaky()
    one, other = (Metrics(), Metrics())
    options: dict[str, Any] = {"namespace": "app", "service": "shop", "every": 60.0}
    with MetricsHub(one, store, **options) as hub, MetricsHub(other, store, **options) as second:
        if others:
            other.counter("shop_orders_total").add(10)
            second.publish()
            hub.render()
        store.away = True
        one.counter("shop_orders_total").add(1)
        told = [values(hub.render().body) for _ in range(2)][1]
        assert told["postrmagic_shop_orders_total"] == 1 + 10 * others
        assert (told[PROCESSES], told["postrmagic_metrics_store_up"]) == (1, 0)
        assert told["postrmagic_metrics_publish_failures_total"] >= 1
        store.away = False
        assert values(hub.render().body)["postrmagic_metrics_store_up"] == 1
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_forked_child_begins_from_zero(make: Make, store: Store) -> None:
    """What was counted before is its parent's; the child tells its own under a name of its own, by its own thread."""
    if store.clock == "process" and not store.blocking:
        pytest.skip("processes share no memory")
    parent = make(every=0.2).open()
    parent.jobs.add(5)
    assert parent.orders == 5
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            parent.jobs.add(2)
            os.write(writes, b"%d" % parent.orders)
            parent.jobs.add(1)
            time.sleep(60)  # it is killed before; its thread tells meanwhile
        finally:
            os._exit(1)
    try:
        os.close(writes)
        assert os.read(reads, 8) == b"7"
        until(lambda: parent.orders == 8, "the child's thread told nothing")
        assert parent.told()[PROCESSES] == 2
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_there_are_bounds(make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Of a process's series the first are told, always the same; of too many processes each tells itself."""
    monkeypatch.setattr("postrmagic_core.observability.metrics.board.MOST_PROCESSES", 1)
    one, other = make().open(), make()
    other.hub._reader._most = 80
    other.hub.open()
    assert other.hub.publish() is False
    for number in range(100):
        other.metrics.counter("shop_visits_total", page=str(number)).add()
    other.jobs.add(3)
    told, again = other.told(), other.told()
    visits = [series for series in told if series.startswith("postrmagic_shop_visits")]
    assert 0 < len(visits) < 80
    assert visits == [series for series in again if series.startswith("postrmagic_shop_visits")]
    assert again["postrmagic_metrics_series_dropped_total"] == 100 - len(visits)
    assert again["postrmagic_shop_orders_total"] == 3
    assert one.orders == 0
    messages = [record.getMessage() for record in caplog.records]
    assert len([each for each in messages if "more than 80 series" in each]) == 1
    assert len([each for each in messages if "told by none else" in each]) == 1


@pytest.mark.parametrize("planted", [b"", b"\x00\n", b"-x", b"1 2\nfigures", b"99999999999999999 1\n", b"1\n\x78\x9c"])
def test_what_others_wrote_there_is_passed_over(planted: bytes) -> None:
    """In the list, in a row, in place of the sums: it is counted, nothing fails, and what is ours is told."""
    store, keys = open_store("memory://"), Keys("app")
    metrics = Metrics()
    index, row, ended = (keys.build("metrics", *parts) for parts in (("index",), ("process", b"0" * 16), ("retired",)))
    store.set({index: b"0" * 16 + b"\nnonsense\n", row: planted, ended: planted}, None)
    with MetricsHub(metrics, store, namespace="app", service="shop", every=60.0) as hub:
        metrics.counter("shop_orders_total").add(3)
        for _ in range(3):
            assert values(hub.render().body)["postrmagic_shop_orders_total"] == 3
        store.set({index: planted}, None)
        assert values(hub.render().body)["postrmagic_shop_orders_total"] == 3
    other = MetricsHub(Metrics(), store, namespace="app", service="shop")
    assert other.everybody().counters["shop_orders_total", ()] == 3
    store.close()


def test_a_store_that_lost_everything_costs_the_ended_alone(make: Make, store: Store) -> None:
    """Whoever lives tells all of its own again."""
    one, other = make().open(), make().open()
    one.jobs.add(5)
    one.hub.publish()
    clear: Any = store
    clear.clear(Keys("app").prefix())
    assert (other.orders, one.orders, other.orders) == (0, 5, 5)


def test_it_tells_only_while_it_is_open(make: Make) -> None:
    """Else it would tell what nobody keeps."""
    with pytest.raises(NotOpen):
        make().hub.render()


def test_releases_run_side_by_side(make: Make) -> None:
    """As in a rolling update: each is told."""
    make(release="1").open()
    told = make(release="2").open().told()
    releases = [series for series in told if series.startswith("postrmagic_build_info")]
    assert len(releases) == 2
    assert policy.silence(1.0) == 15.0
    assert policy.silence(60.0) == 180.0


def test_a_database_that_is_away_holds_no_scrape_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What all processes share is asked for in a thread: what comes too late is for the next scrape."""
    monkeypatch.setattr("postrmagic_core.observability.metrics.shared._PATIENCE", 0.05)
    metrics, gate, store = Metrics(), threading.Event(), open_store("memory://")

    def depth() -> Any:
        assert gate.wait(20)
        return [("outbox_waiting", {"topic": "jobs"}, 3)]

    metrics.report(depth, shared=True)
    series = 'postrmagic_outbox_waiting{topic="jobs"}'
    with MetricsHub(metrics, store, namespace="app", service="shop", every=60.0) as hub:
        assert series not in values(hub.render().body)
        gate.set()
        until(lambda: values(hub.render().body).get(series) == 3)
        gate.clear()
        assert values(hub.render().body)[series] == 3  # known for as long as publications are apart
    store.close()


def test_it_closes_while_a_database_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what is slow to answer: its thread ends by itself. Opened again, it asks again."""
    monkeypatch.setattr("postrmagic_core.observability.metrics.shared._PATIENCE", 0.05)
    metrics, gate, store = Metrics(), threading.Event(), open_store("memory://")
    asked: list[int] = []

    def depth() -> Any:
        asked.append(1)
        assert gate.wait(20)
        return [("outbox_waiting", {"topic": "jobs"}, len(asked))]

    metrics.report(depth, shared=True)
    hub = MetricsHub(metrics, store, namespace="app", service="shop", every=60.0).open()
    hub.render()
    asking = [thread for thread in threading.enumerate() if thread.name == "postrmagic-metrics-shared"]
    closing = threading.Thread(target=hub.close)
    closing.start()
    closing.join(10)
    closed = not closing.is_alive()
    gate.set()
    assert closed
    until(lambda: not any(thread.is_alive() for thread in asking))
    hub._shared._forget()
    with hub:
        until(lambda: values(hub.render().body).get('postrmagic_outbox_waiting{topic="jobs"}') == 2)
    store.close()


def test_it_closes_whatever_cannot_be_told(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """It is said, and the rest of the application is closed too."""
    one = make().open()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(one.hub._reader, "read", lambda kind: 1 / 0)
        one.hub.close()
    assert [record.getMessage() for record in caplog.records] == ["the last figures could not be published"]
    assert one.open().hub.is_open


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_child_that_counts_nothing_is_not_missed(tmp_path: Path) -> None:
    """Nor is it seen: it may end by os._exit, as many do. One of multiprocessing that counted ends in order."""
    metrics, store = Metrics(), open_store(f"sqlite:///{tmp_path / 'kv.db'}", timeout=10.0)
    orders = metrics.counter("shop_orders_total")
    with MetricsHub(metrics, store, namespace="app", service="shop", every=0.05) as hub:
        orders.add(5)
        hub.publish()
        child = os.fork()
        if child == 0:  # pragma: no cover - runs in the child
            time.sleep(0.4)
            os._exit(0)
        os.waitpid(child, 0)
        told = values(hub.render().body)
        assert (told[PROCESSES], told[ENDED], told[LOST]) == (1, 0, 0)

        def work() -> None:  # pragma: no cover - runs in the child
            orders.add(2)
            hub.publish()
            orders.add(1)

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        process.join(20)
        told = values(hub.render().body)
        assert (told[PROCESSES], told[ENDED], told[LOST]) == (1, 1, 0)
        assert told["postrmagic_shop_orders_total"] == 8
        garbage = told['postrmagic_gc_collections_total{generation="0"}']
        assert garbage < 1.5 * gc.get_stats()[0]["collections"]  # what it inherited is its parent's
    store.close()


def test_a_process_is_told_once_by_the_first_of_its_hubs(make: Make) -> None:
    """Two Stacks in one: it is there once, and its processor time is what it is; whichever goes, and comes again."""
    one, other, process = make(), make(), figures.Process()

    def look(told_by: Any) -> dict[str, float]:
        before = time.process_time() - 0.02  # os.times ticks each 10 ms
        for each in (one, other):
            assert not each.hub.is_open or each.hub.publish()
        told: dict[str, float] = told_by.told()
        cpu = told['postrmagic_process_cpu_seconds_total{kind="web"}']
        assert before <= cpu <= time.process_time() + 0.02
        assert told[PROCESSES] == 1
        return told

    for each in (one, other):
        each.hub._reader._process = process
        each.open()
        each.jobs.add(2)
    rss = 'postrmagic_process_resident_memory_bytes{kind="web"}'
    told = look(one)
    assert told[rss] == told[rss.replace("_bytes", "_max_bytes")]
    for closed, left in ((one, other), (other, one)):
        closed.hub.close()
        burnt = time.process_time() + 0.05
        while time.process_time() < burnt:
            pass
        look(left)
        closed.open()
        assert look(closed)["postrmagic_shop_orders_total"] == 4
    assert look(one)[ENDED] == 2
