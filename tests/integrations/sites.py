"""The example applications behind their frameworks' own test clients, all asked in the same way."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from wsgiref.validate import validator

import httpx
from starlette.testclient import TestClient

from postrmagic_core import Stack

HOST = "testserver"


@dataclass(frozen=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Site(Protocol):
    """A client with a cookie jar on an HTTPS site."""

    def __call__(
        self, method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply: ...


def _reply(status: int, headers: Any, body: bytes) -> Reply:
    return Reply(status, {name.lower(): value for name, value in headers.items()}, body)


def _with_cookies(response: Any) -> dict[str, str]:
    """The headers of Django's response; its client keeps the cookies apart."""
    cookies = ", ".join(cookie.output(header="").strip() for cookie in response.cookies.values())
    return {**response.headers, **({"set-cookie": cookies} if cookies else {})}


@contextmanager
def _of_starlette(stack: Stack, name: str) -> Iterator[Site]:
    app = importlib.import_module(f"integrations.{name}").make_app(stack)
    with TestClient(app, base_url=f"https://{HOST}", raise_server_exceptions=False) as client:

        def ask(method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
            response = client.request(method, path, content=body, headers=headers)
            return _reply(response.status_code, response.headers, response.content)

        yield ask


@contextmanager
def _of_flask(stack: Stack, name: str) -> Iterator[Site]:
    client = importlib.import_module(f"integrations.{name}").make_app(stack).test_client()

    def ask(method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        with client.open(path, method=method, data=body, headers=headers, base_url=f"https://{HOST}") as response:
            return _reply(response.status_code, response.headers, response.get_data())

    with stack:
        yield ask


@contextmanager
def _of_django(stack: Stack, name: str) -> Iterator[Site]:
    from django.test import Client

    importlib.import_module(f"integrations.{name}")
    client: Any = Client(raise_request_exception=False)

    def ask(method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        given = {"content_type": "application/json", "headers": headers, "secure": True}
        response = client.generic(method, path, body, **given)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        response.close()
        return _reply(response.status_code, _with_cookies(response), content)

    yield ask


@contextmanager
def _of_async_django(stack: Stack, name: str) -> Iterator[Site]:
    from django.test import AsyncClient

    importlib.import_module(f"integrations.{name}")
    client: Any = AsyncClient(raise_request_exception=False)
    with asyncio.Runner() as runner:

        async def asked(method: str, path: str, body: bytes, headers: Mapping[str, str] | None) -> Reply:
            given = {"content_type": "application/json", "headers": headers, "secure": True}
            response = await client.generic(method, path, body, **given)
            content = b"".join([chunk async for chunk in response]) if response.streaming else response.content
            return _reply(response.status_code, _with_cookies(response), content)

        def ask(method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
            return runner.run(asked(method, path, body, headers))

        yield ask


@contextmanager
def _of_asgi(app: Any) -> Iterator[Site]:
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"https://{HOST}")

        def ask(method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
            response = runner.run(client.request(method, path, content=body, headers=headers))
            return _reply(response.status_code, response.headers, response.content)

        yield ask
        runner.run(client.aclose())


@contextmanager
def _of_wsgi(app: Any) -> Iterator[Site]:
    def asking(environ: dict[str, Any], start_response: Any) -> Any:
        # RFC 3875 leaves it out where there is none, as Python's validator demands and httpx does not know.
        environ.update({name: environ.get(name, "") for name in ("QUERY_STRING", "SCRIPT_NAME")})
        return validator(app)(environ, start_response)

    with httpx.Client(transport=httpx.WSGITransport(asking), base_url=f"https://{HOST}") as client:

        def ask(method: str, path: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
            response = client.request(method, path, content=body, headers=headers)
            return _reply(response.status_code, response.headers, response.content)

        yield ask


@contextmanager
def _of_bare_asgi(stack: Stack, name: str) -> Iterator[Site]:
    with stack, _of_asgi(importlib.import_module(f"integrations.{name}").make_app(stack)) as ask:
        yield ask


@contextmanager
def _of_bare_wsgi(stack: Stack, name: str) -> Iterator[Site]:
    with stack, _of_wsgi(importlib.import_module(f"integrations.{name}").make_app(stack)) as ask:
        yield ask


@contextmanager
def _of_django_wsgi(stack: Stack, name: str) -> Iterator[Site]:
    with _of_wsgi(importlib.import_module(f"integrations.{name}").application) as ask:
        yield ask


@contextmanager
def _of_django_asgi(stack: Stack, name: str) -> Iterator[Site]:
    module = importlib.import_module(f"integrations.{name}")
    module.stack.open()  # httpx sends no lifespan
    with _of_asgi(module.asgi) as ask:
        yield ask


Opener = Callable[[Stack, str], Any]
SITES: dict[str, tuple[str, Opener]] = {
    "starlette": ("starlette_app", _of_starlette),
    "fastapi": ("fastapi_app", _of_starlette),
    "flask": ("flask_app", _of_flask),
    "django": ("django_app", _of_django),
    "async django": ("django_app", _of_async_django),
    "django under wsgi": ("django_app", _of_django_wsgi),
    "django under asgi": ("django_app", _of_django_asgi),
    "asgi": ("bare_asgi", _of_bare_asgi),
    "wsgi": ("bare_wsgi", _of_bare_wsgi),
}


def open_site(kind: str, stack: Stack, closing: ExitStack) -> Site:
    """The site of this kind, on ``stack`` (Django's has its own), until ``closing`` closes."""
    name, opener = SITES[kind]
    site: Site = closing.enter_context(opener(stack, name))
    return site
