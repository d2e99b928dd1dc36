"""What stands around an application that is served: seen without a server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from postrmagic_core.cli import lingering
from postrmagic_core.cli.draining import Draining

HEADERS = [(b"Connection", b"keep-alive"), (b"x", b"1")]


async def _answering(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"done"})


def answered(app: Draining, **scope: Any) -> list[Any]:
    """What it sends for a request."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    asyncio.run(app({"type": "http", **scope}, receive, send))
    return sent


@pytest.mark.parametrize("version", ["1.0", "1.1", None])
def test_an_answer_closes_its_connection_once_it_drains(version: str | None) -> None:
    """Whatever the application says of the connection; before, nothing is changed."""
    app = Draining(_answering)
    scope = {} if version is None else {"http_version": version}
    assert answered(app, **scope)[0]["headers"] is HEADERS
    app.draining = True
    assert answered(app, **scope)[0]["headers"] == [(b"x", b"1"), (b"connection", b"close")]


def test_http_2_has_no_such_header() -> None:
    """RFC 9113, 8.2.2: it would make the answer malformed."""
    app = Draining(_answering)
    app.draining = True
    assert answered(app, http_version="2")[0]["headers"] is HEADERS


def test_websockets_pass_as_they_are() -> None:
    """Their application gets the server's own functions."""
    given: list[Any] = []

    async def application(*arguments: Any) -> None:
        given.extend(arguments)

    app = Draining(application)
    app.draining = True
    receive: Any = object()
    send: Any = object()
    scope = {"type": "websocket"}
    asyncio.run(app(scope, receive, send))
    assert given[0] is scope
    assert given[1:] == [receive, send]


def test_only_unfinished_streams_of_events_are_ended() -> None:
    """Not what is done in the background after the last event, and no other answer."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        kind = b"text/event-stream; charset=utf-8" if scope["path"] != "/other" else b"text/plain"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", kind)]})
        await send({"type": "http.response.body", "body": b"1", "more_body": scope["path"] != "/whole"})
        await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": b"2", "more_body": False})

    app = Draining(application)

    async def run() -> dict[str, list[Any]]:
        sent: dict[str, list[Any]] = {"/stream": [], "/whole": [], "/other": []}

        async def asked(path: str) -> None:
            async def send(message: Any) -> None:
                sent[path].append(message.get("body", b"head"))

            await app({"type": "http", "path": path}, asyncio.Event().wait, send)  # type: ignore[arg-type]  # nobody asks

        tasks = [asyncio.create_task(asked(path)) for path in sent]
        await asyncio.sleep(0.02)
        for _ in range(2):
            app.end_streams()
        await asyncio.gather(*tasks)
        assert not any(task.cancelled() for task in tasks)
        return sent

    assert asyncio.run(run()) == {
        "/stream": [b"head", b"1", b""],
        "/whole": [b"head", b"1", b"2"],
        "/other": [b"head", b"1", b"2"],
    }


def test_a_client_that_goes_away_is_nobodys_end() -> None:
    """A cancellation that is not this server's goes on to whoever asked for it."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(60)

    async def run() -> None:
        sent: list[Any] = []
        task = asyncio.ensure_future(Draining(application)({"type": "http"}, asyncio.Event().wait, sent.append))  # type: ignore[arg-type]  # nobody asks
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert sent == []

    asyncio.run(run())


def test_who_sends_nothing_more_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a body that stops half-way, when it was answered, then the answer is whole at once, and ends soon after."""
    monkeypatch.setattr(lingering, "_SILENCE", 0.05)
    app = Draining(lingering.Lingering(_answering))
    sent = answered(app, headers=[(b"content-length", b"5")])
    assert [message.get("more_body", False) for message in sent[1:]] == [True, False]
    assert b"".join(message["body"] for message in sent[1:]) == b"done"
    assert len(answered(app, headers=[(b"content-length", b"5"), (b"expect", b"100-continue")])) == 2
    assert len(answered(app, headers=[(b"content-length", b"0")])) == 2
