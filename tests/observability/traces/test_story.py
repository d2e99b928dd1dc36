"""One request and all it causes is one trace, told to a receiver that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from postrmagic_core._metrics import Metrics
from postrmagic_core._retry import RetryPolicy
from postrmagic_core._spans import span
from postrmagic_core.cache import CacheManager
from postrmagic_core.database import DatabaseManager
from postrmagic_core.events import Event, EventManager, on
from postrmagic_core.events.durable import DELIVERY_TASK
from postrmagic_core.jobs import JobContext, JobQueue, task
from postrmagic_core.log import bind, carried
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.trace_context import trace_context
from postrmagic_core.observability.traces import Tracing
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import until
from tests.copies import copied

from .conftest import Tap

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CANARY = "c4n4ry-Xy7"
metadata = MetaData()
media = Table("media", metadata, Column("id", Integer, primary_key=True), Column("title", String(64)))


class Uploaded(Event):
    """A file arrived."""

    title: str


@task(name="media.poster", retries=3, backoff=RetryPolicy(attempts=4, base=0.05, cap=0.05))
def poster(ctx: JobContext, title: str) -> None:
    """Fails the first time, then writes a row."""
    if ctx.attempt == 1:
        raise ValueError(f"password={title}")
    with ctx.write() as tx:
        tx.execute(insert(media).values(title=title))


@on(Uploaded, phase="durable", name="media.uploaded")
def uploaded(event: Uploaded, ctx: JobContext) -> None:
    """Has a poster made."""
    ctx.jobs.enqueue(poster.call(event.title))


def _tables(database: DatabaseManager) -> None:
    database.upgrade()
    metadata.create_all(database.backend.engine("write"))


class App:
    """What a Stack would wire: database, queue, events, cache, relay, worker and a pipeline around the handler."""

    def __init__(self, opened: ExitStack, url: str) -> None:
        copied(url, "story", _tables)
        self.db = opened.enter_context(DatabaseManager(url))
        self.jobs = opened.enter_context(JobQueue(url, database=self.db))
        self.events = opened.enter_context(EventManager(database=self.db, jobs=self.jobs))
        self.cache = opened.enter_context(CacheManager(MemoryStore()))
        self.jobs.carry = self.events.carry = carried
        self.jobs.include(task(name=DELIVERY_TASK)(self.events.run_delivery), poster)
        self.events.include(uploaded)
        opened.enter_context(self.db.relay({"events": self.events.deliver}))
        opened.enter_context(self.jobs.worker(threads=1, around=lambda ctx: bind(**ctx.fields)))
        layers = [request_id(), trace_context(), access_log(), errors()]
        routes = [Route("/media/{media_id}", self.upload, methods=["PUT"])]
        self.asgi = Pipeline(layers).asgi(Starlette(routes=routes))

    def upload(self, request: Request) -> JSONResponse:
        """A unit with SQL that emits a durable event."""
        title = self.cache.get_or_set(f"title:{CANARY}", lambda: CANARY, fresh=60)
        with self.db.write() as tx:
            tx.execute(insert(media).values(title=title))
            self.events.emit(Uploaded(title=title), tx=tx)
        return JSONResponse({})


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """The application, open."""
    with ExitStack() as opened:
        yield App(opened, f"sqlite:///{tmp_path / 'app.db'}")


def put(app: App, flags: str) -> int:
    """One request as another service would send it; the status."""

    async def send() -> int:
        transport = httpx.ASGITransport(app=app.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://media.test") as client:
            headers = {"traceparent": f"00-{TRACE}-{CALLER}-{flags}", "cookie": f"session={CANARY}"}
            return (await client.put(f"/media/7?token={CANARY}", headers=headers)).status_code

    return asyncio.run(send())


def tree(spans: list[dict[str, Any]]) -> list[str]:
    """Each span, without SQL, as its path from the request on."""
    by_id = {span["spanId"]: span for span in spans}

    def path(span: dict[str, Any]) -> str:
        parent = by_id.get(span["parentSpanId"])
        return span["name"] if parent is None else f"{path(parent)} > {span['name']}"

    return sorted(path(span) for span in spans if "db.system.name" not in span["attributes"])


def test_one_request_is_one_trace(app: App, tap: Tap, caplog: pytest.LogCaptureFixture) -> None:
    """HTTP, SQL, cache, event, relay, delivery, a job and its second try: one trace, the right parents, no value."""
    metrics = Metrics()
    with Tracing("media", "1.4", endpoint=tap.url, metrics=metrics):
        assert put(app, "01") == 200
        until(lambda: len(app.jobs.find({"succeeded"})) == 2)
    sent = {name: count for name, _, count in metrics.counters()}
    assert sent["traces_dropped_total"] == 0
    spans = until(lambda: tap.spans if len(tap.spans) == sent["traces_spans_total"] else None)
    request = "PUT /media/{media_id}"
    delivery = f"{request} > unit write > emit {Uploaded.__module__}.Uploaded > run {DELIVERY_TASK}"
    job = f"{delivery} > deliver media.uploaded > enqueue media.poster > run media.poster"
    found = tree(spans)
    assert [path for path in found if not path.startswith(delivery)] == [
        request,
        f"{request} > cache get_or_set",
        f"{request} > cache get_or_set > cache compute",
        f"{request} > unit write",
        delivery.rpartition(" > ")[0],
    ]
    assert [path for path in found if path.startswith(job)] == [job, job, f"{job} > unit write"]
    assert {span["traceId"] for span in spans} == {TRACE}
    (served,) = [span for span in spans if span["name"] == request]
    assert served["parentSpanId"] == CALLER
    kinds = {span["name"].partition(" ")[0]: span["kind"] for span in spans}
    assert [kinds[name] for name in ("PUT", "INSERT", "emit", "run", "deliver", "unit")] == [2, 3, 4, 5, 5, 1]
    failed, succeeded = sorted((span for span in spans if span["name"] == "run media.poster"), key=tried)
    assert failed["status"]["code"] == 2
    assert failed["attributes"]["error.type"] == "ValueError"
    assert succeeded["status"]["code"] == 0
    inserts = [span for span in spans if span["name"] == "INSERT media"]
    assert {span["attributes"]["db.query.text"] for span in inserts} == {"INSERT INTO media (title) VALUES (?)"}
    assert CANARY not in tap.text
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (vars(told)["trace_id"], vars(told)["request_id"]) == (TRACE, served["attributes"]["postrmagic.request_id"])


def tried(span: dict[str, Any]) -> int:
    """Which try of its job it is."""
    return int(span["attributes"]["postrmagic.attempt"])


def test_what_the_caller_does_not_record_is_not_recorded(app: App, tap: Tap) -> None:
    """Flags of 00 hold for the request, its event and its jobs; a recorded request afterwards proves that none came."""
    with Tracing("media", endpoint=tap.url):
        assert put(app, "00") == 200
        until(lambda: app.jobs.find({"succeeded"}, task="media.poster"))
        (record,) = [app.jobs.record(status.id) for status in app.jobs.find({"succeeded"}, task="media.poster")]
        assert record is not None
        assert b"trace_flags\xa200" in record.headers
        with span("afterwards", "producer", {}):
            pass
    assert [span["name"] for span in until(lambda: tap.spans)] == ["afterwards"]
