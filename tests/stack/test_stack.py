"""The Stack: wired without I/O, opened in order, closed in reverse, healthy or saying what is not."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._lifecycle import Lifecycle
from postrmagic_core.errors import ConfigurationError, NotOpen, SchemaMismatch, SettingsError
from postrmagic_core.events import Event, on
from postrmagic_core.jobs import JobContext, every, task
from postrmagic_core.log import bind, configure
from postrmagic_core.registry import DATABASES, STORES, Registry
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack

KEY = "kX3v9_first_8QmZ1rT6yUw2pLs7NaBcDe"


class Part(Lifecycle):
    """A component that writes down what happens to it."""

    def __init__(self, name: str, log: list[str], fails: bool = False) -> None:
        super().__init__()
        self.name, self.log, self.fails = name, log, fails

    def _open(self) -> None:
        self.log.append(f"open {self.name}")
        if self.fails:
            raise RuntimeError(self.name)

    def _close(self) -> None:
        self.log.append(f"close {self.name}")


def make(directory: Path, **rooms: dict[str, Any]) -> Stack:
    """An embedded Stack in a directory of its own."""
    rooms["stack"] = {"data_dir": directory, "environment": "test"} | rooms.get("stack", {})
    return Stack(Settings(**rooms), configure_logging=False)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """An open embedded Stack."""
    with make(tmp_path) as opened:
        yield opened


def test_wiring_does_no_io_and_early_use_says_so(tmp_path: Path) -> None:
    """Modules may name managers and decorate with them; using them before open() is an error that names the cure."""
    stack = make(tmp_path / "var")
    managers = [stack.database, stack.cache, stack.sessions, stack.jobs, stack.events, stack.relay()]
    assert not (tmp_path / "var").exists()
    assert len({id(manager) for manager in managers}) == len(managers)
    for use in (stack.health, lambda: stack.cache.get("x"), lambda: stack.database.transact(lambda tx: None)):
        with pytest.raises(NotOpen, match="before it was opened"):
            use()


def test_added_components_open_after_the_managers_and_close_first(tmp_path: Path) -> None:
    """The order of opening is the order of wiring; closing reverses it."""
    stack, log = make(tmp_path), list[str]()
    for name in ("one", "two"):
        stack.add(Part(name, log))
    with stack:
        assert stack.database.is_open
        late = Part("late", log)
        stack.add(late)
    assert log == ["open one", "open two", "open late", "close late", "close two", "close one"]
    assert not stack.database.is_open


def test_a_component_that_fails_to_open_closes_everything_before_it(tmp_path: Path) -> None:
    """Half a Stack is no Stack: the error comes through, and nothing stays open."""
    stack, log = make(tmp_path), list[str]()
    stack.add(Part("fine", log))
    stack.add(Part("broken", log, fails=True))
    with pytest.raises(RuntimeError, match="broken"):
        stack.open()
    assert log == ["open fine", "open broken", "close broken", "close fine"]
    assert not stack.database.is_open


def test_what_the_registry_yields_is_what_the_stack_opens(tmp_path: Path) -> None:
    """An adapter registered by hand serves cache and sessions, through one instance, closed with the Stack."""
    from postrmagic_core.stores.adapters.memory import MemoryStore

    made: list[DummyStore] = []

    class DummyStore(MemoryStore):
        closed = False

        @classmethod
        def from_url(cls, url: str, **options: Any) -> DummyStore:
            made.append(cls())
            return made[-1]

        def close(self) -> None:
            self.closed = True

    registry = Registry()
    registry.register(STORES, "dummy", DummyStore)
    url = {"url": "dummy://here"}
    settings = Settings(stack={"data_dir": tmp_path, "environment": "test"}, cache=url, sessions=url)
    with Stack(settings, registry=registry, configure_logging=False) as stack:
        stack.cache.set("key", [1], ttl=60)
        assert stack.cache.get("key") == [1]
        assert [store.closed for store in made] == [False]
    assert [store.closed for store in made] == [True]
    assert registry.load(DATABASES, "sqlite:///x.db")


def test_two_stacks_live_side_by_side(tmp_path: Path) -> None:
    """No global state: what one stores the other does not see."""
    with make(tmp_path / "a") as one, make(tmp_path / "b") as two:
        one.cache.set("key", "one", ttl=60)
        two.cache.set("key", "two", ttl=60)
        assert (one.cache.get("key"), two.cache.get("key")) == ("one", "two")
        assert one.database.database_id != two.database.database_id


class Arrived(Event):
    """Something arrived."""

    name: str


@task
def tell(ctx: JobContext) -> None:
    """Write a log record that does not say which job it is in."""
    logging.getLogger("an.application").warning("working")


@task
def note(ctx: JobContext, name: str) -> str:
    """Note a name in the cache of the Stack it runs on."""
    ctx.cache.set("noted", [name, ctx.services["greeting"]], ttl=60)
    return name.upper()


@on(Arrived, phase="durable", name="tests.pass-on")
def pass_on(event: Arrived, ctx: JobContext) -> None:
    """Have the name noted, if and only if this delivery counts."""
    with ctx.write() as tx:
        ctx.jobs.enqueue(note.call(event.name), tx=tx)


def wait_for(stack: Stack, key: str) -> Any:
    """What a job put into the cache, once it is there."""
    for _ in range(2400):
        found = stack.cache.get(key)
        if found is not None:
            return found
        stack.clock.sleep(0.025)
    return pytest.fail("the job did not run")


def test_a_committed_event_becomes_a_job_with_the_stacks_managers(tmp_path: Path) -> None:
    """Embedded worker: commit, relay, listener, job, cache; a rolled-back event does nothing."""
    stack = make(tmp_path, jobs={"worker": "embedded", "threads": 2})
    stack.provide(greeting="hello")
    stack.jobs.include(note)
    stack.events.include(pass_on)
    with stack:
        with contextlib.suppress(LookupError), stack.database.write() as tx:
            stack.events.emit(Arrived(name="never"), tx=tx)
            raise LookupError
        with stack.database.write() as tx:
            stack.events.emit(Arrived(name="ada"), tx=tx)
        assert wait_for(stack, "noted") == ["ada", "hello"]


def test_a_record_logged_in_a_job_names_the_job(tmp_path: Path) -> None:
    """Its id, and the request it was enqueued in, are in every line it causes; the task does nothing for it."""
    stream = io.StringIO()
    with configure(stream=stream, format="json"), make(tmp_path) as stack:
        stack.jobs.include(tell)
        with bind(request_id="r-7"):
            job = stack.jobs.enqueue(tell.call())
        with stack.worker(threads=1):
            stack.jobs.result(job.id, timeout=30)
    told = [json.loads(line) for line in stream.getvalue().splitlines() if "working" in line]
    assert [(record["job_id"], record["attempt"], record["request_id"]) for record in told] == [(job.id, 1, "r-7")]


def test_a_workers_memory_is_in_mib_in_settings_and_code(tmp_path: Path) -> None:
    """A process always has one, and never a million gigabytes; what is given goes before what is set."""
    stack = make(tmp_path, jobs={"max_memory_mib": 1})
    assert stack.worker().spent
    assert not stack.worker(max_memory_mib=10**9).spent
    assert not make(tmp_path).worker().spent
    with pytest.raises(ValueError, match="at least 1 MiB"):
        stack.worker(max_memory_mib=0)
    with pytest.raises(SettingsError, match=r"jobs\.max_memory_mib.*greater than or equal to 1"):
        make(tmp_path, jobs={"max_memory_mib": 0})


def test_an_invalidation_bound_to_a_unit_reaches_the_cache_when_it_commits(stack: Stack) -> None:
    """Inside the unit the cache computes without storing; after the commit the old entry is gone."""
    stack.cache.set("list", "old", ttl=60, tags=["media"])
    with stack.database.write() as tx:
        stack.cache.invalidate("media", tx=tx)
        assert stack.cache.get_or_set("list", lambda: "inside", fresh=60, tags=["media"]) == "inside"
    assert stack.cache.get_or_set("list", lambda: "new", fresh=60, tags=["media"]) == "new"


def test_health_names_each_backend(stack: Stack) -> None:
    """All well; then one store fails, and only that one is said to."""
    assert {name: found.ok for name, found in stack.health().items()} == {
        "database": True,
        "cache": True,
        "sessions": True,
    }


@pytest.mark.redis
@pytest.mark.fault
def test_health_tells_a_dead_backend_by_its_code(tmp_path: Path, own_redis_server: Any) -> None:
    """A killed Redis is `backend.unavailable`; the database is still well."""
    server = own_redis_server()
    with make(tmp_path, cache={"url": server.create_database()}) as stack:
        assert stack.health()["cache"].ok
        server.kill()
        found = stack.health()
    assert (found["database"].ok, found["cache"].ok) == (True, False)
    assert found["cache"].error.startswith("backend.")


def test_production_does_not_migrate_by_itself(tmp_path: Path) -> None:
    """A rolling deploy must not change the schema by accident: the error is the command to run."""
    rooms = {"stack": {"data_dir": tmp_path, "environment": "production"}, "security": {"keys": [KEY]}}
    stack = Stack(Settings(**rooms), configure_logging=False)
    with pytest.raises(SchemaMismatch, match="postrmagic db upgrade"):
        stack.open()
    with stack.database as database:
        database.upgrade()
    with stack:
        assert stack.health()["database"].ok


def test_a_second_process_with_an_embedded_worker_is_refused(tmp_path: Path) -> None:
    """Its threads belong to one web process: the error says what to set instead."""
    script = (
        "import sys; from postrmagic_core.stack import Stack; from postrmagic_core.settings import Settings\n"
        f"with Stack(Settings(stack={{'data_dir': {str(tmp_path)!r}}}, jobs={{'worker': 'embedded'}})):\n"
        "    print('open', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        assert first.stdout.readline() == "open\n"
        with pytest.raises(ConfigurationError, match=r"jobs\.worker=embedded allows one web process"):
            make(tmp_path, jobs={"worker": "embedded"}).open()
        first.stdin.close()
    with make(tmp_path, jobs={"worker": "embedded"}) as stack:
        assert stack.is_open


def test_an_embedded_worker_fires_the_schedules(tmp_path: Path) -> None:
    """In the web process itself, with the relay and the worker."""
    fired = threading.Event()
    stack = make(tmp_path, jobs={"worker": "embedded"})
    stack.jobs.include(every(0.1, task(name="tick")(lambda ctx: fired.set()).call()))
    with stack:
        assert fired.wait(60)


async def _use(stack: Stack) -> Any:
    async with stack:
        await stack.cache.aio.set("key", 1, ttl=60)
        return await stack.cache.aio.get("key")


def test_async_with_opens_it_too(tmp_path: Path) -> None:
    """A lifespan is `async with stack`."""
    import asyncio

    assert asyncio.run(_use(make(tmp_path))) == 1


def test_a_second_stack_keeps_the_log_that_the_first_began(tmp_path: Path) -> None:
    """Redaction, file and all: whichever of them closes first."""
    file = tmp_path / "application.log"
    first, second = (
        Stack(Settings(stack={"data_dir": tmp_path / name, "environment": "test"}, log={"file": file}))
        for name in ("first", "second")
    )
    with second, first:
        pass
    with first, second:
        first.close()
        logging.getLogger("shop").error("password=c4n4ry")
    (line,) = [json.loads(line) for line in file.read_text().splitlines() if "shop" in line]
    assert line["event"] == "password=[redacted]"
