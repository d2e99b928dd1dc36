"""Everything at once: applications, relays and workers over one broker, each of them and each server killed at random.

The children write what they do into files of their own, a line in one write(2), so that a kill tears nothing. What a
transaction really did is asked of the database afterwards.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select

from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import PostrMagicError
from postrmagic_core.events import Event, EventManager, on
from postrmagic_core.jobs import JobContext, JobQueue, every, task
from postrmagic_core.jobs.interface import DEAD, LIVE
from postrmagic_core.testing import Child, spawn
from postrmagic_core.testing.history import History, Op, Result, total_queue, unique_ids
from postrmagic_core.testing.servers import MariaDBServer, RabbitMQServer, RedisServer

LISTENERS = ("bill", "thank")
LEASE = 2.0
"""Seconds; a job of a dead worker must run again within this and ten more."""
metadata = MetaData()
orders = Table("orders", metadata, Column("id", String(40), primary_key=True), Column("app", Integer))
shipped = Table("shipped", metadata, Column("n", Integer, primary_key=True), Column("id", String(40)))
told = Table(
    "told", metadata, Column("n", Integer, primary_key=True), Column("listener", String(8)), Column("id", String(40))
)
ticks = Table("ticks", metadata, Column("n", Integer, primary_key=True), Column("tick", String(40)))


class _Planned(Exception):
    """The transaction shall roll back."""


class Diary:
    """Lines of one process, each written at once."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, what: str, value: str) -> None:
        """``what`` happened to ``value``, now."""
        line = json.dumps([time.monotonic(), os.getpid(), what, value]) + "\n"
        os.write(self._descriptor, line.encode())


@task(name="ship", retries=20, time_limit=30)
def ship(ctx: JobContext, order: str) -> None:
    """The effect that must happen once; a moment passes on either side of it, to be killed in."""
    diary: Diary = ctx.diary
    diary.write("start", order)
    pause = random.random() * 0.02
    time.sleep(pause)
    with ctx.write() as tx:
        tx.execute(insert(shipped).values(id=order))
    time.sleep(pause)


@task(name="tick", retries=20, time_limit=30)
def tick(ctx: JobContext, name: str) -> None:
    """Something short, whose every beginning is told."""
    diary: Diary = ctx.diary
    diary.write("start", name)
    time.sleep(random.random() * 0.02)


class Ordered(Event):
    """What every third order emits, durably heard by two."""

    event_type: ClassVar[str] = "chaos.ordered"
    order: str


def eventful(order: str) -> bool:
    """Whether the order emits an event."""
    return int(order.rpartition("-")[2]) % 3 == 0


@on(Ordered, phase="durable", name="bill")
def bill(event: Ordered, ctx: JobContext) -> None:
    """One listener."""
    _tell(ctx, "bill", event)


@on(Ordered, phase="durable", name="thank")
def thank(event: Ordered, ctx: JobContext) -> None:
    """The other one."""
    _tell(ctx, "thank", event)


def _tell(ctx: JobContext, listener: str, event: Ordered) -> None:
    with ctx.write() as tx:
        tx.execute(insert(told).values(listener=listener, id=event.order))


@task(name="strike", retries=20)
def strike(ctx: JobContext) -> None:
    """What each tick of the schedule is for."""
    with ctx.write() as tx:
        tx.execute(insert(ticks).values(tick=str(ctx.scheduled_for)))


clock = every(1, strike.call(), name="clock", misfire="all")

PLACES = ("sqlite", "mariadb", "sqlite+redis", "mariadb+redis", "sqlite+rabbitmq", "mariadb+rabbitmq")
"""Database and broker; one name alone is both."""


def opened(stack: ExitStack, place: str, directory: Path) -> Shop:
    """A shop whose servers and processes end with ``stack``; its tables are made."""
    database, _, broker = place.partition("+")
    servers: list[Any] = []

    def started(name: str) -> str:
        server = stack.enter_context(_SERVERS[name]())
        servers.append(server)
        return str(server.create_database())

    database_url = started(database) if database in _SERVERS else f"sqlite:///{directory / 'app.db'}"
    broker_url = started(broker) if broker else database_url
    with DatabaseManager(database_url) as db:
        db.upgrade()
        metadata.create_all(db.backend.engine("write"))
    shop = Shop(database_url, broker_url, directory, servers)
    stack.callback(shop.close)
    return shop


# A Redis that loses nothing it acknowledged.
_SERVERS: dict[str, Callable[[], Any]] = {
    "mariadb": MariaDBServer,
    "redis": lambda: RedisServer(appendonly="always"),
    "rabbitmq": RabbitMQServer,
}


class Open(NamedTuple):
    """What a process works with."""

    db: DatabaseManager
    jobs: JobQueue
    events: EventManager


def _open(stack: ExitStack, database_url: str, broker_url: str, diary: Diary | None = None) -> Open:
    db = stack.enter_context(DatabaseManager(database_url))
    jobs = JobQueue(broker_url, database=db, lease=LEASE, services={"diary": diary})
    events = stack.enter_context(EventManager(database=db, jobs=jobs))
    events.include(bill, thank)
    jobs.include(ship, tick, strike, clock, task(name="postrmagic.events.deliver", retries=20)(events.run_delivery))
    jobs.upkeep.append(events.sweep)
    _until_it_works(lambda: stack.enter_context(jobs))
    return Open(db, jobs, events)


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def _until_it_works(call: Callable[[], object]) -> None:
    """Servers are away now and then, also while a process starts."""
    while True:
        try:
            call()
        except PostrMagicError:
            time.sleep(0.1)
        else:
            return


def order(database_url: str, broker_url: str, path: str, app: int, number: int, seed: int) -> None:
    """In a process of its own: ``number`` transactions, a fifth of them rolled back, and how each seemed to end."""
    diary, rng = Diary(path), random.Random(seed)
    with ExitStack() as stack:
        db, jobs, events = _open(stack, database_url, broker_url)
        for index in range(number):
            name = f"{app}-{os.getpid()}-{index}"
            diary.write("invoke", name)
            try:
                with db.write() as tx:
                    tx.execute(insert(orders).values(id=name, app=app))
                    jobs.enqueue(ship.call(name), tx=tx, delay=rng.choice([None, None, None, 0.3]))
                    if eventful(name):
                        events.emit(Ordered(order=name), tx=tx)
                    if rng.random() < 0.2:
                        raise _Planned
            except _Planned:
                diary.write("fail", name)
            except PostrMagicError:
                diary.write("info", name)
            else:
                diary.write("ok", name)
            time.sleep(rng.random() * 0.06)
        _say("done")


def work(database_url: str, broker_url: str, path: str) -> None:
    """In a process of its own: a worker, until killed."""
    with ExitStack() as stack:
        jobs = _open(stack, database_url, broker_url, Diary(path)).jobs
        _until_it_works(lambda: stack.enter_context(jobs.worker(threads=4)))
        stack.enter_context(jobs.scheduler())
        _say("works")
        time.sleep(3600)


def forward(database_url: str, broker_url: str) -> None:
    """In a process of its own: the relay, until killed."""
    with ExitStack() as stack:
        db, jobs, events = _open(stack, database_url, broker_url)
        stack.enter_context(db.relay({"jobs": jobs.deliver, "events": events.deliver}))
        stack.enter_context(jobs.scheduler())
        _say("forwards")
        time.sleep(3600)


@dataclass
class Shop:
    """The processes and servers of one run. ``servers`` can be killed and started: they are this run's own."""

    database_url: str
    broker_url: str
    directory: Path
    servers: Sequence[Any] = ()
    children: dict[str, Child] = field(default_factory=dict)
    killed: list[tuple[float, str]] = field(default_factory=list)
    started: int = 0

    def start(self, kind: str, target: Callable[..., object], *args: object) -> None:
        """Start a process under a name, or anew after it was killed."""
        name = f"{kind}-{self.started}"
        self.started += 1
        self.children[name] = spawn(target, self.database_url, self.broker_url, *args)

    def start_worker(self) -> None:
        """One more worker."""
        self.start("worker", work, str(self.directory / f"worker-{self.started}.jsonl"))

    def start_app(self, app: int, number: int, seed: int) -> None:
        """One more application, with ``number`` transactions to make."""
        self.start("app", order, str(self.directory / f"app-{self.started}.jsonl"), app, number, seed)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        child = self.children.pop(name)
        self.killed.append((time.monotonic(), name))
        child.kill()
        child.__exit__(None, None, None)

    def named(self, kind: str) -> list[str]:
        """The living processes of a kind."""
        return [name for name in self.children if name.startswith(kind)]

    def close(self) -> None:
        """Kill what still lives."""
        for name in list(self.children):
            self.kill(name)

    def lines(self, kind: str) -> Iterator[tuple[float, int, str, str]]:
        """What the processes of a kind wrote; the last line of a killed one may be torn by a full disk only."""
        for path in sorted(self.directory.glob(f"{kind}-*.jsonl")):
            for line in path.read_text().splitlines():
                at, pid, what, value = json.loads(line)
                yield at, pid, what, value


def run(shop: Shop, *, apps: int, transactions: int, rng: random.Random, pause: Callable[[], float]) -> None:
    """Have ``apps`` applications make their transactions while everything is killed in turn.

    An application that was killed is replaced until the transactions attempted reach the number.
    """
    shop.start("relay", forward)
    for _ in range(2):
        shop.start_worker()
    share = transactions // apps
    for app in range(apps):
        shop.start_app(app, share, rng.getrandbits(32))
    nemesis = [_kill_worker, _kill_worker, _kill_relay, _restart_server, _restart_server, _kill_app, _pause_worker]
    while sum(1 for line in shop.lines("app") if line[2] == "invoke") < transactions:
        time.sleep(pause())
        rng.choice(nemesis)(shop, rng)
        for name in shop.named("app"):
            if not shop.children[name].alive:
                shop.children.pop(name).__exit__(None, None, None)
        if not shop.named("app"):
            shop.start_app(apps, max(10, share // 4), rng.getrandbits(32))
    for name in shop.named("app"):
        shop.kill(name)


def work_off(shop: Shop, *, names: Sequence[str], workers: int, seconds: float, rng: random.Random) -> None:
    """Enqueue a tick for each name, and kill workers for so many seconds, or until nothing is left, while they run."""
    with ExitStack() as stack:
        jobs = _open(stack, shop.database_url, shop.broker_url).jobs
        for start in range(0, len(names), 1000):
            jobs.enqueue_many([tick.call(name) for name in names[start : start + 1000]])
        shop.start("relay", forward)
        for _ in range(workers):
            shop.start_worker()
        late = time.monotonic() + 60
        while not jobs.find(["running"], limit=1) and time.monotonic() < late:
            time.sleep(0.01)
        end = time.monotonic() + seconds
        while time.monotonic() < end and jobs.find(LIVE, limit=1):
            _kill_holder(shop, jobs, rng)
            time.sleep(0.2 + 0.6 * rng.random())


def _kill_holder(shop: Shop, jobs: JobQueue, rng: random.Random) -> None:
    """Kill a worker that holds jobs as it dies; if none does now, nobody."""
    ids = {info.pid: info.id for info in jobs.workers()}
    for name in rng.sample(shop.named("worker"), 5):
        child = shop.children[name]
        child.pause()
        if ids.get(child.pid) in {status.worker for status in jobs.find(["running"], limit=200)}:
            shop.kill(name)
            shop.start_worker()
            return
        child.resume()


def begun(shop: Shop, names: Sequence[str]) -> History:
    """What was enqueued, and each beginning of a job."""
    history = History()
    for name in names:
        history.add(0, "invoke", "enqueue", name)
        history.add(0, "ok", "enqueue", name)
    for _, pid, _, name in shop.lines("worker"):
        history.add(pid, "ok", "dequeue", name)
    return history


def _kill_worker(shop: Shop, rng: random.Random) -> None:
    shop.kill(rng.choice(shop.named("worker")))
    shop.start_worker()


def _pause_worker(shop: Shop, rng: random.Random) -> None:
    """Long enough for its leases to run out; then it reports what others have taken over."""
    child = shop.children[rng.choice(shop.named("worker"))]
    child.pause()
    time.sleep(LEASE + 0.5)
    child.resume()


def _kill_relay(shop: Shop, rng: random.Random) -> None:
    for name in shop.named("relay"):
        shop.kill(name)
    shop.start("relay", forward)


def _kill_app(shop: Shop, rng: random.Random) -> None:
    alive = shop.named("app")
    if alive:
        shop.kill(rng.choice(alive))


def _restart_server(shop: Shop, rng: random.Random) -> None:
    if shop.servers:
        server = rng.choice(shop.servers)
        shop.killed.append((time.monotonic(), type(server).__name__))
        server.kill()
        time.sleep(rng.random() * 0.5)
        server.start()


def drained(shop: Shop, timeout: float) -> float:
    """Wait until nothing waits, runs or is to be forwarded; the seconds it took. Dead letters are a failure."""
    began = time.monotonic()
    with ExitStack() as stack:
        db, jobs, events = _open(stack, shop.database_url, shop.broker_url)
        while time.monotonic() < began + timeout:
            with contextlib.suppress(PostrMagicError):
                jobs.pause_schedule("clock")
                # In this order: what leaves the outbox is among the living.
                waiting = sum(count.waiting for count in db.outbox_counts().values())
                if not waiting and not jobs.find(LIVE, limit=5):
                    assert jobs.find(DEAD) == []
                    events.drain(1)
                    return time.monotonic() - began
            time.sleep(0.1)
    raise AssertionError(f"not drained within {timeout:g} s")


@dataclass(frozen=True)
class Ledger:
    """What a run did: the transactions as they seemed, as they were, and the effects there are.

    ``told`` counts what each listener heard, ``ticks`` the jobs of each tick.
    """

    history: Sequence[Op]
    committed: frozenset[str]
    effects: Counter[str]
    told: Counter[tuple[str, str]]
    ticks: Counter[str]

    def verdict(self) -> dict[str, Any]:
        """By name, what must be empty: a correct system leaves nothing here."""
        said_ok = {op.value for op in self.history if op.type == "ok" and op.f == "enqueue"}
        said_no = {op.value for op in self.history if op.type == "fail" and op.f == "enqueue"}
        queue, once = total_queue(self.history), unique_ids(self.history, f="dequeue")
        due = {(listener, order) for listener in LISTENERS for order in self.committed if eventful(order)}
        return {
            "acknowledged but not committed": sorted(said_ok - self.committed),
            "rolled back but committed": sorted(said_no & self.committed),
            "lost": sorted(self.committed - self.effects.keys()) or _named(queue, "lost"),
            "of no committed transaction": sorted(self.effects.keys() - self.committed),
            "more than once": _named(once, "duplicated"),
            "heard by nobody": sorted(due - self.told.keys()),
            "heard of no committed transaction": sorted(self.told.keys() - due),
            "heard more than once": sorted(heard for heard, times in self.told.items() if times > 1),
            "ticks more than once": sorted(tick for tick, times in self.ticks.items() if times > 1),
        }


def _named(result: Result, name: str) -> list[str]:
    return sorted(result.found[name])


def ledger_of(shop: Shop) -> Ledger:
    """Read what the children wrote and what the database holds."""
    history = History()
    for _, pid, what, value in shop.lines("app"):
        history.add(pid, what, "enqueue", value)  # type: ignore[arg-type]  # the children write these words
    with DatabaseManager(shop.database_url) as db, db.read() as tx:
        committed = frozenset(tx.execute(select(orders.c.id)).scalars())
        found = tx.execute(select(shipped.c.id, func.count()).group_by(shipped.c.id))
        effects = Counter(dict(map(tuple, found)))
        heard = Counter((row.listener, row.id) for row in tx.execute(select(told.c.listener, told.c.id)))
        struck = Counter(tx.execute(select(ticks.c.tick)).scalars())
    for name, times in effects.items():
        for _ in range(times):
            history.add(0, "ok", "dequeue", name)
    return Ledger(history.ops, committed, effects, heard, struck)


def recoveries(shop: Shop) -> list[float]:
    """For each job that a killed worker had begun and not ended: seconds from the kill to its next start."""
    starts: dict[str, list[tuple[float, int]]] = {}
    for at, pid, _, value in shop.lines("worker"):
        starts.setdefault(value, []).append((at, pid))
    found = []
    deaths = sorted(at for at, name in shop.killed if name.startswith("worker"))
    for times in starts.values():
        times.sort()
        for (at, pid), (again, other) in itertools.pairwise(times):
            death = next((death for death in deaths if at <= death <= again), None)
            if pid != other and death is not None:
                found.append(again - death)
    return found
