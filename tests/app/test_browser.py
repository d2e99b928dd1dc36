"""The page in a real Chromium: by mouse, by keyboard and by drag and drop, without a complaint of the browser's."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from media_library.posters import POSTERS, draw
from media_library.running import application
from media_library.seed import DEMO
from tests.app.chromium import as_file, card, log_in, told, violations
from tests.chromium import PATIENCE_MS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The application in processes of its own, with the accounts ``demo`` and ``guest`` and no media."""
    with application("embedded") as (address, _):
        yield address


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said in this test: errors and warnings, scripts that failed, violations of the CSP."""
    return []


@pytest.fixture
def page(chromium: Browser, address: str, complaints: list[str]) -> Iterator[Page]:
    """The site's page, opened by nobody in particular; it must not complain."""
    with ExitStack() as opened:
        context = opened.enter_context(chromium.new_context(viewport={"width": 1200, "height": 800}))
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: complaints.extend(told(message)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        yield page
        assert complaints == []


def test_a_person_uploads_finds_edits_and_deletes_posters(page: Page) -> None:
    """The whole life of a poster, by mouse."""
    log_in(page)
    expect(page.get_by_text("No posters yet: drop some above.")).to_be_visible()

    chosen, dropped = POSTERS[0], POSTERS[1]
    page.set_input_files("#files", [as_file(chosen)])
    expect(card(page, "jazz at dusk").locator("img")).to_be_visible()
    assert (
        card(page, "jazz at dusk").locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
        == 320
    )

    transfer = page.evaluate_handle(
        """([name, type, data]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type }));
            return transfer;
        }""",
        [dropped.filename, "image/png", base64.b64encode(draw(dropped)).decode()],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    expect(card(page, "night of the long films").locator("img")).to_be_visible()
    expect(page.locator("#stats")).to_contain_text("2 posters,")

    card(page, "jazz at dusk").click()
    page.get_by_label("Title").fill("Jazz at Dawn")
    page.get_by_label("Tags, separated by commas").fill("Jazz, outdoor")
    page.get_by_role("button", name="Save").click()
    expect(card(page, "Jazz at Dawn")).to_contain_text("jazz, outdoor")

    page.get_by_role("searchbox").fill("film*")
    expect(page.locator("#gallery li")).to_have_count(1)
    expect(card(page, "night of the long films")).to_be_visible()
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="outdoor 1").click()
    expect(page.locator("#gallery li")).to_have_count(1)
    expect(card(page, "Jazz at Dawn")).to_be_visible()
    page.get_by_role("button", name="outdoor 1").click()
    expect(page.locator("#gallery li")).to_have_count(2)

    page.on("dialog", lambda question: question.accept())
    card(page, "Jazz at Dawn").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == chosen.filename
    assert download.value.path().read_bytes() == draw(chosen)
    page.get_by_role("button", name="Delete").click()
    expect(card(page, "Jazz at Dawn")).to_have_count(0)
    expect(page.locator("#stats")).to_contain_text("1 poster,")

    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


@pytest.mark.soak
def test_a_person_sees_colours_and_how_much_was_uploaded(page: Page) -> None:
    """They come by themselves, when their jobs are done: a stripe on the card, the same in words, a bar a month."""
    log_in(page, "guest")
    page.set_input_files("#files", [as_file(poster) for poster in POSTERS[4:6]])
    stripe = card(page, "city marathon").locator(".stripe > span")
    expect(stripe).to_have_count(4)
    shown = stripe.evaluate_all("parts => parts.map((part) => [getComputedStyle(part).backgroundColor, part.title])")
    assert all(background == as_css(colour) for background, colour in shown)
    assert all(box["width"] > 20 and box["height"] > 4 for box in stripe.evaluate_all(BOXES))

    chart = page.get_by_role("img", name=re.compile("Uploads in the last twelve months: "))
    uploads = page.evaluate("fetch('/api/v1/media').then((page) => page.json()).then(({ data }) => data.length)")
    expect(chart).to_have_accessible_name(re.compile(rf": {uploads} in \w+ \d{{4}}$"))
    bars = chart.locator("rect").evaluate_all(BOXES)
    assert len(bars) == 12
    assert bars[-1]["height"] > 10 * max(bar["height"] for bar in bars[:-1])
    expect(chart.locator("rect.some title")).to_have_text(re.compile(rf"^\w+ \d{{4}}: {uploads}$"))

    card(page, "city marathon").click()
    expect(page.locator("#detail-colours")).to_have_text(f"Colours: {', '.join(colour for _, colour in shown)}")
    expect(page.locator("#detail-colours .stripe > span")).to_have_count(4)
    expect(page.locator("#detail-facts")).to_contain_text("portrait, 900 ")


BOXES = "parts => parts.map((part) => part.getBoundingClientRect().toJSON())"


def as_css(colour: str) -> str:
    """A colour ``#rrggbb`` as browsers tell it."""
    return f"rgb({', '.join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))})"


def test_a_person_without_a_mouse_gets_everywhere(page: Page) -> None:
    """Log in, open a poster, close it and be where one was, filter by tag and stay on it."""
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("guest")
    page.keyboard.press("Tab")
    page.keyboard.type(DEMO["password"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    page.set_input_files("#files", [as_file(POSTERS[2])])
    poster = card(page, "street food market")
    expect(poster.locator("img")).to_be_visible()
    expect(page.locator("#uploads li")).to_have_count(0)

    page.locator("#query").focus()
    passed = []
    while not poster.evaluate("button => button === document.activeElement"):
        page.keyboard.press("Tab")
        passed.append(page.evaluate("document.activeElement.id"))
        assert len(passed) < 20
    assert passed[:5] == ["to-posters", "to-account", "bell", "logout", "files"]
    page.keyboard.press("Enter")
    expect(page.get_by_label("Title")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("food")
    page.keyboard.press("Enter")
    expect(poster.locator("small")).to_have_text("food")
    tag = page.get_by_role("button", name="food 1")
    expect(tag).to_be_visible()
    expect(poster).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(tag).to_be_focused()
    page.keyboard.press("Space")
    expect(tag).to_have_attribute("aria-pressed", "true")
    expect(tag).to_be_focused()


def test_a_person_is_told_what_became_ready(page: Page) -> None:
    """The bell counts by itself; opening it, by keyboard too, is having seen it, on every page."""
    log_in(page)
    bell = page.get_by_role("button", name="Notifications")
    with page.expect_response("**/notifications/read"):
        page.set_input_files("#files", [as_file(POSTERS[7])])
        expect(bell).to_contain_text("1 new")
        bell.focus()
        page.keyboard.press("Enter")
    panel = page.locator("#notifications")
    expect(panel.get_by_text(re.compile(r"(A poster is|\d+ posters are) ready\."))).to_be_visible()
    expect(panel.locator("li.new")).to_have_count(1)
    expect(bell).to_have_text("Notifications ")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    page.reload()
    expect(bell).to_have_text("Notifications ")
    bell.click()
    expect(panel.locator("li")).not_to_have_count(0)
    expect(panel.locator("li.new")).to_have_count(0)


def test_what_is_refused_says_why(page: Page, complaints: list[str]) -> None:
    """A wrong password and a file that is no picture."""
    page.locator("#name").fill("demo")
    page.locator("#password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    log_in(page)
    page.set_input_files("#files", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    expect(page.locator("#uploads .failed")).to_contain_text("JPEG, PNG, WEBP")
    refused = [text for text in complaints if "401" in text or "422" in text]
    assert complaints == refused
    complaints.clear()


def test_axe_finds_nothing(page: Page) -> None:
    """Contrast, names, roles and order (WCAG 2 A and AA, and axe's best practices) on each view."""
    page.emulate_media(reduced_motion="reduce")
    found = {"login": violations(page)}
    log_in(page, "guest")
    page.set_input_files("#files", [as_file(POSTERS[3])])
    poster = card(page, "cello and candlelight")
    expect(poster.locator("img")).to_be_visible()
    expect(page.locator("#uploads li")).to_have_count(0)
    expect(poster.locator(".stripe")).to_be_visible()
    expect(page.locator("#activity")).to_be_visible()
    found["library"] = violations(page)
    poster.click()
    found["detail"] = violations(page)
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Notifications").click()
    expect(page.locator("#notifications li")).not_to_have_count(0)
    found["notifications"] = violations(page)
    assert found == {"login": [], "library": [], "detail": [], "notifications": []}


@pytest.mark.soak
def test_a_narrow_screen_never_scrolls_sideways(page: Page) -> None:
    """From the smallest telephones on (WCAG 1.4.10)."""
    log_in(page, "guest")
    page.set_input_files("#files", [as_file(POSTERS[6])])
    expect(page.locator("#activity")).to_be_visible()
    for width in (320, 390, 768):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width
