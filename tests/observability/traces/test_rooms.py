"""What the rooms tell: events, jobs and the cache, by name and kind, and no value of any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from postrmagic_core._spans import span
from postrmagic_core.cache import CacheManager
from postrmagic_core.database import DatabaseManager
from postrmagic_core.events import Event, EventManager, on
from postrmagic_core.jobs import JobContext, JobQueue, task
from postrmagic_core.stores.adapters.memory import MemoryStore
from tests.copies import packaged

from .conftest import Kept

CANARY = "c4n4ry-Xy7"


class Renamed(Event):
    """Something has another name."""

    name: str


@on(Renamed, phase="now", name="heard.now")
async def now(event: Renamed, ctx: Any) -> None:
    """Hears it at once."""


@on(Renamed, name="heard.after")
def after(event: Renamed, ctx: Any) -> None:
    """Hears it afterwards."""
    raise ValueError(CANARY)


@on(Renamed, name="heard.later")
async def later(event: Renamed, ctx: Any) -> None:
    """Hears it in the background."""


@task(name="rename")
def rename(ctx: JobContext, name: str) -> None:
    """Does nothing."""


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """What the test opens."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def make_queue(opened: ExitStack, tmp_path: Path) -> Callable[..., JobQueue]:
    """A queue over a database of its own; its jobs are rows there, or ``url``'s."""
    database = f"sqlite:///{tmp_path / 'app.db'}"
    packaged(database)
    db = opened.enter_context(DatabaseManager(database))

    def make(url: str = database) -> JobQueue:
        queue = opened.enter_context(JobQueue(url, database=db))
        queue.include(rename)
        return queue

    return make


class TestEvents:
    """Emitting is a span, and so is each listener's turn."""

    @pytest.mark.parametrize("face", ["sync", "async"])
    def test_listeners_stand_in_what_was_emitted(self, face: str, kept: Kept, opened: ExitStack) -> None:
        """In every phase, on both faces; a listener that fails is an error of its own."""
        events = opened.enter_context(EventManager())
        events.include(now, after, later)

        async def emit() -> None:
            await events.aio.emit(Renamed(name=CANARY))

        with span("job", "consumer", {}, {}):
            events.emit(Renamed(name=CANARY)) if face == "sync" else asyncio.run(emit())
            events.drain()
        emitted = f"emit {Renamed.__module__}.Renamed"
        assert sorted(map(kept.path, kept.all)) == [
            [emitted, "job"],
            ["job"],
            ["listener heard.after", emitted, "job"],
            ["listener heard.later", emitted, "job"],
            ["listener heard.now", emitted, "job"],
        ]
        assert kept.one(emitted).kind is SpanKind.INTERNAL
        assert kept.attributes("listener heard.after")["error.type"] == "ValueError"
        assert CANARY not in "".join(each.to_json() for each in kept.all)


class TestJobs:
    """Enqueueing is a span, whose ids the job takes along."""

    def test_what_a_job_takes_along(self, kept: Kept, make_queue: Callable[..., JobQueue]) -> None:
        """The producer's ids, also for many at once; what is enqueued for another context has that one's, and none."""
        queue = make_queue()
        queue.enqueue(rename.call(CANARY))
        queue.enqueue_many([rename.call(CANARY)] * 2)
        queue.enqueue(rename.call(CANARY), carried={"trace_id": "another's"})
        sent = [each for each in kept.all if each.kind is SpanKind.PRODUCER]
        assert [each.name for each in sent] == ["enqueue rename", "enqueue"]
        told = dict(sent[0].attributes or {})
        assert told.pop("messaging.message.id")
        assert told == {
            "messaging.system": "postrmagic",
            "messaging.operation.name": "enqueue",
            "messaging.operation.type": "send",
            "messaging.destination.name": "default",
            "postrmagic.task": "rename",
        }
        assert (sent[1].attributes or {})["messaging.batch.message_count"] == 2
        headers = [queue.record(each.id) for each in queue.find({"queued"}, task="rename")]
        found = sorted(bytes(each.headers) for each in headers if each is not None)
        ids = [f"{each.context.span_id:016x}".encode() for each in sent if each.context]
        assert [sum(one in each for each in found) for one in ids] == [1, 2]
        assert sum(b"another's" in each and b"span_id" not in each for each in found) == 1
        assert CANARY not in "".join(each.to_json() for each in kept.all)

    @pytest.mark.redis
    def test_a_broker_beyond_the_unit_gets_it_by_the_outbox(
        self, kept: Kept, make_queue: Callable[..., JobQueue], redis_url: str, opened: ExitStack
    ) -> None:
        """Staged, relayed and run elsewhere: the job is a child of what enqueued it."""
        queue = make_queue(f"{redis_url}?durability=none")
        database: Any = queue.database
        opened.enter_context(database.relay({"jobs": queue.deliver}))
        opened.enter_context(queue.worker(threads=1))
        with span("request", "server", {}, {}), database.write() as tx:
            job = queue.enqueue(rename.call(CANARY), tx=tx)
        job.wait(20)
        assert kept.path(kept.one("run rename")) == ["run rename", "enqueue rename", "unit write", "request"]


class TestCache:
    """One span an operation."""

    @pytest.mark.parametrize("face", ["sync", "async"])
    def test_each_operation_is_a_span(self, face: str, kept: Kept, opened: ExitStack) -> None:
        """Named, with the store; of a key what stands before the first colon; of values nothing."""
        cache = opened.enter_context(CacheManager(MemoryStore()))

        async def each() -> None:
            with span("job", "consumer", {}, {}):
                await cache.aio.get(f"title:{CANARY}")
                await cache.aio.get_or_set(f"title:{CANARY}", lambda: CANARY, fresh=60, tags=[CANARY])
                await cache.aio.get(f"title:{CANARY}")
                await cache.aio.invalidate(CANARY)
                await cache.aio.delete(CANARY, "b")

        def every() -> None:
            with span("job", "consumer", {}, {}):
                cache.get(f"title:{CANARY}")
                cache.get_or_set(f"title:{CANARY}", lambda: CANARY, fresh=60, tags=[CANARY])
                cache.get(f"title:{CANARY}")
                cache.invalidate(CANARY)
                cache.delete(CANARY, "b")

        every() if face == "sync" else asyncio.run(each())
        found = [(one.name, (one.attributes or {}).get("postrmagic.cache.hit")) for one in kept.all]
        assert found == [
            ("cache get", False),
            ("cache compute", None),
            ("cache get_or_set", None),
            ("cache get", True),
            ("cache invalidate", None),
            ("cache delete", None),
            ("job", None),
        ]
        assert kept.path(kept.one("cache compute")) == ["cache compute", "cache get_or_set", "job"]
        assert kept.attributes("cache get_or_set") == {
            "postrmagic.cache.operation": "get_or_set",
            "postrmagic.cache.store": "MemoryStore",
            "postrmagic.cache.prefix": "title",
        }
        assert kept.attributes("cache delete")["postrmagic.cache.count"] == 2
        assert CANARY not in "".join(one.to_json() for one in kept.all)
