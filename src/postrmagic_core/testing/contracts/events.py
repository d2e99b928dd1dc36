"""What events promise, as tests, over a database and a queue of yours: subclass :class:`EventContract` and run it.

::

    class TestEventsOverMyBroker(EventContract):
        @pytest.fixture
        def event_database(self, tmp_path):
            with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as database:
                database.upgrade()
                yield database

        @pytest.fixture
        def event_queue(self, event_database, my_broker_url):
            with JobQueue(my_broker_url, database=event_database) as queue:
                yield queue
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, ClassVar

import pytest

from postrmagic_core._retry import RetryPolicy
from postrmagic_core.errors import OutsideUnit
from postrmagic_core.events import Event, EventManager, on
from postrmagic_core.jobs import JobQueue, task

from ..waiting import until

_QUICK = RetryPolicy(attempts=10, base=0.05, cap=0.05)
_PATIENCE = 30.0


class Moved(Event):
    """What the contract emits; those of one ``place`` are in order."""

    event_type: ClassVar[str] = "postrmagic.contract.moved"
    event_key: ClassVar[str] = "place"
    place: str = "here"
    number: int = 0


class Undone(Exception):
    """Rolls a unit back."""


class Announcing:
    """Events over the contract's database and queue; the relay and a worker run once :meth:`work` is called."""

    def __init__(self, stack: ExitStack, database: Any, queue: JobQueue) -> None:
        self.db = database
        self.jobs = queue
        self.events = stack.enter_context(EventManager(database=database, jobs=queue))
        self.heard: list[tuple[str, int]] = []
        self._stack = stack
        queue.include(task(name="postrmagic.events.deliver", retries=2, backoff=_QUICK)(self.events.run_delivery))

    def listen(
        self, name: str, before: Callable[[Moved, Any], object] = lambda event, ctx: None, **options: Any
    ) -> None:
        """Include a listener that is noted once ``before`` is through; a durable one as its effect commits."""

        def hear(event: Moved, ctx: Any) -> None:
            before(event, ctx)
            if options.get("phase") == "durable":
                with ctx.write() as tx:
                    tx.after_commit(lambda: self.heard.append((name, event.number)))
            else:
                self.heard.append((name, event.number))

        self.events.include(on(Moved, name=name, **options)(hear))

    def work(self, threads: int = 2) -> None:
        """Deliver until the test ends."""
        self._stack.enter_context(self.db.relay({"events": self.events.deliver, "jobs": self.jobs.deliver}))
        self._stack.enter_context(self.jobs.worker(threads=threads))

    def states(self, event_id: str) -> dict[str, str]:
        """The state of each delivery, by listener; empty until the relay has seen the event."""
        record = self.events.record(event_id)
        return {} if record is None else {each.listener: each.state for each in record.deliveries}

    def until(self, holds: Callable[[], object]) -> None:
        """Wait until ``holds()``."""
        until(holds, timeout=_PATIENCE)


class EventContract:
    """Every promise of :class:`~postrmagic_core.events.EventManager` to an application that needs no fault to be seen.

    A subclass supplies the fixtures ``event_database``, open, migrated and empty, and ``event_queue``, open over it.
    """

    @pytest.fixture
    def event_database(self) -> Any:
        """Override: the database, open, with the package's tables, and this test's own."""
        raise NotImplementedError("supply a fixture `event_database`: an open, migrated DatabaseManager")

    @pytest.fixture
    def event_queue(self) -> Any:
        """Override: the queue over it, open."""
        raise NotImplementedError("supply a fixture `event_queue`: an open JobQueue over event_database")

    @pytest.fixture
    def announcing(self, event_database: Any, event_queue: JobQueue) -> Iterator[Announcing]:
        """What the tests use."""
        with ExitStack() as stack:
            yield Announcing(stack, event_database, event_queue)

    def test_each_phase_has_its_time(self, announcing: Announcing) -> None:
        """Now while it is emitted, before the commit inside the unit, after it once it is sure."""
        for phase in ("after_commit", "before_commit", "now"):
            announcing.listen(phase, phase=phase)
        with announcing.db.write() as tx:
            announcing.events.emit(Moved(), tx=tx)
            assert announcing.heard == [("now", 0)]
            tx.before_commit(lambda: announcing.heard.append(("unit", 0)))
        assert [name for name, _ in announcing.heard] == ["now", "before_commit", "unit", "after_commit"]

    def test_what_is_rolled_back_has_not_happened(self, announcing: Announcing) -> None:
        """With the whole unit, and with a part of it."""
        for phase in ("before_commit", "after_commit", "durable"):
            announcing.listen(phase, phase=phase)
        with suppress(Undone), announcing.db.write() as tx:
            announcing.events.emit(Moved(number=1), tx=tx)
            raise Undone
        with announcing.db.write() as tx:
            with suppress(Undone), tx.savepoint():
                announcing.events.emit(Moved(number=2), tx=tx)
                raise Undone
            announcing.events.emit(Moved(number=3), tx=tx)
        announcing.work()
        announcing.events.drain(_PATIENCE)
        assert announcing.heard == [("before_commit", 3), ("after_commit", 3), ("durable", 3)]

    def test_a_listener_inside_the_unit_may_refuse_it(self, announcing: Announcing) -> None:
        """Its error is the unit's, and nothing has happened."""

        def refuse(event: Moved, ctx: Any) -> None:
            raise Undone

        announcing.listen("refuses", refuse, phase="before_commit")
        announcing.listen("durable", phase="durable")

        def move() -> None:
            with announcing.db.write() as tx:
                announcing.events.emit(Moved(), tx=tx)

        with pytest.raises(Undone):
            move()
        assert announcing.events.find() == []

    def test_inside_a_unit_it_is_said_which(self, announcing: Announcing) -> None:
        """Without tx= the event is refused."""
        with announcing.db.write(), pytest.raises(OutsideUnit):
            announcing.events.emit(Moved())

    def test_each_durable_listener_has_a_delivery_of_its_own(self, announcing: Announcing) -> None:
        """One that fails is tried again, alone; what each does happens once."""

        def once(event: Moved, ctx: Any) -> None:
            if ctx.attempt == 1:
                raise ValueError("not yet")

        announcing.listen("steady", phase="durable")
        announcing.listen("shaky", once, phase="durable")
        with announcing.db.write() as tx:
            event_id = announcing.events.emit(Moved(number=7), tx=tx).event_id
        announcing.work()
        announcing.events.drain(_PATIENCE)
        assert Counter(announcing.heard) == Counter({("steady", 7): 1, ("shaky", 7): 1})
        assert announcing.states(event_id) == {"steady": "done", "shaky": "done"}

    def test_those_of_one_key_are_heard_in_order(self, announcing: Announcing) -> None:
        """By eight threads, and though some are tried again; another key's do not wait."""

        def shaky(event: Moved, ctx: Any) -> None:
            if event.number % 3 == 1 and ctx.attempt == 1:
                raise ValueError("not yet")

        announcing.listen("one", shaky, phase="durable")
        announcing.work(threads=8)
        for number in range(12):
            announcing.events.emit(Moved(place="ab"[number % 2], number=number))
        announcing.events.drain(_PATIENCE)
        numbers = [number for _, number in announcing.heard]
        assert [number for number in numbers if number % 2 == 0] == list(range(0, 12, 2))
        assert [number for number in numbers if number % 2 == 1] == list(range(1, 12, 2))

    def test_what_is_given_up_is_seen_and_can_be_replayed(self, announcing: Announcing) -> None:
        """It lets those behind it go on."""
        broken = threading.Event()
        broken.set()

        def fail(event: Moved, ctx: Any) -> None:
            if event.number == 1 and broken.is_set():
                raise ValueError("never")

        announcing.listen("one", fail, phase="durable")
        first = announcing.events.emit(Moved(number=1)).event_id
        announcing.events.emit(Moved(number=2))
        announcing.work()
        announcing.events.drain(_PATIENCE)
        assert [record.id for record in announcing.events.find(dead=True)] == [first]
        broken.clear()
        assert announcing.events.replay(dead=True) == 1
        announcing.events.drain(_PATIENCE)
        assert announcing.heard == [("one", 2), ("one", 1)]
        assert announcing.events.find(dead=True) == []

    def test_a_cancelled_delivery_is_given_up(self, announcing: Announcing) -> None:
        """Whoever cancels its job: the sweep sees it, and those behind it go on."""
        announcing.listen("one", phase="durable")
        first = announcing.events.emit(Moved(number=1)).event_id
        second = announcing.events.emit(Moved(number=2)).event_id
        relay = announcing.db.relay({"events": announcing.events.deliver, "jobs": announcing.jobs.deliver})
        announcing.until(lambda: not relay.run_once() and announcing.states(second))
        (delivery,) = announcing.events.record(first).deliveries  # type: ignore[union-attr]  # it was seen above
        assert announcing.states(second) == {"one": "waiting"}
        assert announcing.jobs.cancel(delivery.job_id)
        announcing.events.sweep()
        assert (announcing.states(first), announcing.states(second)) == ({"one": "dead"}, {"one": "queued"})

    def test_an_event_knows_its_causes(self, announcing: Announcing) -> None:
        """Through the log, whichever of a chain is asked for."""

        def again(event: Moved, ctx: Any) -> None:
            if event.number < 2:
                announcing.events.emit(Moved(number=event.number + 1))

        announcing.listen("again", again, phase="durable")
        first = announcing.events.emit(Moved()).event_id
        announcing.work()
        announcing.until(lambda: len(announcing.events.chain(first)) == 3)
        announcing.events.drain(_PATIENCE)
        chain = announcing.events.chain(first)
        assert [record.causation_id for record in chain] == [None, chain[0].id, chain[1].id]
        assert announcing.events.chain(chain[2].id) == chain

    def test_the_async_face_does_the_same(self, announcing: Announcing) -> None:
        """In its own units, with async listeners."""
        heard = []

        @on(Moved, phase="durable", name="async")
        async def hear(event: Moved, ctx: Any) -> None:
            async with ctx.aio.write() as tx:
                tx.after_commit(lambda: heard.append(event.number))

        announcing.events.include(hear)

        async def move() -> None:
            with suppress(Undone):
                async with announcing.db.aio.write() as tx:
                    await announcing.events.aio.emit(Moved(number=1), tx=tx)
                    raise Undone
            async with announcing.db.aio.write() as tx:
                await announcing.events.aio.emit(Moved(number=2), tx=tx)

        asyncio.run(move())
        announcing.work()
        announcing.events.drain(_PATIENCE)
        assert heard == [2]
