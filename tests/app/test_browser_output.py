"""Hostile titles, tags, file names, user names and agents, as if rules had let them in: the page shows them as text.

They are written into the database past every rule. The policy of the page would stop most of what they try; here it
must not even be asked: one complaint of the browser's, and the test fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Route, expect

from media_library.seed import DEMO, KEEPER
from tests.app.chromium import log_in, told, told_but
from tests.app.served import Served, serving
from tests.chromium import PATIENCE_MS
from tests.validation.xss_payloads import ALL

pytestmark = pytest.mark.browser

# SQLite takes NUL, but no lone surrogates: the encoders' own tests have those.
TEXTS = [text.encode(errors="replace").decode() for text in ALL[::2]]
HOSTILE = '"><img src=x onerror=alert(1)>'
NAMES = sorted({text[:64] for text in [*TEXTS, HOSTILE]})
ALARM = "window.alert = window.prompt = window.confirm = () => console.error('it ran')"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, furnished: Path) -> Iterator[Served]:
    """The running site, with a poster and an account for each text."""
    directory = tmp_path_factory.mktemp("hostile")
    with serving("uvicorn-h11", directory, furnished) as served:
        with closing(sqlite3.connect(directory / "app.db")) as database, database:
            plant(database)
        yield served


def plant(database: sqlite3.Connection) -> None:
    """Write the texts where people's words are kept: as the demo user's posters, and as accounts of their own."""
    demo, hashed = database.execute("SELECT id, password_hash FROM users WHERE name = ?", [DEMO["name"]]).fetchone()
    for number, text in enumerate(TEXTS):
        digest, beside = f"{number:064x}", TEXTS[number - 1]
        database.execute("INSERT INTO blobs VALUES (?, 1, 'image/png', 30, 40)", [digest])
        database.execute("INSERT INTO details VALUES (?, '#102030', 'portrait')", [digest])
        row = (number + 1, demo, digest, text[:200], beside[:255], number)
        database.execute(
            "INSERT INTO media (id, user_id, digest, title, filename, created_us) VALUES (?, ?, ?, ?, ?, ?)", row
        )
        database.execute("INSERT INTO tags (media_id, name) VALUES (?, ?)", [number + 1, text[:40]])
    for name in NAMES:
        database.execute(
            "INSERT INTO users (name, password_hash, quota_bytes, used_bytes, created_us, password_us) "
            "VALUES (?, ?, 1, 0, 0, 0)",
            [name, hashed],
        )
    # One of them logs in, which needs a role.
    database.execute("INSERT INTO pm_user_roles SELECT id, 'user', 0 FROM users WHERE name = ?", [HOSTILE])


@pytest.fixture
def complaints() -> list[str]:
    """What the browser said, ran or asked another server for."""
    return []


@pytest.fixture
def page(chromium: Browser, library: Served, complaints: list[str]) -> Iterator[Page]:
    """The site's page; whatever is not just shown is a complaint."""

    def heard(message: ConsoleMessage) -> None:
        complaints.extend(told_but(message, 422) if "/api/v1/media" in message.location["url"] else told(message))

    def asked(dialog: Dialog) -> None:
        complaints.append(dialog.message)
        dialog.dismiss()

    with chromium.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(ALARM)
        page = context.new_page()
        page.on("console", heard)
        page.on("dialog", asked)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        own = (library.origin, "data:image/svg+xml;base64,")
        page.on("request", lambda request: complaints.extend([request.url] * (not request.url.startswith(own))))
        page.goto(library.origin)
        yield page
        assert complaints == []
        assert page.url.startswith(library.origin)


def show_all(page: Page, button: str, rows: str, count: int) -> None:
    """Press "Show more" until all of them are there."""
    expect(page.locator(rows).first).to_be_visible()
    while (seen := page.locator(rows).count()) < count:
        page.locator(button).click()
        expect(page.locator(rows)).not_to_have_count(seen)


# What a person might do, on whatever the page shows of them.
POKE = """(within) => {
    for (const element of document.querySelectorAll(`${within} *`)) {
        for (const kind of ["mouseover", "focus", "load", "error", "toggle"]) element.dispatchEvent(new Event(kind));
    }
}"""
OPEN_EACH = """() => [...document.querySelectorAll("#gallery button")].map((button) => {
    button.click();
    const seen = ["detail-heading", "title", "tag-list", "detail-facts"].map((id) => {
        const element = document.getElementById(id);
        return element.value ?? element.textContent;
    });
    document.getElementById("detail").close();
    return seen;
})"""


def test_posters_are_shown_in_their_own_words(page: Page) -> None:
    """Titles and tags in the gallery, tags as filters, titles and file names where a poster is open."""
    log_in(page)
    show_all(page, "#more", "#gallery li", len(TEXTS))
    page.evaluate(POKE, "#library")
    titles = [text[:200] for text in reversed(TEXTS)]
    assert page.locator("#gallery strong").evaluate_all("found => found.map((it) => it.textContent)") == titles
    tags = [text[:40] for text in reversed(TEXTS)]
    assert page.locator("#gallery small").evaluate_all("found => found.map((it) => it.textContent)") == tags
    filters = page.locator("#tags button").evaluate_all("found => found.map((it) => it.dataset.key)")
    assert len(filters) == 30
    assert set(filters) <= set(tags)
    opened = page.evaluate(OPEN_EACH)
    assert [heading for heading, *_ in opened] == titles
    names = [TEXTS[number - 1] for number in reversed(range(len(TEXTS)))]
    assert all(facts.startswith(name[:200]) for (*_, facts), name in zip(opened, names, strict=True))
    page.locator("#tags button").first.click()
    expect(page.locator("#tags button[aria-pressed=true]")).to_have_count(1)


def test_a_page_that_wrote_markup_would_be_told(page: Page, library: Served, complaints: list[str]) -> None:
    """The control: given one element written as markup instead of text, the browser complains at once."""
    script = "const element = Object.assign(document.createElement(tag), properties);"

    def careless(route: Route) -> None:
        body = route.fetch().text()
        assert script in body
        sink = "if (properties.textContent) element.innerHTML = properties.textContent;"
        route.fulfill(body=body.replace(script, script + sink), content_type="text/javascript")

    page.route("**/static/page.js", careless)
    page.reload()
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        log_in(page)
    expect(page.locator("#gallery img").first).to_be_attached()
    assert complaints
    page.goto("about:blank")
    page.goto(library.origin)
    complaints.clear()


def test_a_file_is_named_in_its_own_words(page: Page, complaints: list[str]) -> None:
    """The name of a file that is being uploaded, in the list of uploads and for screen readers."""
    log_in(page)
    named = [text for text in TEXTS if not set(text) & set("/\\\0") and text.isprintable()][:8]
    files = [{"name": name, "mimeType": "image/png", "buffer": b"no picture"} for name in named]
    page.set_input_files("#files", files)  # type: ignore[arg-type]  # they are FilePayloads
    expect(page.locator("#uploads .failed")).to_have_count(len(named))
    page.evaluate(POKE, "#uploads")
    seen = page.locator("#uploads li > span:first-child").evaluate_all("found => found.map((it) => it.textContent)")
    assert sorted(seen) == sorted(named)


def test_accounts_are_shown_in_their_own_words(page: Page, library: Served) -> None:
    """Names of accounts in the table, the buttons, the list to choose from, the audit log and the notice."""
    with library.client() as visitor:
        login = visitor.post("/api/v1/login", json=DEMO | {"name": KEEPER["name"]})
    with library.client(headers={"Cookie": login.headers["set-cookie"].partition(";")[0]}) as keeper:
        grant_some(keeper)
    log_in(page, KEEPER["name"])
    page.locator("#to-admin").click()
    show_all(page, "#more-users", "#users tr", len(NAMES) + 3)
    page.evaluate(POKE, "#admin")
    shown = page.locator("#users th").evaluate_all("found => found.map((it) => it.textContent)")
    assert shown[3:] == NAMES
    options = page.locator("#why-user option").evaluate_all("found => found.map((it) => it.textContent)")
    assert options == shown
    audited = page.locator("#audit td:nth-child(4)").evaluate_all("found => found.map((it) => it.textContent)")
    assert sum(any(name in line for name in NAMES if len(name) > 20) for line in audited) >= 20
    page.locator("#users tr").nth(10).get_by_role("button", name="user, role of").click()
    expect(page.locator("#notice")).to_contain_text(NAMES[7])


def grant_some(keeper: httpx.Client) -> None:
    """Give roles, so that the audit log has something to tell."""
    first = keeper.get("/api/v1/admin/users").json()
    ids = [row["id"] for row in keeper.get("/api/v1/admin/users", params={"after": first["next"]}).json()["data"]]
    for user_id in ids[:40]:
        assert keeper.put(f"/api/v1/admin/users/{user_id}/roles/user").status_code == 200


def test_an_account_is_shown_in_its_own_words(page: Page, library: Served) -> None:
    """Somebody of a hostile name logs in, with hostile agents beside: devices, second factor, an odd address."""
    for agent in [text for text in TEXTS if text.isascii() and text.isprintable()][:30:10]:
        with library.client(headers={"User-Agent": f"Mozilla/5.0 {agent}"}) as other:
            assert other.post("/api/v1/login", json=DEMO | {"name": HOSTILE}).status_code == 200
    page.goto(f"{library.origin}/#{HOSTILE}")
    log_in(page, HOSTILE)
    page.locator("#to-account").click()
    expect(page.locator("#devices li")).to_have_count(4)
    page.evaluate(POKE, "#account")
    page.locator("#begin-password").fill(DEMO["password"])
    page.get_by_role("button", name="Set up a second factor").click()
    expect(page.locator("#qr")).to_be_visible()
    page.evaluate(POKE, "#account")
