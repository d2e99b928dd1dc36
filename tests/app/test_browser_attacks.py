"""Pages of other origins against the running library, in a real Chromium, and what got into its own page.

The site and the other server speak TLS on 127.0.0.1, as in production: browsers send reports nowhere else. Reached as
127.0.0.1 the other server is another origin of the same site, with whose requests browsers send the session's cookie;
reached as localhost it is another site.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from media_library.posters import POSTERS, draw
from tests.app.chromium import card, told
from tests.app.house import small
from tests.app.served import PATIENCE, Served, serving
from tests.chromium import PATIENCE_MS, launched

pytestmark = pytest.mark.browser

MARKUP = """<img src=x onerror="window.ran='title'"><script>window.ran='title'</script>"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, furnished: Path) -> Iterator[Served]:
    """The running site."""
    with serving("uvicorn-h11", tmp_path_factory.mktemp("library"), furnished, tls=True) as served:
        yield served


@pytest.fixture(scope="module")
def cookie(library: Served) -> str:
    """The demo user's session."""
    return library.logged_in()


@pytest.fixture(scope="module")
def owner(library: Served, cookie: str) -> Iterator[httpx.Client]:
    """The demo user without a browser: one poster is uploaded."""
    with library.client(headers={"Cookie": cookie}) as client:
        poster = POSTERS[0]
        assert client.post("/api/v1/media", files={"file": (poster.filename, draw(poster))}).status_code == 201
        yield client


class Foreign(BaseHTTPRequestHandler):
    """Any page of the other server: blank, for a test to fill."""

    def do_GET(self) -> None:
        """Answer with a page, or with a script that says it ran."""
        script = self.path.endswith(".js")
        body = b"window.ran = 'foreign'" if script else b"<!doctype html><title>other</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if script else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    """Browsers leave connections as they like."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def other(library: Served) -> Iterator[int]:
    """The port of the pages that somebody else wrote."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(library.directory / "127.0.0.1.crt", library.directory / "127.0.0.1.key")
    with Quiet(("127.0.0.1", 0), Foreign) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One that reports what a policy stops."""
    with launched(reporting=True) as browser:
        yield browser


@pytest.fixture
def visitor(chromium: Browser, library: Served, owner: httpx.Client, cookie: str) -> Iterator[BrowserContext]:
    """A browser in which the demo user is logged in."""
    name, _, value = cookie.partition("=")
    with chromium.new_context(ignore_https_errors=True) as context:
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies(
            [{"name": name, "value": value, "url": f"{library.origin}/", "secure": True, "sameSite": "Lax"}]
        )
        yield context


def logged_once(served: Served, event: str, enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """The log's records of ``event``, once there are enough: the browser does not tell when a request has arrived."""
    deadline = time.monotonic() + PATIENCE
    while not enough(found := served.logged(event)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


FORM = """([url, type, fields]) => {
    const form = document.createElement("form");
    Object.assign(form, { action: url, method: "POST", enctype: type, target: "_blank" });
    for (const [name, value] of fields) {
        const input = document.createElement("input");
        if (name === "file") {
            const files = new DataTransfer();
            files.items.add(new File([value], "planted.png", { type: "image/png" }));
            input.type = "file";
            input.files = files.files;
        } else {
            input.value = value;
        }
        input.name = name;
        form.append(input);
    }
    document.body.append(form);
    form.submit();
}"""
FETCH = """([url, method, mode, type, body]) => fetch(url, {
    method, mode, credentials: "include", headers: type ? { "content-type": type } : {}, body: body ?? undefined,
}).then(async (answer) => answer.type === "opaque" ? "opaque" : answer.text(), (error) => error.name)"""
UPLOAD = """([url, mode]) => {
    const form = new FormData();
    form.append("file", new File(["planted"], "planted.png", { type: "image/png" }));
    return fetch(url, { method: "POST", mode, credentials: "include", body: form })
        .then((answer) => answer.type, (error) => error.name);
}"""
BEACON = "([url]) => { navigator.sendBeacon(url, 'a=1') }"
GUEST = '{"name": "guest", "password": "posters-for-everyone"}'
JSON_FORM = [[GUEST[:-1] + ', "', '": ""}']]  # a text/plain form writes name=value: JSON but for an "="

# What is tried, how, and what of it arrives at the site and with which answer. A preflight is asked before what no form
# could send; without CORS it allows nothing, so that the request itself never leaves the browser.
ATTACKS: dict[str, tuple[str, str, list[Any], tuple[str, int]]] = {
    "upload-form": (FORM, "media", ["multipart/form-data", [["file", "planted"]]], ("POST", 403)),
    "upload-blind": (UPLOAD, "media", ["no-cors"], ("POST", 403)),
    "upload": (UPLOAD, "media", ["cors"], ("POST", 403)),
    "delete": (FETCH, "media/1", ["DELETE", "cors", "", None], ("OPTIONS", 405)),
    "rename": (FETCH, "media/1", ["PATCH", "cors", "application/json", '{"title": "mine"}'], ("OPTIONS", 405)),
    "login-form": (FORM, "login", ["text/plain", JSON_FORM], ("POST", 403)),
    "login-blind": (FETCH, "login", ["POST", "no-cors", "text/plain", GUEST], ("POST", 403)),
    "login": (FETCH, "login", ["POST", "cors", "application/json", GUEST], ("OPTIONS", 405)),
    "logout-form": (FORM, "logout", ["text/plain", []], ("POST", 403)),
    "logout-beacon": (BEACON, "logout", [], ("POST", 403)),
}


@pytest.mark.soak
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_foreign_page_changes_nothing(
    host: str, visitor: BrowserContext, library: Served, owner: httpx.Client, other: int
) -> None:
    """Given a visitor who is logged in, each way a page has to upload, delete, rename, log in or log out is refused."""
    before = owner.get("/api/v1/media").json()
    page = visitor.new_page()
    page.goto(f"https://{host}:{other}/")
    for name, (script, path, arguments, _) in ATTACKS.items():
        answer = page.evaluate(script, [f"{library.origin}/api/v1/{path}?attack={host}-{name}", *arguments])
        assert answer in {None, "opaque", "TypeError"}, (name, answer)

    wanted = {f"attack={host}-{name}": arrived for name, (*_, arrived) in ATTACKS.items()}
    records = logged_once(library, "request", lambda seen: wanted.keys() <= {record.get("query") for record in seen})
    arrived = {record["query"]: (record["method"], record["status"]) for record in records if "query" in record}
    assert {query: arrived[query] for query in wanted} == wanted
    assert owner.get("/api/v1/media").json() == before
    own = visitor.new_page()
    own.goto(library.origin)
    expect(own.get_by_role("button", name="Log out")).to_be_visible()
    expect(card(own, before["data"][0]["title"])).to_be_visible()


EMBED = """([tag, attribute, url]) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.onload = () => resolve("shown");
    element.onerror = () => resolve("refused");
    if (tag === "link") element.rel = "stylesheet";
    element[attribute] = url;
    document.body.append(element);
})"""


@pytest.mark.soak
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_foreign_page_reads_and_shows_nothing(
    host: str, visitor: BrowserContext, library: Served, owner: httpx.Client, other: int
) -> None:
    """Given a visitor who is logged in, no list, picture or page of the library gets into a page of another origin."""
    media = f"{library.origin}/api/v1/media"
    picture = library.origin + owner.get("/api/v1/media").json()["data"][0]["file"]
    own = visitor.new_page()
    own.goto(library.origin)
    assert own.evaluate(EMBED, ["img", "src", picture]) == "shown"

    page = visitor.new_page()
    page.goto(f"https://{host}:{other}/")
    assert page.evaluate(FETCH, [media, "GET", "cors", "", None]) == "TypeError"
    assert page.evaluate(FETCH, [media, "GET", "no-cors", "", None]) == "TypeError"
    assert page.evaluate(EMBED, ["img", "src", picture]) == "refused"
    assert page.evaluate(EMBED, ["script", "src", media]) == "refused"
    assert page.evaluate(EMBED, ["link", "href", f"{library.origin}/static/style.css"]) == "refused"

    # A refused frame loads too: the browser's own page, that says so.
    page.evaluate(EMBED, ["iframe", "src", library.origin])
    page.frames[1].wait_for_url("chrome-error://chromewebdata/")
    assert len(page.frames) == 2
    with page.expect_popup() as opened:
        page.evaluate("(url) => { window.opened = window.open(url) }", library.origin)
    expect(opened.value.get_by_role("button", name="Log out")).to_be_visible()
    assert page.evaluate("window.opened.closed") is True  # Cross-Origin-Opener-Policy: it has no hand on that window
    assert opened.value.evaluate("window.opener") is None


INJECTIONS = {
    "script-src-elem": "() => document.body.append(Object.assign(document.createElement('script'), {text: 'ran=1'}))",
    "script-src-attr": "() => { document.querySelector('main').insertAdjacentHTML('beforeend', "
    '\'<img src=/none onerror="ran=2"><a id=planted href="javascript:ran=3">go</a>\') }',
    "script-src": "() => { try { setTimeout('window.ran=4') } catch {} }",
    "img-src": "(other) => { new Image().src = other + '/steal.gif' }",
    "connect-src": "(other) => fetch(other + '/steal').then(() => { window.ran = 5 }, () => {})",
    "base-uri": "(other) => document.head.append(Object.assign(document.createElement('base'), {href: other}))",
    "object-src": "(other) => document.body.append(Object.assign(document.createElement('object'), {data: other}))",
    "style-src-attr": "() => document.body.insertAdjacentHTML('beforeend', '<p id=styled style=\"color: red\">p</p>')",
}


SUBMIT = """(other) => {
    const form = document.createElement("form");
    form.action = other;
    document.body.append(form);
    form.submit();
}"""


def test_what_is_injected_does_not_run_and_is_reported(
    visitor: BrowserContext, library: Served, owner: httpx.Client, other: int
) -> None:
    """Given markup as a title and elements planted into the page, none does anything; the log tells of each."""
    one = owner.get("/api/v1/media").json()["data"][0]
    path = f"/api/v1/media/{one['id']}"
    assert owner.patch(path, json={"title": MARKUP}).status_code == 200
    page = visitor.new_page()
    page.goto(f"{library.origin}/?secret=c4n4ry")
    expect(card(page, MARKUP)).to_be_visible()
    card(page, MARKUP).click()
    expect(page.locator("#detail-heading")).to_have_text(MARKUP)
    page.get_by_role("button", name="Close").click()

    stranger = f"https://localhost:{other}"
    for script in INJECTIONS.values():
        page.evaluate(script, stranger)
    assert page.evaluate(EMBED, ["script", "src", f"{stranger}/planted.js"]) == "refused"
    assert page.evaluate("getComputedStyle(document.getElementById('styled')).color") != "rgb(255, 0, 0)"
    assert page.evaluate("window.ran") is None
    page.evaluate(SUBMIT, stranger)  # the last: until it is refused it is a navigation

    wanted = {*INJECTIONS, "form-action"}
    reported = logged_once(
        library, "csp violation", lambda seen: wanted <= {record.get("directive") for record in seen}
    )
    # The inline script, and the other server's.
    elements = {record["blocked"] for record in reported if record["directive"] == "script-src-elem"}
    assert elements == {"inline", f"{stranger}/planted.js"}
    assert {record["document"] for record in reported} == {f"{library.origin}/"}
    assert {record["disposition"] for record in reported} == {"enforce"}
    assert "c4n4ry" not in str(reported)
    answers = [record["status"] for record in library.logged("request") if record["path"] == "/csp-reports"]
    assert set(answers) == {204}
    assert page.url == f"{library.origin}/?secret=c4n4ry"
    owner.patch(path, json={"title": one["title"]})


PROTOTYPE = """() => [Object, Array, String, Map].map((made) => Reflect.ownKeys(made.prototype).map(String).sort())"""


def test_names_of_a_prototype_reach_none(visitor: BrowserContext, library: Served, owner: httpx.Client) -> None:
    """As a title, as tags, in the address and in what is searched for: every object stays as the browser made it."""
    one = owner.get("/api/v1/media").json()["data"][0]
    path = f"/api/v1/media/{one['id']}"
    title, tags = "__proto__[polluted]=1", ["constructor", "__proto__", "toString"]
    assert owner.patch(path, json={"title": title, "tags": tags}).status_code == 200
    page = visitor.new_page()
    page.goto(f"{library.origin}/static/icon.svg")
    untouched = page.evaluate(PROTOTYPE)
    page.goto(f"{library.origin}/?__proto__[polluted]=1&constructor.prototype.polluted=1#__proto__.polluted=1")
    expect(card(page, title)).to_be_visible()
    card(page, title).click()
    expect(page.locator("#detail-heading")).to_have_text(title)
    page.get_by_role("button", name="Close").click()
    page.get_by_role("searchbox").fill("__proto__")
    expect(card(page, title)).to_be_visible()
    assert page.evaluate("'polluted' in {}") is False
    assert page.evaluate(PROTOTYPE) == untouched
    owner.patch(path, json={"title": one["title"], "tags": one["tags"]})


def test_every_answer_says_how_browsers_shall_treat_it(visitor: BrowserContext, library: Served) -> None:
    """The page, a file of it, an answer of the API and refusals; and Chromium understands each header."""
    complaints: list[str] = []
    page = visitor.new_page()
    page.on("console", lambda message: complaints.extend(told(message)))
    response = page.goto(library.origin)
    assert response is not None
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    found = {"/": response.all_headers()}
    for path in ("/static/app.js", "/api/v1/me", "/api/v1/media/999", "/nowhere", "/api/v1/media?after=junk"):
        found[path] = visitor.request.get(library.origin + path).headers
    said = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "strict-origin-when-cross-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    for path, headers in found.items():
        assert headers.items() >= said.items(), path
        policy = {part.strip() for part in headers["content-security-policy"].split(";")}
        assert policy >= {"default-src 'self'", "object-src 'none'", "frame-ancestors 'none'"}
        assert not {"server", "x-powered-by", "access-control-allow-origin"} & headers.keys(), path
        assert headers["x-request-id"]
    assert found["/api/v1/me"]["cache-control"] == "no-store"
    assert complaints == []


def test_the_31st_login_within_a_minute_is_refused_in_words(chromium: Browser, tmp_path: Path, furnished: Path) -> None:
    """Given thirty attempts, the next is 429 with Retry-After, and the page tells the person so."""
    with serving("uvicorn-h11", tmp_path, furnished) as served, chromium.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(served.origin)
        attempts = """(count) => Promise.all(Array.from({ length: count }, () =>
            fetch("/api/v1/login", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" })
                .then((answer) => answer.status)))"""
        begun = time.monotonic()
        statuses = page.evaluate(attempts, 40)
        # One more is admitted every two seconds.
        allowed = 30 + int((time.monotonic() - begun) / 2) + 1
        assert 30 <= statuses.count(422) <= allowed
        assert statuses.count(422) + statuses.count(429) == 40

        page.locator("#name").fill("demo")
        page.locator("#password").fill("wrong")
        refusal = None
        while refusal is None:  # one that was admitted between is answered 401
            page.evaluate(attempts, 5)
            with page.expect_response("**/api/v1/login") as answered:
                page.get_by_role("button", name="Log in").click()
            refusal = answered.value if answered.value.status == 429 else None
        wait = int(refusal.headers["retry-after"])
        assert 1 <= wait <= 60
        expect(page.get_by_role("alert")).to_have_text(f"Too many attempts: try again in {spelled(wait)}.")
        page.locator("#password").fill("")
        log_in_when_admitted(page)


def spelled(seconds: int) -> str:
    """As the page writes it."""
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def log_in_when_admitted(page: Page) -> None:
    """As a person who reads that it is too early: the limit ends by itself."""
    deadline = time.monotonic() + PATIENCE
    while page.get_by_role("button", name="Log out").is_hidden():
        assert time.monotonic() < deadline
        with page.expect_response("**/api/v1/login") as answered:
            page.locator("#password").fill("posters-for-everyone")
            page.get_by_role("button", name="Log in").click()
        if answered.value.status == 200:
            expect(page.get_by_role("button", name="Log out")).to_be_visible()


def test_an_upload_under_one_key_by_two_clients_makes_one_poster(library: Served, owner: httpx.Client) -> None:
    """Sent twice at once and once more later, it is carried out once; even after its poster is deleted again."""
    before = {medium["id"] for medium in owner.get("/api/v1/media").json()["data"]}
    body = multipart("twice.jpeg", small())
    headers = {"Idempotency-Key": '"one-upload"', "Content-Type": "multipart/form-data; boundary=between"}
    start, answers = threading.Barrier(2), list[httpx.Response]()

    def send() -> None:
        with library.client(headers=dict(owner.headers)) as client:
            start.wait(PATIENCE)
            answers.append(client.post("/api/v1/media", content=body, headers=headers))

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first = [answer for answer in answers if answer.status_code == 201 and "idempotency-replayed" not in answer.headers]
    assert len(first) == 1, [(answer.status_code, answer.text) for answer in answers]
    for answer in answers:
        assert answer.json() == first[0].json() or answer.json()["code"] == "idempotency.in_flight"
    made = first[0].json()["data"]["id"]
    assert {medium["id"] for medium in owner.get("/api/v1/media").json()["data"]} == before | {made}

    assert owner.delete(f"/api/v1/media/{made}").status_code == 204
    again = owner.post("/api/v1/media", content=body, headers=headers)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert again.json() == first[0].json()
    assert {medium["id"] for medium in owner.get("/api/v1/media").json()["data"]} == before


def multipart(name: str, data: bytes) -> bytes:
    """A form with one file, the same bytes each time: a key counts for one body."""
    head = f'--between\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n--between--\r\n"
