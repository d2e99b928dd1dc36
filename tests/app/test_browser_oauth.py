"""The consent in a real Chromium: by keyboard alone from a program's address to its redirect, without a violation."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from media_library.seed import DEMO
from postrmagic_core.testing.capture import embedded_settings
from tests.app.chromium import told_but, violations
from tests.app.oauth_around import API, Running, running
from tests.app.programs import Program, register
from tests.app.served import ROOT
from tests.app.test_browser_accounts import log_in, open_account, press, sign_up, tab_to
from tests.chromium import PATIENCE_MS

pytestmark = pytest.mark.browser

PASSWORD = DEMO["password"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The running application."""
    directory = tmp_path_factory.mktemp("consent")
    with running(directory, embedded_settings(directory), tls=False) as opened:
        yield opened


@pytest.fixture
def person(chromium: Browser) -> Iterator[Callable[[], Page]]:
    """A browser of its own each time; what it is refused is told in the page, and nothing else."""
    complaints: list[str] = []
    opened = []

    def open_page() -> Page:
        context = chromium.new_context(viewport={"width": 1200, "height": 900})
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.extend(told_but(message, 400, 401)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in opened:
        context.close()
    assert complaints == []


@dataclass
class Listening:
    """A program's address on this device, and what browsers brought there."""

    port: int
    brought: list[dict[str, str]] = field(default_factory=list)

    @property
    def uri(self) -> str:
        """Where they are sent; the registered one has another port."""
        return f"http://127.0.0.1:{self.port}/back"


@pytest.fixture
def listening() -> Iterator[Listening]:
    """A client that waits for its redirect."""
    with _listening() as found:
        yield found


@contextmanager
def _listening() -> Iterator[Listening]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/back":
                found.brought.append(dict(parse_qsl(parts.query)))
            self.send_response(200 if parts.path == "/back" else 204)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if parts.path == "/back":
                self.wfile.write(b"<!doctype html><title>Back</title><link rel=icon href=data:,><h1>Back again</h1>")

        def log_message(self, format: str, *arguments: object) -> None:
            """Quietly."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Listening(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def ask(page: Page, app: Running, program: Program, **changed: str | None) -> None:
    """Open the address that the program opened."""
    page.goto(f"{app.oauth('authorize')}?{program.query(**changed)}")


def test_a_person_without_a_mouse_logs_in_and_allows_a_program(
    person: Callable[[], Page], app: Running, listening: Listening
) -> None:
    """From its address over the login to the question, which says who asks and what for, and back with a code."""
    page, program = person(), Program(app.house, scopes=("media.read", "media.write"))
    ask(page, app, program, redirect_uri=listening.uri)
    expect(page.get_by_role("status").first).to_have_text(
        "An application asks to use your library. Log in, then you decide."
    )
    log_in(page, "demo", PASSWORD)
    expect(page.get_by_role("heading", name="Allow this application?")).to_be_focused()
    consent = page.get_by_role("region", name="Allow this application?")
    expect(consent).to_contain_text("Wall of Posters wants to use the library of demo.")
    expect(consent).to_contain_text(program.id)
    expect(consent).to_contain_text(f"127.0.0.1:{listening.port}, on this device")
    for link in ("Posters", "Account", "Admin"):
        expect(page.get_by_role("link", name=link, exact=True)).to_be_hidden()
    read, write = (
        page.get_by_role("checkbox", name="See your posters"),
        page.get_by_role("checkbox", name="Add, change and delete posters"),
    )
    expect(read).to_be_checked()
    press(page, write, "Space")
    expect(write).not_to_be_checked()
    press(page, page.get_by_role("button", name="Allow"))
    expect(page.get_by_role("heading", name="Back again")).to_be_visible()
    (brought,) = listening.brought
    assert (brought["state"], brought["iss"]) == ("k3Jq", app.origin)
    form = {
        "grant_type": "authorization_code",
        "client_id": program.id,
        "code": brought["code"],
        "redirect_uri": listening.uri,
        "code_verifier": program.verifier,
    }
    with app.served.client() as client:
        token = client.post("/oauth/token", data=form).json()
    assert token["scope"] == "media.read"


@pytest.mark.soak
def test_a_person_without_a_mouse_denies_a_program(
    person: Callable[[], Page], app: Running, listening: Listening
) -> None:
    """It is told so, and the browser is back; Enter at a choice is no answer."""
    page, program = person(), Program(app.house)
    page.goto(app.origin)
    log_in(page, "guest", PASSWORD)
    expect(page.get_by_role("heading", name="Posters")).to_be_focused()
    ask(page, app, program, redirect_uri=listening.uri)
    expect(page.get_by_role("heading", name="Allow this application?")).to_be_focused()
    press(page, page.get_by_role("checkbox", name="See your posters"))
    expect(page.get_by_role("heading", name="Allow this application?")).to_be_visible()
    assert listening.brought == []
    press(page, page.get_by_role("button", name="Deny"), "Space")
    expect(page.get_by_role("heading", name="Back again")).to_be_visible()
    (brought,) = listening.brought
    assert (brought["error"], brought["state"]) == ("access_denied", "k3Jq")
    assert "code" not in brought


def test_nothing_at_all_cannot_be_allowed(person: Callable[[], Page], app: Running, listening: Listening) -> None:
    """The page says so at the choices, where one goes on."""
    page, program = person(), Program(app.house)
    ask(page, app, program, redirect_uri=listening.uri)
    log_in(page, "demo", PASSWORD)
    choice = page.get_by_role("checkbox", name="See your posters")
    press(page, choice, "Space")
    press(page, page.get_by_role("button", name="Allow"))
    expect(choice).to_be_focused()
    expect(page.get_by_role("alert").filter(has_text="Choose what it may do, or deny it.")).to_be_visible()
    assert listening.brought == []


@pytest.mark.soak
def test_somebody_new_signs_up_on_the_way(person: Callable[[], Page], app: Running, listening: Listening) -> None:
    """The question waits; whoever logs out of it is asked who they are, and it waits still."""
    page, program = person(), Program(app.house)
    ask(page, app, program, redirect_uri=listening.uri)
    expect(page.locator("#name")).to_be_visible()
    press(page, page.get_by_role("link", name="Sign up"))
    expect(page.locator("#new-name")).to_be_focused()
    sign_up_here(page, "passing-by")
    expect(page.get_by_role("heading", name="Allow this application?")).to_be_visible()
    expect(page.locator("#consent-user")).to_have_text("passing-by")
    press(page, page.get_by_role("button", name="Log out"))
    log_in(page, "demo", PASSWORD)
    expect(page.locator("#consent-user")).to_have_text("demo")
    press(page, page.get_by_role("button", name="Allow"))
    expect(page.get_by_role("heading", name="Back again")).to_be_visible()
    assert "code" in listening.brought[0]


def sign_up_here(page: Page, name: str) -> None:
    """By keyboard, in the form that has the focus."""
    page.keyboard.type(name)
    tab_to(page, page.locator("#first-password"))
    page.keyboard.type("seven lanterns over water")
    page.keyboard.press("Enter")


@pytest.mark.soak
@pytest.mark.parametrize("changed", [{"client_id": "nobody"}, {"redirect_uri": "https://evil.example/"}])
def test_a_program_that_nobody_knows_is_shown_and_gets_nothing(
    person: Callable[[], Page], app: Running, changed: dict[str, str | None]
) -> None:
    """The browser stays here, and says why."""
    page, program = person(), Program(app.house)
    ask(page, app, program, **changed)
    log_in(page, "demo", PASSWORD)
    expect(page.get_by_role("heading", name="This does not go on")).to_be_focused()
    expect(page.locator("#refused-why")).not_to_be_empty()
    assert page.url.startswith(app.oauth("authorize"))
    assert violations(page) == []
    press(page, page.get_by_role("link", name="To your posters"))
    expect(page.get_by_role("heading", name="Posters")).to_be_attached()
    assert page.url == f"{app.origin}/"


def test_a_program_that_asks_wrongly_is_told_at_its_own_address(
    person: Callable[[], Page], app: Running, listening: Listening
) -> None:
    """Once somebody is logged in; there is no question."""
    page, program = person(), Program(app.house)
    ask(page, app, program, redirect_uri=listening.uri, code_challenge_method="plain")
    log_in(page, "demo", PASSWORD)
    expect(page.get_by_role("heading", name="Back again")).to_be_visible()
    (brought,) = listening.brought
    assert (brought["error"], brought["state"]) == ("invalid_request", "k3Jq")


def test_no_other_site_frames_the_question(app: Running) -> None:
    """The page may be framed by nobody, and no cache keeps what it was answered."""
    with app.served.client() as client:
        headers = client.get("/oauth/authorize").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"


def test_a_person_without_a_mouse_disconnects_a_program(person: Callable[[], Page], app: Running) -> None:
    """In the account, where it stands with what it may; its token is nobody's from then on."""
    page, program = person(), Program(app.house)
    page.goto(app.origin)
    sign_up(page, "connected")
    open_account(page)
    expect(page.locator("#no-applications")).to_be_visible()
    token = program.connect("connected")["access_token"]
    page.reload()
    connected = page.locator("#applications li")
    expect(connected).to_have_count(1)
    expect(connected).to_contain_text("Wall of Posters")
    expect(connected).to_contain_text("See your posters, their tags and figures")
    sent = {"Authorization": f"Bearer {token}"}
    with app.served.client(headers=sent) as client:
        assert client.get(f"{API}/media").status_code == 200
        press(page, page.get_by_role("button", name="Disconnect Wall of Posters"))
        expect(connected).to_have_count(0)
        expect(page.get_by_role("heading", name="Connected applications")).to_be_focused()
        expect(page.get_by_role("status").first).to_have_text("Wall of Posters is disconnected.")
        assert client.get(f"{API}/media").status_code == 401


@pytest.mark.soak
def test_axe_finds_nothing(person: Callable[[], Page], app: Running, listening: Listening) -> None:
    """The login on the way, the question, the question with an error, and the program in the account."""
    page, program = person(), Program(app.house, scopes=("media.read", "media.write"))
    page.emulate_media(reduced_motion="reduce")
    ask(page, app, program, redirect_uri=listening.uri)
    expect(page.locator("#name")).to_be_focused()
    found = {"login": violations(page)}
    log_in(page, "keeper", PASSWORD)
    expect(page.get_by_role("heading", name="Allow this application?")).to_be_visible()
    found["question"] = violations(page)
    for choice in page.locator("#consent-list input").all():
        choice.uncheck()
    page.get_by_role("button", name="Allow").click()
    expect(page.locator("#consent-error")).not_to_be_empty()
    found["question with an error"] = violations(page)
    program.connect("keeper")
    page.goto(f"{app.origin}/#account")
    expect(page.locator("#applications li")).not_to_have_count(0)
    found["connected"] = violations(page)
    assert {view: each for view, each in found.items() if each} == {}
    assert len(found) == 4


def test_a_narrow_screen_never_scrolls_sideways(person: Callable[[], Page], app: Running, listening: Listening) -> None:
    """The question, of a program with a long name (WCAG 1.4.10)."""
    page, program = person(), Program(app.house)
    program.client = register(app.server, "W" * 64, public=True)
    ask(page, app, program, redirect_uri=listening.uri)
    log_in(page, "demo", PASSWORD)
    expect(page.get_by_role("heading", name="Allow this application?")).to_be_visible()
    for width in (320, 768):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width


# The client that is an example


@contextmanager
def example(app: Running, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``python -m media_library.oauth_client``, as a user starts it, without a browser of its own."""
    command = [sys.executable, "-m", "media_library.oauth_client", "--no-browser", *options]
    around = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = subprocess.Popen(
        command, cwd=ROOT / "examples", env=around, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def address_of(process: subprocess.Popen[str]) -> str:
    """What the user is to open."""
    assert process.stdout is not None
    for line in process.stdout:
        if "/oauth/authorize?" in line:
            return line.strip()
    raise AssertionError(process.communicate()[1])


def told_by(process: subprocess.Popen[str]) -> str:
    """Why it did not go on."""
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    return told


def registered(app: Running) -> list[str]:
    """The options of a client whose operator registered it."""
    program = register(app.server, "Example", redirect_uris=["http://127.0.0.1/back"], public=True)
    return ["--issuer", app.origin, "--client-id", program.info.id]


def test_the_example_lists_posters_and_ends_its_access(person: Callable[[], Page], app: Running) -> None:
    """A person allows it in the browser; nothing is left of it afterwards."""
    page = person()
    page.goto(app.origin)
    sign_up(page, "example-user")
    with example(app, *registered(app)) as client:
        page.goto(address_of(client))
        page.get_by_role("button", name="Allow").click()
        expect(page.get_by_text("You can close this window")).to_be_visible()
        told, complained = client.communicate(timeout=60)
    assert client.returncode == 0, complained
    assert complained == ""
    for line in ("Allowed: media.read", "0 posters:", "With a new access token: 0 posters.", "Its access is ended."):
        assert line in told
    assert app.server.grants_of(str(app.house.user_id("example-user"))) == []


def test_the_example_says_what_went_wrong(person: Callable[[], Page], app: Running) -> None:
    """Denied, sent back by somebody else, and no such server."""
    page = person()
    page.goto(app.origin)
    log_in(page, "demo", PASSWORD)
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    with example(app, *registered(app)) as client:
        page.goto(address_of(client))
        page.get_by_role("button", name="Deny").click()
        expect(page.get_by_text("You can close this window")).to_be_visible()
        assert "not allowed" in told_by(client)
    with example(app, *registered(app)) as client:
        back = dict(parse_qsl(urlsplit(address_of(client)).query))["redirect_uri"]
        page.goto(f"{back}?code=pmc_somebody&state=forged&iss={app.origin}")
        assert "its state is another" in told_by(client)
    with example(app, "--issuer", "http://evil.example", "--client-id", "x") as client:
        assert "is no https:// address" in told_by(client)


def test_the_example_helps(tmp_path: Path) -> None:
    """It needs no server for that."""
    command = [sys.executable, "-m", "media_library.oauth_client", "--help"]
    done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True, check=True)
    assert "--issuer" in done.stdout
