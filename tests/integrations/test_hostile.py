"""Whatever a client sends, no framework inside the pipeline answers with a 500."""

from __future__ import annotations

import asyncio
import gc
import importlib
import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core import Stack
from postrmagic_core.testing.capture import embedded_settings
from tests.examples import examples, trying

# Not Content-Length: servers refuse one that is no number (RFC 9112, section 6.3), and Django relies on it.
HEADERS = st.sampled_from(
    ["cookie", "content-type", "x-request-id", "origin", "host", "sec-fetch-site", "x_a", "accept"]
)
octets = st.binary(max_size=40).map(lambda raw: bytes(byte for byte in raw if byte not in b"\r\n\0"))
requests = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS"]),
        "path": st.one_of(st.just(b"/"), st.just(b"/posters"), octets.map(lambda raw: b"/" + raw)),
        "query": octets,
        "headers": st.lists(st.tuples(HEADERS, octets), max_size=5),
        "body": st.binary(max_size=60),
    }
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A Stack for all examples."""
    with Stack(embedded_settings(tmp_path_factory.mktemp("hostile")), configure_logging=False) as opened:
        yield opened


@pytest.fixture(scope="module", params=["flask_app", "django_app"])
def wsgi(request: pytest.FixtureRequest, stack: Stack) -> Any:
    """An application under WSGI."""
    return _application(request, stack, "application")


@pytest.fixture(scope="module", params=["starlette_app", "fastapi_app", "django_app"])
def asgi(request: pytest.FixtureRequest, stack: Stack) -> Any:
    """An application under ASGI."""
    return _application(request, stack, "asgi")


def _application(request: pytest.FixtureRequest, stack: Stack, attribute: str) -> Any:
    if request.param == "django_app":
        module = request.getfixturevalue("django_example")
        module.stack.open()
        return getattr(module, attribute)
    return importlib.import_module(f"integrations.{request.param}").make_app(stack)


def by_wsgi(app: Any, method: str, path: bytes, query: bytes, headers: Any, body: bytes) -> int:
    """The status of one request, as a WSGI server passes it on."""
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path.decode("latin-1")}
    environ |= {"QUERY_STRING": query.decode("latin-1"), "SERVER_NAME": "testserver", "SERVER_PORT": "443"}
    environ |= {"SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "https"}
    environ |= {"wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(), "HTTP_HOST": "testserver"}
    environ |= {"wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False}
    for name, value in headers:
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value.decode("latin-1")
    said: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        said.append(status)
        return lambda _: None

    chunks = app(environ, start_response)
    try:
        b"".join(chunks)
    finally:
        chunks.close()
    return int(said[-1][:3])


async def by_asgi(app: Any, method: str, path: bytes, query: bytes, headers: Any, body: bytes) -> int:
    """The status of one request, as an ASGI server passes it on."""
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
    }
    scope |= {"path": path.decode("utf-8", "replace"), "raw_path": path, "query_string": query, "root_path": ""}
    scope |= {"server": ("testserver", 443), "client": ("192.0.2.1", 1)}
    given_headers = [(name.encode(), value) for name, value in headers]
    scope["headers"] = given_headers + ([] if dict(headers).get("host") else [(b"host", b"testserver")])
    given_messages = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Any] = []
    over = asyncio.Event()

    async def receive() -> Any:
        if given_messages:
            return given_messages.pop()
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            over.set()

    await asyncio.wait_for(app(scope, receive, send), 30)
    return int(sent[0]["status"])


@examples(30, 2_000)
def test_under_wsgi(wsgi: Any, examples: int) -> None:
    """Paths, queries, headers, cookies and bodies of any bytes."""

    @trying(examples)
    @given(request=requests)
    def holds(request: dict[str, Any]) -> None:
        assert by_wsgi(wsgi, **request) < 500

    holds()


@examples(30, 2_000)
def test_under_asgi(asgi: Any, examples: int) -> None:
    """The same under ASGI."""

    @trying(examples)
    @given(request=requests)
    def holds(request: dict[str, Any]) -> None:
        assert asyncio.run(by_asgi(asgi, **request)) < 500

    holds()


def test_a_refused_body_leaves_no_file_open(django_example: Any) -> None:
    """Given a body that a layer refuses while Django stores it, Django closes its temporary file."""
    django_example.stack.open()

    async def main() -> Any:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"x" * 300_000, "more_body": True}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/posters",
            "query_string": b"",
            "scheme": "https",
        }
        await django_example.asgi({**scope, "headers": [(b"host", b"testserver")]}, receive, send)
        return sent[0]["status"]

    assert asyncio.run(main()) == 413
    gc.collect()  # an unclosed file is a ResourceWarning, which is an error here
