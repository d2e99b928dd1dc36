"""Sessions over HTTP: read when asked for, saved before the head, closed when the store is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import BackendUnavailable
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.sessions import sessions, set_cookie
from postrmagic_core.sessions import SessionStore
from tests.backends import Flaky

KEYS = KeyRing(["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"])


@pytest.fixture
def store() -> Iterator[Flaky]:
    """The store behind the sessions."""
    store = Flaky()
    yield store
    store.close()


@pytest.fixture
def pipeline(store: Flaky) -> Iterator[Pipeline]:
    """A pipeline with sessions on a real SessionStore."""
    with SessionStore(store, KEYS) as manager:
        yield Pipeline([errors(), sessions(manager)])


async def counting(scope: Any, receive: Any, send: Any) -> None:
    """An application that counts visits, reads, or ignores its session."""
    status, body = 200, b"ignored"
    access = scope["state"]["session"]
    if scope["path"] == "/count":
        session = await access
        session.data["visits"] = session.data.get("visits", 0) + 1
        body = json.dumps(session.data).encode()
    elif scope["path"] == "/read":
        body = json.dumps((await access).data).encode()
    elif scope["path"] == "/login":
        (await access).login("alice")
    elif scope["path"] == "/logout":
        (await access).logout()
    elif scope["path"] == "/stubborn":
        try:
            await access
        except BackendUnavailable:
            status = int(scope["query_string"])
    elif scope["path"] == "/fail":
        (await access).data["lost"] = True
        raise ValueError
    await send({"type": "http.response.start", "status": status, "headers": [(b"cache-control", b"public")]})
    await send({"type": "http.response.body", "body": body})


def cookie_of(outcome: Any) -> list[tuple[bytes, bytes]]:
    """The request header that returns the cookie just set."""
    return [(b"cookie", outcome.header("set-cookie").split(";")[0].encode())]


def test_data_last_from_request_to_request(pipeline: Pipeline, call: Any) -> None:
    """Given the cookie of the first response, the second request finds what the first stored."""
    app = pipeline.asgi(counting)
    first = call(app, path="/count")
    second = call(app, path="/count", headers=cookie_of(first))
    assert json.loads(second.body) == {"visits": 2}
    assert second.header("set-cookie") is None, "the cookie is set only when it changes"


def test_the_cookie_is_as_strict_as_can_be(pipeline: Pipeline, call: Any) -> None:
    """__Host- name, Secure, HttpOnly, SameSite=Lax, Path=/, no Domain (ASVS 3.3.1 to 3.3.4)."""
    name, _, attributes = call(pipeline.asgi(counting), path="/count").header("set-cookie").partition("=")
    assert name == "__Host-session"
    assert {part.strip() for part in attributes.split(";")[1:]} == {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"}


def test_an_untouched_session_costs_nothing(pipeline: Pipeline, store: Flaky, call: Any) -> None:
    """Given an application that does not ask, the store is not read and caches may keep the response."""
    outcome = call(pipeline.asgi(counting), headers=[(b"cookie", b"__Host-session=anything")])
    assert store.asked == 0
    assert (outcome.header("vary"), outcome.header("cache-control")) == (None, "public")


@pytest.mark.parametrize("path", ["/read", "/count", "/login"])
def test_a_touched_session_is_private(path: str, pipeline: Pipeline, call: Any) -> None:
    """Also a response that only looked depends on the cookie: no cache may keep it."""
    outcome = call(pipeline.asgi(counting), path=path)
    assert (outcome.header("vary"), outcome.header("cache-control")) == ("Cookie", "no-store")
    assert (outcome.header("set-cookie") is None) == (path == "/read")


def test_login_changes_the_cookie_and_logout_drops_it(pipeline: Pipeline, call: Any) -> None:
    """Given a session before login, the old cookie is dead after it; after logout the new one too."""
    app = pipeline.asgi(counting)
    before = call(app, path="/count")
    during = call(app, path="/login", headers=cookie_of(before))
    after = call(app, path="/logout", headers=cookie_of(during))
    assert "Max-Age=0" in after.header("set-cookie")
    assert cookie_of(before) != cookie_of(during)
    for old in (before, during):
        assert json.loads(call(app, path="/read", headers=cookie_of(old)).body) == {}


@pytest.mark.parametrize("value", [b"", b"x", b"../../etc", b'"', b"\xff\xfe", b"A" * 3000, b"a;b;c"])
def test_an_invented_cookie_is_never_adopted(value: bytes, pipeline: Pipeline, call: Any) -> None:
    """Whatever the client sends as its cookie, it gets a fresh session."""
    outcome = call(pipeline.asgi(counting), path="/count", headers=[(b"cookie", b"__Host-session=" + value)])
    assert json.loads(outcome.body) == {"visits": 1}
    assert not value or value.decode("latin-1") not in outcome.header("set-cookie").split(";")[0].split("=", 1)[1:]


@pytest.mark.parametrize("path", ["/count", "/login", "/read"])
def test_a_store_that_is_away_closes(path: str, pipeline: Pipeline, store: Flaky, call: Any) -> None:
    """S1: 503, and the visitor's cookie is neither replaced nor dropped."""
    app = pipeline.asgi(counting)
    headers = cookie_of(call(app, path="/login"))
    store.away = True
    outcome = call(app, path=path, headers=headers)
    assert (outcome.status, outcome.header("set-cookie"), outcome.error) == (503, None, None)
    assert json.loads(outcome.body)["code"] == "backend.unavailable"


def test_a_store_that_goes_away_before_the_save_closes(pipeline: Pipeline, store: Flaky, call: Any) -> None:
    """S1: what could not be saved is not acknowledged."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        (await scope["state"]["session"]).data["x"] = 1
        store.away = True
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"saved!"})

    outcome = call(pipeline.asgi(app))
    assert (outcome.status, outcome.header("set-cookie")) == (503, None)
    assert b"saved" not in outcome.body


@pytest.mark.parametrize(("made", "told"), [(500, 503), (200, 200)])
def test_an_application_may_answer_without_its_session(
    made: int, told: int, pipeline: Pipeline, store: Flaky, call: Any
) -> None:
    """S1: a 500 made of the missing session becomes 503; a page that can do without is served, without a cookie."""
    app = pipeline.asgi(counting)
    headers = cookie_of(call(app, path="/count"))
    store.away = True
    outcome = call(app, path="/stubborn", query_string=str(made).encode(), headers=headers)
    assert (outcome.status, outcome.header("set-cookie")) == (told, None)


def test_a_failed_request_saves_nothing(pipeline: Pipeline, call: Any) -> None:
    """Given an application that fails, what it changed in the session is gone with it."""
    app = pipeline.asgi(counting)
    headers = cookie_of(call(app, path="/count"))
    assert call(app, path="/fail", headers=headers).status == 500
    assert json.loads(call(app, path="/read", headers=headers).body) == {"visits": 1}


def test_two_tasks_of_one_request_share_the_session(pipeline: Pipeline, call: Any) -> None:
    """Given two tasks that ask at once, both hold the same session."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def ask() -> Any:
            return await scope["state"]["session"]

        first, second = await asyncio.gather(ask(), ask())
        assert first is second
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    assert call(pipeline.asgi(app)).status == 200


def test_sync_code_asks_with_get(store: Flaky) -> None:
    """Under WSGI the application gets the same session without awaiting, and the same cookie."""
    with SessionStore(store, KEYS) as manager:
        started: list[Any] = []

        def app(environ: Any, start_response: Any) -> list[bytes]:
            access = environ["postrmagic.state"]["session"]
            access.get().data["x"] = 1
            assert access.get() is access.get()
            start_response("200 OK", [])
            return [b""]

        wrapped = Pipeline([sessions(manager, cookie_secure=False)]).wsgi(app)
        body: Any = wrapped({"REQUEST_METHOD": "GET"}, lambda *given: started.append(given))
        list(body)
        body.close()
        headers = dict(started[0][1])
        assert headers["set-cookie"].startswith("session=")
        assert "Secure" not in headers["set-cookie"]


def test_a_cookie_too_large_is_an_error_where_it_is_made() -> None:
    """Browsers drop silently what is over 4,096 bytes (ASVS 3.3.5)."""
    with pytest.raises(ValueError, match="larger than 4096 bytes"):
        set_cookie("__Host-session", "x" * 4090, secure=True)
