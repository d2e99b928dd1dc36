"""The reliability contract: green on a small correct client; red, on the right promise, on each planted-bad one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
import redis

from postrmagic_core.errors import BackendTimeout, BackendUnavailable, OutcomeUnknown
from postrmagic_core.testing.contracts import promises
from postrmagic_core.testing.contracts.reliability import ReliabilityContract
from postrmagic_core.testing.contracts.rig import Broken, Budget, Harness, Rig, rigged
from postrmagic_core.testing.servers import RedisServer, require

pytestmark = [pytest.mark.fault, pytest.mark.redis]

FAST = Budget(call=0.15, heal=0.8, slack=0.85)


class Refusal(OSError):
    """The server answered with an error: it surely did not do it."""


class Reference:
    """The smallest client that keeps the promises: one try, one deadline, a doubtful connection is closed."""

    timeout = 0.15

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (str(parts.hostname), int(parts.port or 0))
        self._select = f"SELECT {parts.path[1:]}".encode()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._buffer = b""

    def close(self) -> None:
        """Forget the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer = None, b""

    def ask(self, *words: str, write: bool = False) -> Any:
        """The reply to one command."""
        with self._lock:
            deadline = self.now() + self.timeout
            try:
                self._connect(deadline)
            except OSError as error:
                self.close()
                raise self.unreachable(error) from error
            try:
                return self._exchange(" ".join(words).encode(), deadline)
            except OSError as error:
                self.failed()
                raise self.meaning(error, write) from error

    def now(self) -> float:
        """Seconds for the deadline."""
        return time.monotonic()

    def failed(self) -> None:
        """What to do with the connection after an error."""
        self.close()

    def unreachable(self, error: OSError) -> Exception:
        """Our error where no connection was made."""
        return BackendUnavailable("the server cannot be reached")

    def meaning(self, error: OSError, write: bool) -> Exception:
        """Our error for a failed exchange."""
        if write and not isinstance(error, Refusal):
            return OutcomeUnknown("the reply was lost")
        return BackendTimeout("no answer") if isinstance(error, TimeoutError) else BackendUnavailable("cut off")

    def _connect(self, deadline: float) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, max(0.001, deadline - self.now()))
            self._exchange(self._select, deadline)

    def _exchange(self, command: bytes, deadline: float) -> Any:
        assert self._socket is not None
        self._arm(deadline)
        self._socket.sendall(command + b"\r\n")
        return self._reply(deadline)

    def _reply(self, deadline: float) -> Any:
        while b"\r\n" not in self._buffer:
            self._fill(deadline)
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        kind, rest = line[:1], line[1:].decode()
        if kind == b"-":
            raise Refusal(rest)
        if kind == b"$":
            return self._take(int(rest) + 2, deadline)[:-2].decode()
        if kind == b"*":
            return [self._reply(deadline) for _ in range(int(rest))]
        return rest

    def _take(self, size: int, deadline: float) -> bytes:
        while len(self._buffer) < size:
            self._fill(deadline)
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _fill(self, deadline: float) -> None:
        assert self._socket is not None
        self._arm(deadline)
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("closed by the server")
        self._buffer += data

    def _arm(self, deadline: float) -> None:
        assert self._socket is not None
        left = deadline - self.now()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


class ReferenceHarness(Harness[Reference]):
    """How the checks use the reference client, or one that breaks a single rule of it."""

    effect_bytes = b"RPUSH"

    kind: type[Reference] = Reference

    def make(self, url: str) -> Reference:
        return self.kind(url)

    def close(self, subject: Reference) -> None:
        subject.close()

    def operation(self, subject: Reference) -> object:
        return subject.ask("PING")

    def effect(self, subject: Reference, token: str) -> object:
        return subject.ask("RPUSH", "effects", token, write=True)

    def effects(self, subject: Reference) -> Counter[str]:
        return Counter(subject.ask("LRANGE", "effects", "0", "-1"))

    def tagged(self, subject: Reference, tag: str) -> str:
        return str(subject.ask("ECHO", tag))

    async def tagged_async(self, subject: Reference, tag: str) -> str:
        return await asyncio.shield(asyncio.to_thread(subject.ask, "ECHO", tag))

    def decide(self, subject: Reference) -> bool:
        return bool(subject.ask("PING") == "PONG")


@pytest.fixture(scope="module")
def durable_redis() -> Iterator[RedisServer]:
    """One Redis for this module that keeps what it acknowledged; each check leaves it running."""
    require(RedisServer.binary(), "no redis-server")
    with RedisServer(appendonly="always") as server:
        yield server


class TestReferenceClient(ReferenceHarness, ReliabilityContract[Reference]):
    """All rows are green."""

    budget = FAST

    @pytest.fixture
    def server(self, durable_redis: RedisServer) -> RedisServer:
        """The module's server."""
        return durable_redis


class BareRedis(Harness[redis.Redis]):
    """redis-py as it comes: ten retries of everything."""

    effect_bytes = b"RPUSH"

    def make(self, url: str) -> redis.Redis:
        parts = urlsplit(url)
        return redis.Redis(str(parts.hostname), parts.port or 0, int(parts.path[1:]), decode_responses=True)

    def close(self, subject: redis.Redis) -> None:
        subject.close()

    def operation(self, subject: redis.Redis) -> object:
        return subject.ping()

    def effect(self, subject: redis.Redis, token: str) -> object:
        return subject.rpush("effects", token)

    def effects(self, subject: redis.Redis) -> Counter[str]:
        return Counter(str(token) for token in subject.lrange("effects", 0, -1))


@contextlib.contextmanager
def rig_of(harness: Harness[Any], server: RedisServer) -> Iterator[Rig[Any]]:
    """A rig with the fast budget."""
    with rigged(harness, server, FAST) as rig:
        yield rig


class TestBareRedisIsRed:
    """The default client of the field breaks the promises that its measured behaviour says it breaks."""

    @pytest.mark.parametrize("fault", ["refused", "stopped"])
    def test_p1(self, durable_redis: RedisServer, fault: str) -> None:
        """Its retries and time-outs outlast the budget many times."""
        with rig_of(BareRedis(), durable_redis) as rig, pytest.raises(Broken, match="P1 bounded: a call had neither"):
            promises.bounded(rig, fault)

    def test_p4(self, durable_redis: RedisServer) -> None:
        """One RPUSH whose reply is lost pushes twice."""
        with rig_of(BareRedis(), durable_redis) as rig, pytest.raises(Broken, match="one call made 2 effects"):
            promises.unknown_is_said(rig, "close")

    def test_p3(self, durable_redis: RedisServer) -> None:
        """And so a write may be there twice."""
        with rig_of(BareRedis(), durable_redis) as rig, pytest.raises(Broken, match=r"P3.*more than once"):
            promises.no_false_ack(rig)


class Untyped(Reference):
    """Planted: the driver's errors leave as they are."""

    def unreachable(self, error: OSError) -> Exception:
        return error

    def meaning(self, error: OSError, write: bool) -> Exception:
        return error


class Chatty(Reference):
    """Planted: the driver's text is in ours."""

    def unreachable(self, error: OSError) -> Exception:
        return BackendUnavailable(f"failed: {error}")


class Denying(Reference):
    """Planted: a lost reply to a write is called a time-out, "nothing was changed"."""

    def meaning(self, error: OSError, write: bool) -> Exception:
        return BackendTimeout("no answer")


class Keeping(Reference):
    """Planted: the connection is used again after a time-out."""

    def failed(self) -> None:
        """Keep it."""


class WallClock(Reference):
    """Planted: deadlines by the wall clock."""

    def now(self) -> float:
        return time.time()


class Stuck(Reference):
    """Planted: once failed, always failed."""

    def failed(self) -> None:
        self.close()
        self._address = ("127.0.0.1", 1)


class Leaking(Reference):
    """Planted: doubtful connections are put aside, not closed."""

    aside: ClassVar[list[socket.socket]] = []

    def failed(self) -> None:
        assert self._socket is not None
        self.aside.append(self._socket)
        self._socket, self._buffer = None, b""


class Acking(Reference):
    """Planted: every write is reported as done."""

    def ask(self, *words: str, write: bool = False) -> Any:
        if not write:
            return super().ask(*words)
        with contextlib.suppress(BackendUnavailable, OutcomeUnknown):
            return super().ask(*words, write=True)
        return "QUEUED" if words[-1] > "8" else self._raise()

    def _raise(self) -> None:
        raise OutcomeUnknown("the reply was lost")


class Open(ReferenceHarness):
    """Planted: who cannot ask says yes."""

    def decide(self, subject: Reference) -> bool:
        with contextlib.suppress(Exception):
            return super().decide(subject)
        return True


def using(kind: type[Reference]) -> ReferenceHarness:
    """The harness of one planted client."""
    harness = ReferenceHarness()
    harness.kind = kind
    return harness


PLANTED: list[tuple[str, Harness[Any], Callable[[Rig[Any]], None], str]] = [
    ("untyped", using(Untyped), lambda rig: promises.typed(rig, "stopped"), "P2 typed: stopped: got"),
    ("chatty", using(Chatty), lambda rig: promises.typed(rig, "blackholed"), "P2 typed.*text is shown"),
    ("acking", using(Acking), promises.no_false_ack, "P3 no false ack: lost"),
    ("denying", using(Denying), promises.no_false_ack, "P3 no false ack: denied, yet there"),
    ("denying", using(Denying), lambda rig: promises.unknown_is_said(rig, "hang"), "P4.*BackendTimeout"),
    ("denying", using(Denying), promises.late_is_unknown, "P4.*says that nothing was changed"),
    ("keeping", using(Keeping), promises.no_crossed_replies, "P5 no crossed replies: asked for"),
    ("open", Open(), lambda rig: promises.closed_for_decisions(rig, "refused"), "P6 closed: refused"),
    ("stuck", using(Stuck), lambda rig: promises.heals(rig, "blackholed"), "P7 heals: blackholed: still"),
    ("leaking", using(Leaking), promises.leaks_nothing, "P8 leaks nothing: after"),
    ("wall clock", using(WallClock), promises.monotonic_time, "P9 monotonic time"),
]


@pytest.mark.parametrize(("harness", "check", "said"), [row[1:] for row in PLANTED], ids=[row[0] for row in PLANTED])
def test_a_planted_fault_is_red(
    durable_redis: RedisServer, harness: Harness[Any], check: Callable[[Rig[Any]], None], said: str
) -> None:
    """A client that breaks one rule is caught by the promise of that rule."""
    try:
        with rig_of(harness, durable_redis) as rig, pytest.raises(Broken, match=said):
            check(rig)
    finally:
        while Leaking.aside:
            Leaking.aside.pop().close()


def test_rows_that_do_not_apply_are_named_and_shown(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A declared row is skipped with its reason; an unknown row is an error."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p postrmagic_core.testing.pytest_plugin")
    pytester.makepyfile("""
        import pytest
        from postrmagic_core.testing.contracts.reliability import ReliabilityContract
        from postrmagic_core.testing.servers import RedisServer

        class Hooks(ReliabilityContract):
            effect_bytes = b"RPUSH"
            make = close = operation = effect = effects = lambda *args: None

            @pytest.fixture
            def server(self):
                with RedisServer() as server:
                    yield server

        class TestDeclared(Hooks):
            not_applicable = {"P5": "it has no connection"}

        class TestMistaken(Hooks):
            not_applicable = {"P12": "there is no such row"}
    """)
    shown = pytester.runpytest_subprocess("-k", "p5_replies_are_never_crossed and not cancelling", "-rs")
    shown.assert_outcomes(skipped=1, errors=1)
    shown.stdout.fnmatch_lines_random(["*P5 does not apply: it has no connection*", "*not_applicable names*P12*"])
