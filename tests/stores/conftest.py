"""A store of each kind, on a backend of the test's own."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from postrmagic_core.stores import Store, open_store
from postrmagic_core.stores.adapters.redis import RedisStore
from tests.backends import KINDS, MYSQL, TIMEOUT, VALKEY
from tests.disks import room  # noqa: F401 - pytest looks for fixtures here
from tests.redis_kinds import (  # noqa: F401 - pytest looks for fixtures and hooks here
    own_redis_server,
    pytest_generate_tests,
    redis_kind,
    redis_url,
    replicated,
    valkey_server,
    valkey_url,
)

Opener = Callable[[], Store]

SHARED = [*KINDS[1:], MYSQL, VALKEY]


@pytest.fixture(params=[*KINDS, MYSQL, VALKEY])
def store(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[Store]:
    """A store of every kind."""
    store = open_store(url_of(request.param), timeout=TIMEOUT)
    yield store
    store.close()


@pytest.fixture(params=SHARED)
def shared_url(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> str:
    """The URL of every kind of store that processes can share."""
    return url_of(request.param)


class Caller:
    """One face of a Redis store: ``caller("get", [b"key"])``; the async one keeps its event loop, and connections."""

    def __init__(self, store: RedisStore, runner: asyncio.Runner | None) -> None:
        self.store = store
        self._runner = runner

    def __call__(self, operation: str, *args: Any) -> Any:
        """Call the operation and wait for it."""
        if self._runner is None:
            return getattr(self.store, operation)(*args)
        return self._runner.run(getattr(self.store.native, operation)(*args))


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest) -> Iterator[Callable[..., Caller]]:
    """A factory: ``caller(url, timeout=0.5)`` opens a Redis store and gives one of its faces, each in turn."""
    with ExitStack() as opened:

        def open_caller(url: str, timeout: float = TIMEOUT, **options: Any) -> Caller:
            store = RedisStore.from_url(url, timeout=timeout, **options)
            opened.callback(store.close)
            return Caller(store, opened.enter_context(asyncio.Runner()) if request.param == "async" else None)

        yield open_caller


class _Talk(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while request := self.request.recv(65536):
            answer = self.server.answer(request)  # type: ignore[attr-defined]  # set by the fixture
            self.request.sendall(answer.removesuffix(b"\0"))
            if answer.endswith(b"\0"):
                return


@pytest.fixture
def impostor() -> Iterator[Callable[[Callable[[bytes], bytes]], int]]:
    """A factory: ``impostor(answer)`` answers each request on the port it returns; a NUL at the end hangs up."""
    with ExitStack() as servers:

        def start(answer: Callable[[bytes], bytes]) -> int:
            server = servers.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Talk))
            server.daemon_threads = True
            server.answer = answer  # type: ignore[attr-defined]  # for the handler
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            servers.callback(server.shutdown)
            return int(server.server_address[1])

        yield start
