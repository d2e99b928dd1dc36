"""The generated module, a server that speaks its specification, and a caller by each face."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from postrmagic_core.api.client import client_source
from tests.api.client.library_server import TOKEN, Library

SPEC: dict[str, Any] = json.loads((Path(__file__).parent / "library.json").read_text(encoding="utf-8"))


def module_of(source: str, name: str) -> ModuleType:
    """``source`` as a module that was imported."""
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)  # noqa: S102 - what was generated here is run
    return module


@pytest.fixture(scope="session")
def client_module() -> Iterator[Any]:
    """The client of library.json, imported."""
    yield module_of(client_source(SPEC), "generated_library_client")
    del sys.modules["generated_library_client"]


@pytest.fixture
def library() -> Library:
    """A library of seven media."""
    return Library()


class Current:
    """The application of the test that runs: one server serves them all."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what came."""
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[Current, str]]:
    """A server over a socket, and its address."""
    current = Current()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(current, lifespan="off", log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield current, f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture
def library_url(library: Library, served: tuple[Current, str]) -> str:
    """The address of the library, served by uvicorn over a socket."""
    current, url = served
    current.app = library.application()
    return url


@dataclass
class Caller:
    """Calls an operation by one face: the sync one over a socket, the async one in this process."""

    module: Any
    library: Library
    url: str | None

    def __call__(self, call: Callable[[Any], Any], **options: Any) -> Any:
        """What ``call(client)`` gives; of an iterator, the list."""
        options = {"token": TOKEN} | options
        if self.url is not None:
            with self.module.Client(self.url, **options) as client:
                found = call(client)
                return list(found) if hasattr(found, "__next__") else found
        return asyncio.run(self._awaited(call, options))

    async def _awaited(self, call: Callable[[Any], Any], options: dict[str, Any]) -> Any:
        transport = httpx.ASGITransport(self.library.application())
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://library.test") as http,
            self.module.AsyncClient(http=http, **options) as client,
        ):
            found = call(client)
            return [one async for one in found] if hasattr(found, "__anext__") else await found


@pytest.fixture(params=["sync", "async"])
def caller(request: pytest.FixtureRequest, client_module: Any, library: Library) -> Caller:
    """A caller by each face."""
    url = request.getfixturevalue("library_url") if request.param == "sync" else None
    return Caller(client_module, library, url)
