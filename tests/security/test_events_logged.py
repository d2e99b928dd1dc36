"""An application under attack: each event of security is written once, and each line says when, where, who and what.

By the real chain, as JSON (OWASP ASVS 16.2 and 16.3): layers of the middleware, accounts, sessions, a program, a job.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import socket
import ssl
import stat
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.errors import AccessDenied, BodyTooLarge, OAuthRefused, ValidationFailed
from postrmagic_core.jobs import task
from postrmagic_core.limits import RateLimiter
from postrmagic_core.log import configure
from postrmagic_core.log.adapters.file import FileSink
from postrmagic_core.log.looks import MASK
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.cors import cors
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.header_limits import header_limits
from postrmagic_core.middleware.rate_limit import rate_limit
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.security.access import Role, Roles, User
from postrmagic_core.security.oauth import Scope, Scopes
from postrmagic_core.sessions.binding import Client
from postrmagic_core.stack import Stack
from postrmagic_core.stores import open_store
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.certificates import Authority
from tests.security.factors_rig import rigged

HOME, AWAY = "192.0.2.7", "203.0.113.9"
LEVELS = {"debug", "info", "warning", "error", "critical"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
WHO = {"user_id", "account", "actor", "subject", "jti"}

ROLES = Roles([Role("editor", allow=["media:read"])], permissions=["media:read", "media:edit"])
SCOPES = Scopes([Scope("media.read", ["media:read"], "See your posters")])


class Told:
    """What was written, line by line."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self._seen = 0

    @property
    def new(self) -> list[dict[str, Any]]:
        """The lines since it was last asked."""
        lines = self.stream.getvalue().splitlines()
        found, self._seen = lines[self._seen :], len(lines)
        return [json.loads(line) for line in found]


@pytest.fixture(scope="module")
def handle_and_told() -> Iterator[tuple[Any, Told]]:
    """The log of the tests of this file."""
    told = Told()
    with configure(level="INFO", format="json", stream=told.stream, service="shop") as handle:
        yield handle, told


@pytest.fixture
def told(handle_and_told: tuple[Any, Told]) -> Iterator[Any]:
    """``told()``: what the test has written since it was last asked."""
    handle, lines = handle_and_told

    def new() -> list[dict[str, Any]]:
        assert handle.flush()
        return lines.new

    new()
    begun = len(lines.stream.getvalue())
    yield new
    assert (
        MASK not in lines.stream.getvalue()[begun:]
    )  # a field of ours that is masked for its name tells nobody anything


@pytest.fixture(scope="module")
def stack(handle_and_told: tuple[Any, Told], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An application on SQLite files."""
    settings = embedded_settings(tmp_path_factory.mktemp("shop")).replace(oauth={"issuer": "https://shop.example"})
    with Stack(settings, configure_logging=False) as opened:
        opened.security.use_roles(ROLES)
        opened.security.use_scopes(SCOPES)
        yield opened


# Attacks on the middleware.

EVIL = (b"origin", b"https://evil.example")
READER, NOBODY = (b"x-user", b"ann"), (b"x-nobody", b"1")
GET: dict[str, Any] = {"method": "GET", "path": "/media"}
# What is sent -> the code of the refusal, and the events besides the one line of the access log.
ATTACKS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "a form of another site": (
        {"method": "POST", "path": "/media", "headers": [READER, (b"sec-fetch-site", b"cross-site")]},
        "csrf.cross_site",
        [],
    ),
    "a preflight from another origin": (
        {"method": "OPTIONS", "path": "/media", "headers": [EVIL, (b"access-control-request-method", b"DELETE")]},
        "cors.refused",
        [],
    ),
    "a smuggled request": (
        {**GET, "headers": [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")]},
        "request.malformed",
        [],
    ),
    "a path with a null": ({"path": "/media\0.png"}, "request.malformed", []),
    "a body without end": ({**GET, "headers": [READER, (b"content-length", b"9999999")]}, BodyTooLarge.code, []),
    "too much of it": ({**GET, "client": (AWAY, 1), "headers": [READER]}, "rate.limited", []),
    "nobody": (GET, "authentication.required", ["security.access.denied"]),
    "somebody who may not": (
        {"method": "DELETE", "path": "/media", "headers": [READER]},
        AccessDenied.code,
        ["security.access.denied"],
    ),
    "a path that no rule knows": (
        {"path": "/admin", "headers": [READER]},
        AccessDenied.code,
        ["security.access.denied"],
    ),
    "what is not valid": ({**GET, "headers": [READER], "query_string": b"invalid"}, ValidationFailed.code, []),
}


async def shop(scope: Any, receive: Any, send: Any) -> None:
    """The application behind it."""
    if scope["query_string"] == b"invalid":
        raise ValidationFailed([{"pointer": "/name", "code": "too_long", "message": "too long"}])
    if scope["query_string"] == b"broken":
        raise RuntimeError("the shelf fell down")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"posters"})


def who(request: Any) -> User | None:
    """Whom a header names."""
    name = request.headers.get("x-user")
    return None if name is None else User(name, frozenset({"editor"}))


def pipeline(stack: Stack) -> Any:
    """All layers that refuse."""
    access = stack.security.access
    layers = [
        *(request_id(), access_log(), cors(["https://shop.example"]), errors(), header_limits(), body_limit(1000)),
        rate_limit(stack.limiter, "2/hour", by=lambda request: request.client),
        *(csrf(), authentication(who), authorization(access, {"GET /media": "media:read", "/media": "media:edit"})),
    ]
    return Pipeline(layers).asgi(shop)


def ask(app: Any, **scope: Any) -> None:
    """Send one request, and wait for the answer."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    defaults = {"type": "http", "method": "GET", "query_string": b"", "headers": [], "scheme": "https"}
    asyncio.run(app({**defaults, **scope}, receive, send))


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_refused_request_is_told_once_with_its_reason(attack: str, stack: Stack, told: Any) -> None:
    """One line of the access log says who was refused what, and why; who may not is told of besides, once."""
    scope, code, besides = ATTACKS[attack]
    app = pipeline(stack)
    if code == "rate.limited":
        for _ in range(2):
            ask(app, **scope)
        told()
    ask(app, **{"client": (f"198.51.100.{list(ATTACKS).index(attack)}", 1), **scope})
    lines = told()
    (line,) = [each for each in lines if each["event"] == "request"]
    assert line["code"] == code
    assert line["status"] >= 400
    assert line["client"]
    assert [each["extra_event"] for each in lines if "extra_event" in each] == besides
    assert {each["request_id"] for each in lines} == {line["request_id"]}


def test_what_is_granted_has_no_reason(stack: Stack, told: Any) -> None:
    """An answer of the application is told without a code."""
    ask(pipeline(stack), **GET | {"headers": [READER], "client": (HOME, 1)})
    (line,) = told()
    assert (line["status"], line["user_id"]) == (200, "ann")
    assert "code" not in line


def test_an_error_that_nobody_expected_is_told_once(stack: Stack, told: Any) -> None:
    """With its place, and the request that it ended."""
    ask(pipeline(stack), **GET | {"headers": [READER], "client": ("192.0.2.8", 1), "query_string": b"broken"})
    failed, line = told()
    assert (failed["level"], failed["event"], failed["exception"]["type"]) == (
        "error",
        "request failed",
        "RuntimeError",
    )
    assert failed["request_id"] == line["request_id"]
    assert (line["status"], line["code"]) == (500, "internal")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Of a server whose certificate nobody trusts."""
    issued = Authority(tmp_path).issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)

    def greet() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with suppress(OSError), connection:
                connection.settimeout(5)
                context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.redis
def test_a_backend_that_shows_a_wrong_certificate_is_told_of(port: int, told: Any) -> None:
    """Where the limits are kept, and where a handler reads: the line says that it is the certificate."""
    pytest.importorskip("redis")
    with closing(open_store(f"rediss://127.0.0.1:{port}/0", timeout=2.0)) as store, RateLimiter(store) as limiter:

        async def reading(scope: Any, receive: Any, send: Any) -> None:
            store.get([b"poster"])

        closed = rate_limit(limiter, "1/hour", unavailable="closed")
        ask(Pipeline([access_log(), errors(), closed]).asgi(shop), path="/")
        ask(Pipeline([access_log(), errors()]).asgi(reading), path="/")
        away, refused, failed, line = told()
    assert (away["level"], refused["code"], line["code"]) == ("warning", "rate.unavailable", "backend.unavailable")
    assert "certificate was not accepted" in away["why"]
    assert (failed["level"], failed["event"]) == ("error", "request failed")
    assert "certificate was not accepted" in failed["exception"]["message"]


# The day of an account.


@task(name="print_poster", retries=0)
def print_poster(ctx: Any) -> None:
    """A job that fails."""
    raise RuntimeError("no paper")


def a_second_factor(stack: Stack) -> None:
    """Enabled, used, used again, guessed at, replaced by a recovery code, disabled: at a time that stands still."""
    with rigged(stack.database, stack.settings.key_ring()) as rig:
        enrolment, recovery = rig.enabled("ann")
        for code in (rig.code(enrolment), rig.code(enrolment), rig.wrong(enrolment)):
            rig.verify("ann", code)
        rig.recover("ann", recovery[0])
        rig.factors.disable("ann")


def a_day(stack: Stack) -> str:
    """All that an account does and suffers, each thing once; the id of its program."""
    security, sessions = stack.security, stack.sessions
    security.throttle.failed("ann", HOME)
    security.throttle.succeeded("ann", HOME)
    while security.throttle.admit("bob", AWAY):
        pass
    a_second_factor(stack)
    token = security.login_tokens.issue("ann", purpose="reset", lifetime=60)
    for _ in range(2):
        security.login_tokens.redeem(token, purpose="reset")
    security.access.grant("ann", "editor", actor="root")
    issued = security.access_tokens.issue("ann", "script")
    security.access_tokens.revoke("ann", issued.info.id)
    security.access_tokens.verify(issued.token)
    security.access.revoke("ann", "editor", actor="root")
    program = security.oauth.clients.add("Printer", scopes=["media.read"], grant_types=["client_credentials"])
    with pytest.raises(OAuthRefused):
        security.oauth.token({"grant_type": "client_credentials", "client_id": program.info.id, "client_secret": "x"})
    security.oauth.clients.disable(program.info.id, actor="root")
    session = sessions.load(None, Client(HOME, "Firefox"))
    session.login("ann")
    cookie = sessions.save(session)
    sessions.load(cookie, Client(AWAY, "curl/8"))
    sessions.revoke_all("ann")
    return str(program.info.id)


EXPECTED = {
    "security.login_failed": 1,
    "security.login_succeeded": 1,
    "security.login_throttled": 1,
    "security.factor_enabled": 1,
    "security.factor_replayed": 1,
    "security.factor_accepted": 1,
    "security.factor_refused": 1,
    "security.recovery_code_used": 1,
    "security.factor_disabled": 1,
    "security.token_issued": 1,
    "security.token_redeemed": 1,
    "security.token_refused": 1,
    "security.role.granted": 1,
    "security.role.revoked": 1,
    "security.access_token.issued": 1,
    "security.access_token.revoked": 1,
    "security.access_token.refused": 1,
    "security.oauth.client_added": 1,
    "security.oauth.client_disabled": 1,
    "session.moved": 1,
    "session.revoked": 1,
}


def test_each_event_of_an_account_is_told_once(stack: Stack, told: Any) -> None:
    """Right and wrong logins, factors, tokens, roles, programs and sessions; a wrong secret stands in the audit log."""
    program = a_day(stack)
    lines = told()
    assert Counter(line["extra_event"] for line in lines if "extra_event" in line) == EXPECTED
    assert not [line for line in lines if "extra_event" in line and not WHO & line.keys()]
    stack.security.audit.flush()
    denied = stack.security.audit.find(action="access.denied", actor=program)
    assert [entry.subject for entry in denied] == ["oauth:client:wrong"]


def test_every_line_says_when_where_who_and_what(stack: Stack, told: Any) -> None:
    """One object a line, by one schema: requests, a job that fails, sessions (OWASP ASVS 16.2.1, 16.2.2, 16.2.4)."""
    app = pipeline(stack)
    ask(app, **GET | {"headers": [READER], "client": (HOME, 2)})
    ask(app, **GET | {"client": (HOME, 2)})
    stack.sessions.revoke_all("ann")
    stack.jobs.include(print_poster)
    job = stack.jobs.enqueue(print_poster.call())
    with stack.worker(threads=1):
        stack.jobs.wait(job.id, timeout=20)
    lines = told()
    for line in lines:
        assert list(line)[:4] == ["ts", "level", "logger", "event"]
        assert INSTANT.fullmatch(line["ts"])
        assert abs((datetime.fromisoformat(line["ts"]) - datetime.now(UTC)).total_seconds()) < 60
        assert line["level"] in LEVELS
        assert line["logger"].startswith("postrmagic_core.")
        assert line["event"]
        assert line["service"] == "shop"
    (failed,) = [line for line in lines if line.get("exception")]
    assert (failed["job_id"], failed["task"], failed["attempt"]) == (job.id, "print_poster", 1)
    assert len([line for line in lines if line["event"] == "request" and line["client"] == HOME]) == 2


def test_a_log_file_is_for_its_owner_and_their_group(tmp_path: Path) -> None:
    """Mode 0640 whatever the process's mask allows, and what is there already is appended to, never replaced."""
    path = tmp_path / "app.log"
    before = os.umask(0)
    try:
        for line in (b"one", b"two"):
            with closing(FileSink(path)) as sink:
                sink.write([line])
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_text() == "one\ntwo\n"
