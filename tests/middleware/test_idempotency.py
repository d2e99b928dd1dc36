"""A request repeated under its Idempotency-Key: one effect, one answer; under ASGI and WSGI, on each database."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any
from uuid import uuid4
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, delete, select

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import metadata as package_tables
from postrmagic_core.database.tables import once, outbox
from postrmagic_core.database.types import TABLE_OPTIONS, Key
from postrmagic_core.errors import ConfigurationError, ValidationFailed
from postrmagic_core.middleware import Pipeline, Response
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.idempotency import idempotency, key_of
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.sessions import SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing import FakeClock
from tests.databases import empty_database
from tests.middleware.test_wsgi import get

WAYS = ["unit", "hop", "thread", "wsgi"]
tables = MetaData()
effects = Table("effects", tables, Column("id", Key(64), primary_key=True), Column("body", Key(255)), **TABLE_OPTIONS)


def nothing() -> None:
    """Do nothing."""


class Answer:
    """What the client got, whichever way."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self) -> str:
        """The problem's code."""
        return str(json.loads(self.body)["code"])

    @property
    def told(self) -> tuple[int, bytes]:
        """Status and body."""
        return self.status, self.body


class Rig:
    """An application that inserts one row and answers with its id, served ``way``."""

    def __init__(self, db: DatabaseManager, way: str, outside: tuple[Any, ...] = (), **options: Any) -> None:
        self.db, self.way = db, way
        self.status, self.headers = 201, [("content-type", "text/plain"), ("location", "/e/1")]
        self.chunks: list[bytes] = []  # by default the row's id
        self.writes, self.stages = True, False
        self.before: Callable[[], object] = nothing
        self.inside: Callable[[], object] = nothing
        self.after: Callable[[], object] = nothing
        self.runs: list[bytes] = []
        pipeline = Pipeline([errors(), *outside, idempotency(db, **options)])
        self._asgi, self._wsgi = pipeline.asgi(self._async_app), validator(pipeline.wsgi(validator(self._sync_app)))

    def effect(self, tx: Any, name: str, body: bytes) -> None:
        """Insert the row."""
        if self.writes:
            tx.execute(effects.insert().values(id=name, body=body.decode("latin-1")[:200]))
        if self.stages:
            tx.stage("topic", b"payload")
        self.inside()

    def in_unit(self, name: str, body: bytes) -> None:
        """The effect, in a unit."""
        with self.db.write() as tx:
            self.effect(tx, name, body)

    async def _async_app(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        name = self._ran(body)
        if self.writes or self.stages:
            if self.way == "unit":
                async with self.db.aio.write() as tx:
                    await tx.run(self.effect, name, body)
            elif self.way == "hop":
                await self.db.aio.transact(self.effect, name, body)
            else:
                await asyncio.to_thread(self.in_unit, name, body)
        self.after()
        headers = [(key.encode(), value.encode()) for key, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for chunk in self.chunks or [name.encode()]:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    def _sync_app(self, environ: Any, start_response: Any) -> Iterator[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        name = self._ran(body)
        if self.writes or self.stages:
            self.in_unit(name, body)
        self.after()
        start_response(f"{self.status} Told", [*self.headers])
        yield from self.chunks or [name.encode()]

    def _ran(self, body: bytes) -> str:
        self.runs.append(body)
        self.before()
        return str(uuid4())

    def send(self, key: str | None = '"k"', body: bytes = b"poster", **given: Any) -> Answer:
        """One request."""
        headers: dict[str, str] = {"content-type": "text/plain", **given.pop("headers", {})}
        if key is not None:
            headers["idempotency-key"] = key
        if self.way == "wsgi":
            return self._wsgi_sent(headers, body, **given)
        return asyncio.run(self._asgi_sent(headers, body, **given))

    def _wsgi_sent(
        self,
        headers: dict[str, str],
        body: bytes,
        method: str = "POST",
        path: str = "/e",
        query: str = "",
        client: str = "1",
    ) -> Answer:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
        }
        environ |= {"REMOTE_ADDR": client, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        environ |= {
            f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items() if name != "content-type"
        }
        environ["CONTENT_TYPE"] = headers["content-type"]
        setup_testing_defaults(environ)
        answer = get(self._wsgi, **environ)
        return Answer(int(answer.status[:3]), answer.headers, b"".join(answer.chunks))

    async def _asgi_sent(
        self,
        headers: dict[str, str],
        body: bytes,
        method: str = "POST",
        path: str = "/e",
        query: str = "",
        client: str = "1",
    ) -> Answer:
        sent: list[Any] = []
        half = len(body) // 2
        messages = [{"type": "http.request", "body": body[:half], "more_body": True}]
        messages += [{"type": "http.request", "body": body[half:], "more_body": False}]

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "client": (client, 1)}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self._asgi({**scope, "headers": raw}, receive, send)
        told = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))

    def elsewhere(self, **given: Any) -> Answer:
        """One request as another process would send it while this thread is busy."""
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.append(self.send(**given)))
        thread.start()
        thread.join()
        return answers[0]

    @property
    def stored(self) -> list[str]:
        """The effects' ids."""
        with self.db.read() as tx:
            return list(tx.scalars(select(effects.c.id)))

    @property
    def rows(self) -> list[Any]:
        """What ``pm_once`` holds."""
        with self.db.read() as tx:
            return list(tx.execute(select(once)))


def make_tables(db: DatabaseManager) -> None:
    """Create what the application needs, and what of the package's tables a request writes to."""
    with db.write() as tx:
        package_tables.create_all(tx.connection, tables=[once, outbox])
        tables.create_all(tx.connection)


@pytest.fixture(scope="module")
def url_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The URL of the database of a kind that this module has for itself, with its tables."""
    with ExitStack() as opened:

        @cache
        def url(kind: str) -> str:
            place = tmp_path_factory.mktemp(kind)
            found = opened.enter_context(empty_database(kind, request, place))
            with DatabaseManager(found) as db:
                make_tables(db)
            return found

        yield url


@contextmanager
def emptied(url: str, clock: FakeClock) -> Iterator[DatabaseManager]:
    """The database, open, without a row; ``clock`` is its clock."""
    with DatabaseManager(url, clock=clock) as db:
        with db.write() as tx:
            for table in (effects, once, outbox):
                tx.execute(delete(table))
        yield db


@pytest.fixture
def own_db(url_of: Callable[[str], str], frozen_clock: FakeClock) -> Iterator[DatabaseManager]:
    """An embedded one, for what does not depend on the database."""
    with emptied(url_of("sqlite"), frozen_clock) as db:
        yield db


@pytest.fixture(
    params=[
        *(pytest.param(("sqlite", way), id=f"sqlite-{way}") for way in WAYS),
        *(pytest.param(("mariadb", way), id=f"mariadb-{way}", marks=pytest.mark.mysql) for way in ("unit", "wsgi")),
    ]
)
def rig(request: pytest.FixtureRequest, url_of: Callable[[str], str], frozen_clock: FakeClock) -> Iterator[Rig]:
    """The application, served each way on SQLite, by both kinds of server on MariaDB."""
    kind, way = request.param
    with emptied(url_of(kind), frozen_clock) as db:
        yield Rig(db, way)


@pytest.fixture(params=["unit", "wsgi"])
def embedded(request: pytest.FixtureRequest, own_db: DatabaseManager) -> Rig:
    """The application, served by both kinds of server."""
    return Rig(own_db, request.param)


# One effect, one answer


def test_a_repeated_request_gets_the_first_answer(rig: Rig) -> None:
    """Given a second request with the key, the handler does not run: status, headers and body are the first's."""
    first, second = rig.send(), rig.send()
    assert first.status == 201
    assert second.told == first.told
    assert (second.headers["location"], second.headers["idempotency-replayed"]) == ("/e/1", "true")
    assert "idempotency-replayed" not in first.headers
    assert rig.stored == [first.body.decode()]
    assert len(rig.runs) == 1


def test_the_handler_reads_the_body_that_was_read_before(rig: Rig) -> None:
    """The fingerprint needs the body before the handler starts, which then reads it whole."""
    rig.send(body=b"a" * 100_000 + b"\nb")
    assert rig.runs == [b"a" * 100_000 + b"\nb"]


def test_a_request_without_a_key_is_none_of_its_business(rig: Rig) -> None:
    """Two requests without a key, or with another method, are two."""
    assert rig.send(key=None).body != rig.send(key=None).body
    assert rig.send(method="PUT").body != rig.send(method="PUT").body
    assert rig.rows == []


def test_while_the_first_is_under_way_the_second_is_told_so(rig: Rig) -> None:
    """Given the handler at work, the same request gets 409 and Retry-After, and runs nothing."""
    during: list[Answer] = []
    rig.before = lambda: during.append(rig.elsewhere())
    first = rig.send()
    assert (first.status, [answer.status for answer in during]) == (201, [409])
    assert (during[0].code, during[0].headers["retry-after"]) == ("idempotency.in_flight", "1")
    assert len(rig.runs) == 1


@pytest.mark.parametrize("changed", [{"body": b"other"}, {"query": "a=1"}])
def test_a_key_used_for_another_request_is_refused(rig: Rig, changed: dict[str, Any]) -> None:
    """Given the key with another body or query, 422; also while the first is under way."""
    during: list[Answer] = []
    rig.before = lambda: during.append(rig.elsewhere(**changed))
    rig.send()
    for answer in (*during, rig.send(**changed)):
        assert (answer.status, answer.code) == (422, "idempotency.mismatch")
    assert len(rig.stored) == 1


@pytest.mark.parametrize("changed", [{"path": "/f"}, {"method": "PATCH"}, {"client": "2"}, {"key": '"K"'}])
def test_path_method_and_caller_are_part_of_the_name(embedded: Rig, changed: dict[str, Any]) -> None:
    """The same key at another path, by another method or caller is another operation."""
    assert embedded.send().body != embedded.send(**changed).body
    assert len(embedded.stored) == 2


def test_two_users_never_share_a_key(embedded: Rig) -> None:
    """Behind one address, clients that show other credentials are others, though no layer knows them."""
    alice, bob = (dict[str, Any](headers={"authorization": f"Bearer {name}"}) for name in ("alice", "bob"))
    answers = [embedded.send(**alice), embedded.send(**bob), embedded.send(**alice)]
    assert answers[0].body == answers[2].body != answers[1].body


def test_by_says_who_asks(own_db: DatabaseManager) -> None:
    """Given ``by``, its names part the callers; where it has none, the rest decides."""
    rig = Rig(own_db, "unit", by=lambda request: request.headers.get("x-tenant"))
    first = [rig.send(headers={"x-tenant": name}).body for name in "ab"]
    again = [rig.send(headers={"x-tenant": name}, client="2").body for name in "ab"]
    assert first == again
    assert rig.send().body != rig.send(client="2").body
    assert len(set(first)) == 2


@pytest.mark.parametrize("way", ["unit", "wsgi"])
def test_the_sessions_user_is_who_asks(own_db: DatabaseManager, way: str) -> None:
    """The same key in the sessions of two users is two; from another address it is the user's still."""
    store = MemoryStore()
    with SessionStore(store, KeyRing(["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"])) as manager:
        rig = Rig(own_db, way, (sessions(manager, cookie_secure=False),))

        def cookie(user: str) -> dict[str, Any]:
            session = manager.load(None)
            session.login(user)
            return {"headers": {"cookie": f"session={manager.save(session)}"}}

        alice, bob = cookie("alice"), cookie("bob")
        first, other = rig.send(**alice), rig.send(**bob)
        assert rig.send(**alice, client="9").body == rig.send(**cookie("alice")).body == first.body != other.body
    store.close()


def test_the_identity_is_who_asks(own_db: DatabaseManager) -> None:
    """What authentication found comes before session and address."""

    class Someone:
        def __init__(self, name: str) -> None:
            self.id = name

    def authentication(request: Any) -> Any:
        request.state["identity"] = Someone(request.headers.get("x-user"))
        yield

    rig = Rig(own_db, "unit", (authentication,))
    alice, bob = (dict[str, Any](headers={"x-user": name}) for name in ("alice", "bob"))
    assert rig.send(**alice).body == rig.send(**alice, client="9").body != rig.send(**bob).body


# What counts as an effect


def test_a_unit_that_only_stages_takes_the_key(rig: Rig) -> None:
    """A job or an event for another broker is an effect as well: it is staged once."""
    rig.writes, rig.stages, rig.status = False, True, 500
    assert rig.send().told == rig.send().told
    with rig.db.read() as tx:
        assert len(list(tx.scalars(select(outbox.c.id)))) == 1


def test_whatever_a_handler_answers_after_its_effect_is_the_answer(rig: Rig) -> None:
    """Given a handler that commits and then answers 503, the answer is 503 again, and the effect one."""
    rig.status = 503
    assert rig.send().told == rig.send().told
    assert len(rig.stored) == len(rig.runs) == 1


def test_a_handler_that_fails_after_its_effect_is_not_run_again(rig: Rig) -> None:
    """Given an exception after the commit, its problem document is what the request gets from then on."""

    def fail() -> None:
        raise ValueError("a secret")

    rig.after = fail
    first, second = rig.send(), rig.send()
    assert (first.status, first.code) == (second.status, second.code) == (500, "internal")
    assert second.headers["idempotency-replayed"] == "true"
    assert len(rig.stored) == len(rig.runs) == 1


@pytest.mark.parametrize("step", ["before", "inside"])
def test_a_handler_that_fails_before_its_commit_may_be_tried_again(rig: Rig, step: str) -> None:
    """Given an exception before or inside the unit, no row is left, and the same request runs."""

    def fail() -> None:
        raise ValidationFailed([])

    setattr(rig, step, fail)
    assert rig.send().status == 422
    assert rig.rows == []
    setattr(rig, step, nothing)
    assert rig.send().status == 201
    assert len(rig.stored) == 1


@pytest.mark.parametrize("status", [400, 404, 422, 500, 503])
def test_a_refusal_without_effect_is_not_kept(embedded: Rig, status: int) -> None:
    """Without an effect a 4xx or 5xx decides nothing: the key may be sent again, even with another body."""
    embedded.writes, embedded.status = False, status
    assert embedded.send().status == status
    assert embedded.rows == []
    embedded.writes, embedded.status = True, 201
    assert embedded.send(body=b"put right").status == 201


@pytest.mark.parametrize("status", [200, 204, 303])
def test_a_success_without_effect_is_kept(embedded: Rig, status: int) -> None:
    """A handler that only acts elsewhere is not run again once it has answered."""
    embedded.writes, embedded.status = False, status
    embedded.headers, embedded.chunks = [] if status == 204 else embedded.headers, [b""] if status == 204 else []
    first, second = embedded.send(), embedded.send()
    assert first.told == second.told
    assert second.headers["idempotency-replayed"] == "true"
    assert len(embedded.runs) == 1


def test_a_second_unit_of_the_request_is_no_stranger(embedded: Rig) -> None:
    """The first unit takes the key; those that follow commit as well."""
    embedded.after = lambda: embedded.in_unit("second", b"")
    assert embedded.send().status == 201
    assert len(embedded.stored) == 2


# Time


def test_a_key_is_forgotten_after_its_time(rig: Rig, frozen_clock: FakeClock) -> None:
    """Until ``keep`` has passed the answer is the first; after it the request is new."""
    first = rig.send()
    frozen_clock.advance(86_399)
    assert rig.send().body == first.body
    frozen_clock.advance(2)
    assert rig.send().body != first.body
    assert len(rig.stored) == 2


def test_a_slow_handler_that_was_overtaken_cannot_commit(rig: Rig, frozen_clock: FakeClock) -> None:
    """Given a handler beyond ``lease`` and a retry that commits, the first is rolled back and told the answer."""
    retried: list[Answer] = []

    def slow() -> None:
        rig.before = nothing
        frozen_clock.advance(61)
        retried.append(rig.elsewhere())

    rig.before = slow
    first = rig.send()
    assert first.told == retried[0].told
    assert (first.status, first.headers["idempotency-replayed"]) == (201, "true")
    assert rig.stored == [retried[0].body.decode()]
    assert len(rig.runs) == 2


def test_an_overtaken_handler_hears_that_the_other_is_at_work(rig: Rig, frozen_clock: FakeClock) -> None:
    """Given a retry that has not committed when the slow handler wants to, the first gets 409, the retry its effect."""
    both = [threading.Event(), threading.Event()]
    retried: list[Answer] = []

    def retry() -> None:
        def at_work() -> None:
            both[0].set()
            both[1].wait(30)

        rig.before = at_work
        frozen_clock.advance(61)
        thread.start()
        assert both[0].wait(30)

    thread = threading.Thread(target=lambda: retried.append(rig.send()))
    rig.before = retry
    first = rig.send()
    both[1].set()
    thread.join()
    assert (first.status, first.code) == (409, "idempotency.in_flight")
    assert rig.stored == [retried[0].body.decode()]


def test_a_slow_handler_that_nobody_overtook_commits(rig: Rig, frozen_clock: FakeClock) -> None:
    """The time in flight is a right of others to try, not a limit."""
    rig.before = lambda: frozen_clock.advance(3_000)
    first = rig.send()
    rig.before = nothing
    assert first.status == 201
    assert rig.send().told == first.told


def test_expired_rows_are_swept(own_db: DatabaseManager, frozen_clock: FakeClock, monkeypatch: Any) -> None:
    """Rows of any kind that expired an hour ago go, now and then, as requests come; others stay."""
    monkeypatch.setattr("postrmagic_core.middleware.idempotency._SWEEP", 0.0)
    rig = Rig(own_db, "unit")
    now = frozen_clock.now_us()
    with own_db.write() as tx:
        for name, expires in (("old", now - 3_601_000_000), ("young", now - 3_599_000_000)):
            tx.execute(once.insert().values(id=name, kind="job", created_us=0, expires_us=expires))
    rig.send()
    names = {row.id for row in rig.rows}
    assert "old" not in names
    assert "young" in names
    assert len(names) == 2


# Responses


def test_a_large_response_is_not_kept(embedded: Rig) -> None:
    """Beyond 64 KiB the retry hears that it was done, and what its status was; exactly at the bound it is kept."""
    embedded.chunks = [b"x" * 40_000, b"y" * 25_537]
    assert embedded.send().status == 201
    again = embedded.send()
    assert (again.status, again.code) == (409, "idempotency.done")
    assert json.loads(again.body)["original_status"] == 201
    assert "retry-after" not in again.headers
    embedded.chunks = [b"x" * 40_000, b"y" * 25_536]
    assert embedded.send(key="other").told == embedded.send(key="other").told
    assert len(embedded.stored) == 2


def test_secrets_and_hops_are_not_kept(embedded: Rig) -> None:
    """Cookies, credentials and what belongs to a connection are neither stored nor sent again; the rest is."""
    secret = [
        ("set-cookie", "s=canary"),
        ("x-auth-token", "canary"),
        ("www-authenticate", "canary"),
        ("date", "canary"),
    ]
    embedded.headers = [*secret, ("content-type", "text/plain"), ("x-kept", "yes"), ("content-language", "de")]
    if embedded.way != "wsgi":  # where they are the server's alone
        embedded.headers += [("connection", "x-hop"), ("x-hop", "canary"), ("keep-alive", "canary")]
    first, second = embedded.send(), embedded.send()
    assert "canary" in first.headers["set-cookie"]
    assert (second.headers["x-kept"], second.headers["content-language"]) == ("yes", "de")
    assert "canary" not in str(second.headers)
    assert b"canary" not in b"".join(row.response for row in embedded.rows)


def test_a_client_that_leaves_gets_its_answer_later(own_db: DatabaseManager) -> None:
    """Given a client gone before the head, what the handler would have said is kept."""
    rig = Rig(own_db, "unit")
    given = [{"type": "http.request", "body": b"poster"}]

    async def receive() -> Any:
        return given.pop(0) if given else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise OSError("client gone")

    scope = {"type": "http", "method": "POST", "path": "/e", "query_string": b"", "client": ("1", 1)}
    headers = [(b"idempotency-key", b"k"), (b"content-type", b"text/plain")]
    asyncio.run(rig._asgi({**scope, "headers": headers}, receive, send))
    assert rig.send().told == (201, rig.stored[0].encode())


def test_a_cancelled_request_without_effect_may_be_tried_again(own_db: DatabaseManager) -> None:
    """Given a server that cancels the request, the key is free at once; a unit that comes later is refused."""
    rig = Rig(own_db, "unit")

    async def cancelled() -> None:
        reached = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            reached.set()
            await asyncio.Event().wait()

        async def receive() -> Any:
            return {"type": "http.request", "body": b"poster"}

        async def send(message: Any) -> None:
            pass

        wrapped = Pipeline([errors(), idempotency(own_db)]).asgi(app)
        scope = {"type": "http", "method": "POST", "path": "/e", "query_string": b"", "client": ("1", 1)}
        request = asyncio.ensure_future(wrapped({**scope, "headers": [(b"idempotency-key", b"k")]}, receive, send))
        await reached.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    asyncio.run(cancelled())
    assert rig.rows == []
    assert rig.send().status == 201


def test_what_outlives_a_freed_request_cannot_commit(own_db: DatabaseManager) -> None:
    """Given a task of a request that was refused, its late unit is rolled back: the retry may be at work."""
    rig = Rig(own_db, "unit")
    late: list[Any] = []

    async def served() -> None:
        over = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            async def later() -> None:
                await over.wait()
                async with own_db.aio.write() as tx:
                    await tx.execute(effects.insert().values(id="late"))

            late.append(asyncio.ensure_future(later()))
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body"})

        async def receive() -> Any:
            return {"type": "http.request"}

        async def send(message: Any) -> None:
            pass

        scope = {"type": "http", "method": "POST", "path": "/e", "headers": [(b"idempotency-key", b"k")]}
        await Pipeline([errors(), idempotency(own_db)]).asgi(app)(scope, receive, send)
        over.set()
        with pytest.raises(Exception, match="came too late"):
            await late[0]

    asyncio.run(served())
    assert rig.stored == []


def test_a_response_that_an_outer_layer_replaced_is_known(own_db: DatabaseManager) -> None:
    """Given a layer outside that answers 503 instead, the retry gets what the application said (ASGI)."""

    def moody(request: Any) -> Any:
        head = yield
        if head.get("idempotency-replayed") is None:
            yield Response(503)

    rig = Rig(own_db, "unit", (moody,))
    assert rig.send().status == 503
    assert rig.send().told == (201, rig.stored[0].encode())


# Refusals


@pytest.mark.parametrize(
    "text",
    [
        "",
        '""',
        '"a',
        'a"',
        "a b",
        "a,b",
        '"a","b"',
        "a;b",
        '"a";p=1',
        "é",
        '"é"',
        "a\tb",
        '"\\n"',
        "x" * 256,
        f'"{"x" * 256}"',
    ],
)
def test_what_is_no_key_is_refused(embedded: Rig, text: str) -> None:
    """Neither a string of RFC 9651 nor a plain word of 1 to 255 bytes: 400, and the handler does not run."""
    answer = embedded.send(key=text)
    assert (answer.status, answer.code) == (400, "idempotency.key")
    assert embedded.runs == []


def test_two_keys_are_none(embedded: Rig) -> None:
    """Given the header twice, nobody can tell which is meant."""
    assert key_of(["a", "a"]) is None


@given(st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_key_or_refused(text: str) -> None:
    """Whatever arrives, it is a key of 1 to 255 printable ASCII characters or none."""
    key = key_of([text])
    assert key is None or (0 < len(key) <= 255 and key.isascii() and key.isprintable())


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=255))
@settings(deadline=None)
def test_every_printable_key_can_be_said(key: str) -> None:
    """Quoted and escaped as RFC 9651 says, each key of printable ASCII arrives as it is."""
    assert key_of(['"' + key.replace("\\", "\\\\").replace('"', '\\"') + '"']) == key


def test_a_string_and_a_word_name_the_same(embedded: Rig) -> None:
    """The draft's form and the one that most clients send are one key."""
    assert embedded.send(key='"8e03978e"').body == embedded.send(key="8e03978e").body


@pytest.mark.parametrize("way", ["unit", "wsgi"])
def test_a_required_key_is_asked_for(own_db: DatabaseManager, way: str) -> None:
    """Given ``required``, a request without a key gets 400; other methods need none."""
    rig = Rig(own_db, way, required=True)
    answer = rig.send(key=None)
    assert (answer.status, answer.code) == (400, "idempotency.required")
    assert rig.send(key=None, method="PUT").status == 201


@pytest.mark.parametrize("way", ["unit", "wsgi"])
def test_a_body_too_large_to_compare_is_refused(own_db: DatabaseManager, way: str) -> None:
    """Beyond ``max_body_bytes``, announced or not, 413: what cannot be compared must not pass for the same."""
    rig = Rig(own_db, way, max_body_bytes=10)
    assert rig.send(body=b"x" * 10).status == 201
    for headers in [{}] if way == "wsgi" else [{}, {"content-length": "11"}]:
        answer = rig.send(key="other", body=b"x" * 11, headers=headers)
        assert (answer.status, answer.code) == (413, "idempotency.too_large")
    assert len(rig.runs) == 1


@pytest.mark.parametrize("way", ["unit", "wsgi"])
def test_a_layer_further_out_may_have_read_the_body(own_db: DatabaseManager, way: str) -> None:
    """Given a layer that has looked for a token in the body, in part or whole, it is compared and served whole."""

    async def curious(request: Any) -> Any:
        await request.read_body(int(request.headers.get("x-part")))
        yield

    rig = Rig(own_db, way, (curious,))
    for part in ("1", "100"):
        body = b"first half, other half"
        assert rig.send(key=part, body=body, headers={"x-part": part}).status == 201
        assert rig.runs[-1] == body
        assert rig.send(key=part, body=b"first half, changed one", headers={"x-part": part}).status == 422


@pytest.mark.parametrize("way", ["unit", "wsgi"])
def test_the_body_limit_still_counts(own_db: DatabaseManager, way: str) -> None:
    """Given a body that was read ahead, a limit further out refuses it all the same."""
    rig = Rig(own_db, way, (body_limit(5),))
    assert rig.send(body=b"x" * 6).status == 413
    assert rig.stored == []


def test_a_client_that_leaves_over_its_body_starts_nothing(own_db: DatabaseManager) -> None:
    """Given half a body and then nobody, the handler does not run and no row is left."""
    rig = Rig(own_db, "unit")
    given = [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return given.pop(0)

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/e", "headers": [(b"idempotency-key", b"k")]}
    asyncio.run(rig._asgi(scope, receive, send))
    assert rig.runs == rig.rows == []


@pytest.mark.parametrize("way", ["unit", "wsgi"])
def test_without_a_database_it_says_that_nothing_is_promised(
    own_db: DatabaseManager, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Given ``database=None``, each response to a key says at-least-once, and the log said so at the start."""
    rig = Rig(own_db, way)
    pipeline = Pipeline([errors(), idempotency(None)])
    rig._asgi, rig._wsgi = pipeline.asgi(rig._async_app), pipeline.wsgi(rig._sync_app)
    assert "without a database" in caplog.text
    first, second = rig.send(), rig.send()
    assert first.body != second.body
    assert second.headers["idempotency-guarantee"] == "at-least-once"
    assert "idempotency-guarantee" not in rig.send(key=None).headers
    assert rig.send(key="").status == 400


@pytest.mark.parametrize(
    "wrong", [{"lease": 0}, {"lease": 2, "keep": 1}, {"max_body_bytes": -1}, {"max_response_bytes": -1}]
)
def test_options_that_make_no_sense_are_refused(own_db: DatabaseManager, wrong: dict[str, Any]) -> None:
    """Times must be positive and in order, sizes not negative."""
    with pytest.raises(ValueError, match="expected"):
        idempotency(own_db, **wrong)


def test_it_stands_where_the_caller_is_known(own_db: DatabaseManager) -> None:
    """Outside of sessions everybody behind an address would be one."""
    with pytest.raises(ConfigurationError, match="idempotency must stand inside errors"):
        Pipeline([idempotency(own_db), errors()])
