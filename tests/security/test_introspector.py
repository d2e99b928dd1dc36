"""Another server is asked whether a token is good: seldom, safely, and never as if silence were an answer."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.errors import (
    BackendError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    ConfigurationError,
    NotOpen,
)
from postrmagic_core.security.oauth import Introspector
from postrmagic_core.security.oauth import introspection as module
from postrmagic_core.testing import FakeClock

from .little_server import LittleServer, ServerProcess, dribbling, raw, says, serving

ISSUER = "https://id.example.org"
TOKEN = "opaque-token-c4n4ry"
SECRET = "s3cret & more"


def active(**more: object) -> bytes:
    """An answer that a token is good."""
    return json.dumps({"active": True, "sub": "7", "client_id": "app", "scope": "media.read x", **more}).encode()


@pytest.fixture
def clock() -> FakeClock:
    """One that stands."""
    return FakeClock()


@pytest.fixture
def server() -> Iterator[LittleServer]:
    """It calls every token good."""
    with serving(says(active())) as running:
        yield running


def made(url: str, clock: FakeClock | None = None, **more: Any) -> Introspector:
    """Of our server."""
    return Introspector(url, issuer=ISSUER, client_id="api:1", secret=SECRET, clock=clock, **more)


@pytest.fixture
def introspector(server: LittleServer, clock: FakeClock) -> Iterator[Introspector]:
    """An open one."""
    with made(server.url, clock) as opened:
        yield opened


def seconds(clock: FakeClock) -> int:
    """Now, as tokens tell times."""
    return clock.now_us() // 1_000_000


def test_the_server_is_asked_as_the_standard_has_it(introspector: Introspector, server: LittleServer) -> None:
    """By a form, with the credentials each encoded by themselves (RFC 6749, section 2.3.1)."""
    found = introspector.verify(TOKEN)
    assert found is not None
    assert (found.issuer, found.subject, found.client_id) == (ISSUER, "7", "app")
    assert found.scopes == {"media.read", "x"}
    assert found.expires_at is None
    [(_, headers, body)] = server.seen
    assert parse_qs(body.decode()) == {"token": [TOKEN], "token_type_hint": ["access_token"]}
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    kind, _, text = headers["Authorization"].partition(" ")
    assert (kind, base64.b64decode(text)) == ("Basic", b"api%3A1:s3cret+%26+more")
    assert SECRET not in repr(introspector)


def test_an_answer_is_kept_for_thirty_seconds(
    introspector: Introspector, server: LittleServer, clock: FakeClock
) -> None:
    """So long may what was revoked still count, and no longer."""
    assert introspector.verify(TOKEN) == introspector.verify(TOKEN) is not None
    server.behaves(says(b'{"active": false}'))
    clock.advance(29.9)
    assert introspector.verify(TOKEN) is not None
    assert len(server.seen) == 1
    clock.advance(0.1)
    assert introspector.verify(TOKEN) is None
    assert len(server.seen) == 2


def test_that_a_token_is_not_good_is_kept_for_five(
    introspector: Introspector, server: LittleServer, clock: FakeClock
) -> None:
    """A client that tries for ever costs the server little, and one whose token becomes good waits little."""
    server.behaves(says(b'{"active": false}'))
    for _ in range(100):
        assert introspector.verify(TOKEN) is None
    assert len(server.seen) == 1
    server.behaves(says(active()))
    clock.advance(5)
    assert introspector.verify(TOKEN) is not None


def test_an_answer_is_never_kept_beyond_the_end(
    introspector: Introspector, server: LittleServer, clock: FakeClock
) -> None:
    """At the token's own ``exp`` it is over, whatever the server says then."""
    server.behaves(says(active(exp=seconds(clock) + 10)))
    found = introspector.verify(TOKEN)
    assert found is not None
    assert found.expires_at is not None
    assert found.expires_at.timestamp() == seconds(clock) + 10
    clock.advance(9.9)
    assert introspector.verify(TOKEN) is not None
    clock.advance(0.1)
    assert introspector.verify(TOKEN) is None
    assert len(server.seen) == 2
    clock.jump(-3_600)
    assert introspector.verify(TOKEN) is None, "a clock that was set back makes nothing good"


def test_the_whole_token_counts(introspector: Introspector, server: LittleServer) -> None:
    """Of two that differ in one letter each is asked about."""
    for end in ("", "x", "y"):
        assert introspector.verify(TOKEN + end) is not None
    assert len(server.seen) == 3
    assert all(TOKEN.encode() not in key for key in introspector._kept)


def test_so_many_are_kept_and_the_oldest_goes(
    introspector: Introspector, server: LittleServer, monkeypatch: Any
) -> None:
    """What is used stays."""
    monkeypatch.setattr(module, "_KEPT", 3)
    for token in ("a", "b", "c", "a", "d", "a"):
        introspector.verify(token)
    assert len(server.seen) == 4
    assert len(introspector._kept) == 3
    introspector.verify("b")
    assert len(server.seen) == 5


def test_with_no_age_each_request_asks(server: LittleServer, clock: FakeClock) -> None:
    """For who wants a revocation to hold at once."""
    with made(server.url, clock, max_age=0) as introspector:
        for _ in range(3):
            assert introspector.verify(TOKEN) is not None
    assert len(server.seen) == 3


@pytest.mark.parametrize("token", [None, 7, b"x", "", "a b", "a\n", "a=b", "é", "a\x00", "a" * 8_193], ids=ascii)
def test_what_is_no_token_is_not_asked_about(token: Any, introspector: Introspector, server: LittleServer) -> None:
    """Whatever a client sends."""
    assert introspector.verify(token) is None
    assert server.seen == []


NOW = seconds(FakeClock())
NOT_GOOD: dict[str, bytes] = {
    "not active": b'{"active": false}',
    "not active, with all the rest": json.dumps({**json.loads(active(aud="api")), "active": False}).encode(),
    "over": active(aud="api", exp=NOW),
    "over, by a fraction": active(aud="api", exp=NOW - 0.5),
    "not yet": active(aud="api", nbf=NOW + 1),
    "another issuer's": active(aud="api", iss="https://other.example.org"),
    "an issuer that begins so": active(aud="api", iss=ISSUER + ".evil.example"),
    "for somebody else": active(aud="other"),
    "for others": active(aud=["other", "apis"]),
    "for nobody": active(aud=None),
    "a refresh token": active(aud="api", token_type="refresh_token"),
    "bound to a key": active(aud="api", token_type="DPoP"),
}


@pytest.mark.parametrize("answer", NOT_GOOD.values(), ids=NOT_GOOD)
def test_a_token_that_is_good_there_need_not_be_so_here(answer: bytes, clock: FakeClock) -> None:
    """By its end, its issuer, for whom it is, and what it is."""
    with serving(says(answer)) as server, made(server.url, clock, audience="api") as introspector:
        assert introspector.verify(TOKEN) is None


@pytest.mark.parametrize(
    "more",
    [
        {"aud": "api"},
        {"aud": ["other", "api"]},
        {"aud": "api", "iss": ISSUER, "token_type": "bearer", "nbf": NOW, "iat": NOW, "exp": NOW + 0.5},
        {"aud": "api", "scope": None, "sub": None, "client_id": None, "exp": None, "username": "ann"},
    ],
    ids=str,
)
def test_a_token_for_us_is_good(more: dict[str, Any], clock: FakeClock) -> None:
    """What is not told is not missed."""
    with serving(says(active(**more))) as server, made(server.url, clock, audience="api") as introspector:
        found = introspector.verify(TOKEN)
        assert found is not None
        assert found.extra.get("username") == more.get("username")


NO_ANSWER: dict[str, Any] = {
    "nothing": says(b""),
    "no JSON": says(b"<html>active</html>"),
    "a list": says(b"[true]"),
    "true": says(b"true"),
    "without active": says(b'{"sub": "7"}'),
    "active as a text": says(active(active="true")),
    "active as a number": says(active(active=1)),
    "active as null": says(active(active=None)),
    "active twice": says(b'{"active": false, "active": true}'),
    "no UTF-8": says(b'{"active": true, "sub": "\xff"}'),
    "a subject of another kind": says(active(sub=7)),
    "scopes of another kind": says(active(scope=["a"])),
    "an end of another kind": says(active(exp="soon")),
    "an end that is true": says(active(exp=True)),
    "an end beyond all": says(active(exp=1e300)),
    "no number": says(b'{"active": true, "exp": NaN}'),
    "created": says(active(), 201),
    "not found": says(active(), 404),
    "failing": says(active(), 500),
    "a redirect": says(b"", 307, location="/y"),
    "no HTTP": raw(b"x"),
    "too large": says(active(more="x" * 70_000)),
}


@pytest.mark.parametrize("behave", NO_ANSWER.values(), ids=NO_ANSWER)
def test_what_is_no_answer_is_neither_yes_nor_no(behave: Any, clock: FakeClock) -> None:
    """It is not kept either."""
    with serving(behave) as server, made(server.url, clock) as introspector:
        for asked in (1, 2):
            with pytest.raises(BackendUnavailable) as caught:
                introspector.verify(TOKEN)
            assert TOKEN not in str(caught.value)
            assert len(server.seen) == asked


@pytest.mark.parametrize("status", [401, 403])
def test_a_client_that_is_refused_is_told_so(status: int, clock: FakeClock) -> None:
    """The operator has to mend it; no token is good or bad for that."""
    refused = pytest.raises(BackendRejected, match=str(status))
    with serving(says(b"{}", status)) as server, made(server.url, clock) as introspector, refused:
        introspector.verify(TOKEN)


def test_a_server_that_hangs_dribbles_or_dies_is_away(clock: FakeClock) -> None:
    """In two seconds; what is kept holds meanwhile."""
    with serving(dribbling(active())) as server, made(server.url, clock) as introspector:
        began = time.monotonic()
        with pytest.raises(BackendTimeout):
            introspector.verify(TOKEN)
        assert time.monotonic() - began < 4
    process = ServerProcess(active())
    try:
        with made(process.url, clock) as introspector:
            assert introspector.verify(TOKEN) is not None
            process.stop()
            assert introspector.verify(TOKEN) is not None
            with pytest.raises(BackendTimeout):
                introspector.verify("another")
            process.go_on()
            process.kill()
            assert introspector.verify(TOKEN) is not None
            clock.advance(30)
            with pytest.raises(BackendError):
                introspector.verify(TOKEN)
    finally:
        process.kill()


def test_it_is_counted(introspector: Introspector, server: LittleServer) -> None:
    """By what came of it."""
    introspector._metrics = metrics = Metrics()
    introspector.verify("a")
    introspector.verify("a")
    server.behaves(says(b'{"active": false}'))
    introspector.verify("b")
    server.behaves(says(b""))
    with pytest.raises(BackendUnavailable):
        introspector.verify("c")
    counted = {dict(labels)["outcome"]: value for _, labels, value in metrics.counters()}
    assert counted == {"active": 1, "kept": 1, "refused": 1, "away": 1}


def test_the_loop_goes_on_while_the_server_is_asked(clock: FakeClock) -> None:
    """And what is known takes no thread."""
    going = threading.Event()

    def slow(handler: Any) -> None:
        going.wait(10)
        says(active())(handler)

    async def ask(introspector: Introspector) -> None:
        asked = asyncio.ensure_future(introspector.aio.verify(TOKEN))
        for _ in range(5):
            await asyncio.sleep(0.01)
        assert not asked.done()
        going.set()
        found = await asked
        assert found is not None
        introspector.bridge.close()
        assert await introspector.aio.verify(TOKEN) == found
        assert introspector.bridge._executor is None

    with serving(slow) as server, made(server.url, clock) as introspector:
        asyncio.run(ask(introspector))


def test_what_cannot_be_is_refused_when_it_is_made(server: LittleServer) -> None:
    """Plain HTTP elsewhere, an age that is too long; and it is used open only."""
    with pytest.raises(ConfigurationError, match="https://"):
        made("http://id.example.org/introspect")
    for age in (-1, 30.1, float("nan")):
        with pytest.raises(ValueError, match="max_age"):
            made(server.url, max_age=age)
    with pytest.raises(NotOpen):
        made(server.url).verify(TOKEN)
