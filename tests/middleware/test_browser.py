"""The middleware against a real Chromium: pages of other origins try, the site's own pages work.

Two servers on 127.0.0.1: the site, and a server of pages somebody else wrote. Reached as 127.0.0.1 the other is another
origin of the same site, with whose requests browsers send cookies; reached as localhost it is another site.
"""

from __future__ import annotations

import base64
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as BrowserError

from postrmagic_core.middleware import Layer, Pipeline, Request
from postrmagic_core.middleware.cors import cors
from postrmagic_core.middleware.csp import NONCE
from postrmagic_core.middleware.csp_reports import csp_reports
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.security_headers import security_headers
from postrmagic_core.middleware.sessions import sessions
from postrmagic_core.sessions import KeyRing, SessionStore
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.certificates import Authority
from tests.chromium import launched

pytestmark = pytest.mark.browser

PATIENCE = 30.0
KEYS = KeyRing(["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"])
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAP///wAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==")
POLICY = {
    "default-src": "'self'",
    "script-src": [NONCE],
    "img-src": "'self'",
    "base-uri": "'none'",
    "object-src": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


class Site:
    """An application that anybody may write to, unless a middleware refuses: ``writes`` is what got through."""

    def __init__(self) -> None:
        self.writes: list[tuple[str, bool]] = []
        """What was written, and whether the visitor's cookie came with it."""
        self.nonces: list[str] = []
        self._answers: Queue[int] = Queue()

    def watch(self, request: Request) -> Layer:
        """The outermost middleware: what became of a request to write. The browser does not tell of all it sends."""
        head = yield
        if request.path == "/write":
            self._answers.put(head.status)

    def answered(self) -> int:
        """The status of the next request to write."""
        return self._answers.get(timeout=PATIENCE)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        message = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
        status, kind, body = await self._answer(scope)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Any) -> tuple[int, bytes, bytes]:
        path, state = scope["path"], scope["state"]
        if path == "/write" and scope["method"] in {"POST", "PUT"}:
            cookie = any(name == b"cookie" and b"session=" in value for name, value in scope["headers"])
            self.writes.append((scope["query_string"].decode(), cookie))
            return 200, b"text/html", b"written"
        if path == "/write":
            return 405, b"text/plain", b"POST"
        if path == "/login":
            (await state["session"]).login("alice")
        if path == "/token":
            return 200, b"text/plain", (await state["csrf_token"]).encode()
        if path == "/pixel.gif":
            return 200, b"image/gif", PIXEL
        if path == "/broken":
            raise RuntimeError("as it happens")
        if path == "/scripts":
            return 200, b"text/html", self._scripts(state["csp_nonce"]())
        return 200, b"text/html", b"<!doctype html><title>site</title>site"

    def _scripts(self, nonce: str) -> bytes:
        """A page with four scripts: with its nonce, without one, with that of the page before, and in an attribute."""
        stale = self.nonces[-1] if self.nonces else "stale"
        self.nonces.append(nonce)
        return f"""<!doctype html><title>site</title><script nonce="{nonce}">window.ran = ["fresh"]</script>
            <script>window.ran.push("none")</script>
            <script nonce="{stale}">window.ran.push("stale")</script>
            <img src="/none" onerror="window.ran.push('attribute')">
            <script nonce="{nonce}">window.ran.push("last")</script>""".encode()


async def foreign(scope: Any, receive: Any, send: Any) -> None:
    """Any page of the other server: blank, for a test to fill."""
    headers = [(b"content-type", b"text/html")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<!doctype html><title>other</title>"})


@contextmanager
def serving(app: Any, *, drained: bool = False, **options: Any) -> Iterator[int]:
    """The port of 127.0.0.1 at which uvicorn serves ``app``; ``drained``: its clients leave before it stops."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=5, **options)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            deadline = time.monotonic() + PATIENCE
            while drained and server.server_state.connections and time.monotonic() < deadline:
                thread.join(0.02)
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all."""
    with launched(reporting=True) as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A window of a browser without a past."""
    with ExitStack() as opened:
        page = opened.enter_context(chromium.new_context(ignore_https_errors=True)).new_page()
        page.set_default_timeout(PATIENCE * 1000)
        yield page


@pytest.fixture(scope="module")
def other() -> Iterator[int]:
    """The port of the pages that somebody else wrote."""
    with serving(foreign) as port:
        yield port


@pytest.fixture
def site() -> Site:
    """The application behind the middleware."""
    return Site()


@contextmanager
def guarded(site: Site, *extra: Any, guard: Any = None) -> Iterator[str]:
    """The site's origin, with the whole pipeline. ``guard`` takes the place of ``csrf``."""
    with SessionStore(MemoryStore(), KEYS) as store:
        guard = guard or csrf(keys=KEYS, cookie_secure=False)
        inner = [errors(), csp_reports(), sessions(store, cookie_secure=False), guard]
        with serving(Pipeline([site.watch, security_headers(POLICY), *extra, *inner]).asgi(site)) as port:
            yield f"http://127.0.0.1:{port}"


def unguarded(_: Any) -> Any:
    """A middleware that refuses nothing."""
    yield


FORM = """([url, type]) => {
    const form = document.createElement("form");
    Object.assign(form, { action: url, method: "POST", enctype: type });
    form.innerHTML = '<input name="a" value="1">';
    document.body.append(form);
    form.submit();
}"""
FETCH = """([url, type]) => fetch(url, {
    method: "POST", mode: "no-cors", credentials: "include", headers: { "content-type": type }, body: "a=1",
}).then(() => undefined, () => undefined)"""
BEACON = "([url]) => { navigator.sendBeacon(url, 'a=1') }"
FRAME = """([url]) => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-forms allow-scripts";
    frame.srcdoc = `<form action="${url}" method="POST"></form><script>document.forms[0].submit()</script>`;
    document.body.append(frame);
}"""
SCRIPTED = {"form": FORM, "fetch": FETCH, "beacon": BEACON, "sandboxed frame": FRAME}
ATTACKS = [
    ("form", "application/x-www-form-urlencoded"),
    ("form", "multipart/form-data"),
    ("form", "text/plain"),
    ("fetch", "application/x-www-form-urlencoded"),
    ("fetch", "text/plain"),
    ("beacon", "text/plain"),
    ("sandboxed frame", "application/x-www-form-urlencoded"),
]
OWN = ATTACKS[:5]


class TestForgery:
    """What another origin's page makes the browser send changes nothing."""

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    @pytest.mark.parametrize(("guard", "status"), [(None, 403), (unguarded, 200)], ids=["with csrf", "without"])
    def test_a_foreign_page_cannot_write(
        self, host: str, guard: Any, status: int, page: Page, site: Site, other: int
    ) -> None:
        """Given a visitor who is logged in, each way a page has to send a POST is refused; without csrf each works."""
        with guarded(site, guard=guard) as origin:
            page.goto(f"{origin}/login")
            for way, kind in ATTACKS:
                tab = page.context.new_page()
                tab.goto(f"http://{host}:{other}/")
                tab.evaluate(SCRIPTED[way], [f"{origin}/write?{urlencode({'way': way})}", kind])
                assert site.answered() == status, (way, kind)
        # A browser sends the cookie (SameSite=Lax) where only the port differs: SameSite alone does not help there.
        written = [(urlencode({"way": way}), host == "127.0.0.1" and "sandboxed" not in way) for way, _ in ATTACKS]
        assert site.writes == ([] if status == 403 else written)

    def test_the_sites_own_page_can(self, page: Page, site: Site) -> None:
        """Given a page of the site, forms and scripts work without a token: the browser says same-origin."""
        with guarded(site) as origin:
            for way, kind in OWN:
                tab = page.context.new_page()
                tab.goto(f"{origin}/login")
                tab.evaluate(SCRIPTED[way], [f"{origin}/write?own", kind])
                assert site.answered() == 200, (way, kind)
        assert site.writes == [("own", True)] * len(OWN)

    def test_a_browser_that_tells_nothing_needs_the_token(self, page: Page, site: Site) -> None:
        """Given the session's cookie without Sec-Fetch-Site and Origin, the token that the page was given decides."""
        with guarded(site) as origin:
            page.goto(f"{origin}/login")
            token = page.evaluate("fetch('/token').then((response) => response.text())")
            (cookie,) = [each.get("value", "") for each in page.context.cookies() if each.get("name") == "session"]
            with httpx.Client(base_url=origin, cookies={"session": cookie}) as client:
                statuses = [
                    client.post("/write?none").status_code,
                    client.post("/write?query", params={"csrf_token": token}).status_code,
                    client.post("/write?wrong", headers={"x-csrf-token": token[::-1]}).status_code,
                    client.post("/write?header", headers={"x-csrf-token": token}).status_code,
                    client.post("/write?field", data={"csrf_token": token, "a": "1"}).status_code,
                    client.post("/write?file", data={"csrf_token": token}, files={"f": b"x" * 9}).status_code,
                ]
            with httpx.Client(base_url=origin) as client:
                stranger = client.get("/token").text
                client.cookies.set("session", cookie)
                statuses.append(client.post("/write?stranger", headers={"x-csrf-token": stranger}).status_code)
        assert statuses == [403, 403, 403, 200, 200, 200, 403]
        assert site.writes == [("header", True), ("field", True), ("file", True)]

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    def test_a_foreign_page_cannot_show_an_image(self, host: str, page: Page, site: Site, other: int) -> None:
        """Cross-Origin-Resource-Policy: no page of another origin embeds what is here; nor does a GET write."""
        load = """(url) => new Promise((resolve) => {
            const image = new Image();
            image.onload = () => resolve("shown");
            image.onerror = () => resolve("refused");
            image.src = url;
        })"""
        with guarded(site) as origin:
            page.goto(origin)
            assert page.evaluate(load, "/pixel.gif") == "shown"
            page.goto(f"http://{host}:{other}/")
            assert page.evaluate(load, f"{origin}/pixel.gif") == "refused"
            assert page.evaluate(load, f"{origin}/write?image") == "refused"
        assert site.writes == []

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    def test_a_foreign_page_cannot_frame_the_site(self, host: str, page: Page, site: Site, other: int) -> None:
        """Given frame-ancestors 'none' the frame stays empty; a site that does not say it can be framed."""
        bare = security_headers("frame-ancestors *")
        for layer, framed in ((security_headers(POLICY), False), (security_headers(None), False), (bare, True)):
            with serving(Pipeline([layer]).asgi(site)) as port:
                page.goto(f"http://{host}:{other}/")
                frame = f"""new Promise((resolve) => {{
                    const frame = document.createElement("iframe");
                    frame.onload = resolve;
                    frame.src = "http://127.0.0.1:{port}/";
                    document.body.append(frame);
                }}).then(() => undefined)"""
                page.evaluate(frame)
                assert ("site" in page.frames[1].content()) == framed


class Reports(logging.Handler):
    """What ``csp_reports`` logs, to be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: Queue[dict[str, Any]] = Queue()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the fields."""
        self._queue.put({"event": record.msg, **vars(record)["postrmagic_fields"]})

    def until(self, wanted: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """The reports so far, once they are as wanted."""
        seen: list[dict[str, Any]] = []
        while not wanted(seen):
            try:
                seen.append(self._queue.get(timeout=PATIENCE))
            except Empty:
                raise AssertionError(f"no more reports than {seen}") from None
        return seen


@pytest.fixture
def reports() -> Iterator[Reports]:
    """See :class:`Reports`."""
    handler, logger = Reports(), logging.getLogger("postrmagic_core.middleware.csp_reports")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


class TestPolicy:
    """Only scripts that the page itself wrote run."""

    @pytest.mark.parametrize("way", ["report-uri", "Reporting API"])
    def test_a_script_needs_the_fresh_nonce(
        self, way: str, page: Page, site: Site, reports: Reports, tmp_path: Path
    ) -> None:
        """Without a nonce, with one of an earlier response, in an attribute: not run, and reported into the log."""
        with ExitStack() as opened:
            policy: dict[str, Any] = {**POLICY}
            options: dict[str, Any] = {}
            if way == "report-uri":
                layer, scheme = security_headers({**policy, "report-uri": "/csp-reports"}), "http"
            else:  # browsers know endpoints of https alone
                layer, scheme = security_headers(policy, reports="/csp-reports"), "https"
                issued = Authority(tmp_path).issue("127.0.0.1")
                options = {"ssl_certfile": issued.certificate, "ssl_keyfile": issued.key, "drained": True}
            app = Pipeline([layer, errors(), csp_reports(), csrf()]).asgi(site)
            origin = f"{scheme}://127.0.0.1:{opened.enter_context(serving(app, **options))}"
            opened.callback(page.context.close)
            for _ in range(2):
                page.goto(f"{origin}/scripts?secret=c4n4ry")
                assert page.evaluate("window.ran") == ["fresh", "last"]
            assert len(set(site.nonces)) == 2
            directives = {"script-src-elem", "script-src-attr"}
            logged = reports.until(lambda seen: {report.get("directive") for report in seen} >= directives)
        assert {report["event"] for report in logged} == {"csp violation"}
        assert {report["document"] for report in logged} == {f"{origin}/scripts"}
        assert {report["blocked"] for report in logged} == {"inline"}
        assert {report["disposition"] for report in logged} == {"enforce"}
        assert "c4n4ry" not in str(logged)

    def test_a_policy_on_trial_is_reported_and_not_enforced(self, page: Page, site: Site, reports: Reports) -> None:
        """Given Report-Only, everything runs and the log tells what would not have."""
        trial = {**POLICY, "report-uri": "/csp-reports"}
        app = Pipeline([security_headers(None, report_only=trial), csp_reports()]).asgi(site)
        with serving(app) as port:
            page.goto(f"http://127.0.0.1:{port}/scripts")
            page.wait_for_function("window.ran.includes('attribute')")
            assert page.evaluate("window.ran.toSorted()") == ["attribute", "fresh", "last", "none", "stale"]
            (logged, *_) = reports.until(bool)
        assert logged["disposition"] == "report"

    def test_the_browser_understands_every_header(self, page: Page, site: Site) -> None:
        """The console complains of no header: no unknown directive, feature or value."""
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        with guarded(site) as origin:
            page.goto(origin)
        assert [text for text in complaints if "favicon" not in text and "404" not in text] == []
        assert page.evaluate("window.crossOriginIsolated") is False


ASK = """([url, method]) => fetch(url, {
    method, credentials: "include", headers: { "content-type": "application/json" }, body: "{}",
}).then(async (response) => [response.status, await response.text()], (error) => [0, error.name])"""


class TestCors:
    """A page of an allowed origin reads what it asked for; another page does not."""

    def test_an_allowed_origin_reads_also_failures(self, page: Page, site: Site, other: int) -> None:
        """Given a preflighted request with cookies, its 200 and its 500 are read, by the allowed origin alone."""
        friend, stranger = f"http://127.0.0.1:{other}", f"http://localhost:{other}"
        layer = cors([friend], methods=["GET", "POST", "PUT"], headers=["content-type"], credentials=True)
        with guarded(site, layer, guard=csrf([friend], keys=KEYS, cookie_secure=False)) as origin:
            page.goto(f"{origin}/login")
            page.goto(friend)
            assert page.evaluate(ASK, [f"{origin}/write?friend", "PUT"]) == [200, "written"]
            status, text = page.evaluate(ASK, [f"{origin}/broken", "POST"])
            assert (status, '"internal"' in text) == (500, True)
            page.goto(stranger)
            for path in ("/write?stranger", "/broken"):
                assert page.evaluate(ASK, [f"{origin}{path}", "PUT"]) == [0, "TypeError"]
            simple = "(url) => fetch(url, { credentials: 'include' }).then((found) => found.text())"
            with pytest.raises(BrowserError, match="Failed to fetch"):
                page.evaluate(simple, f"{origin}/token")
        assert site.writes == [("friend", True)]
