"""The dashboard in a real Chromium: nothing that its policy forbids, nothing that axe finds, live, by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # ships no types
from playwright.sync_api import Browser, Page, expect

from postrmagic_core.observability.dashboard import Dashboard
from postrmagic_core.observability.dashboard.pages import pages
from postrmagic_core.observability.history import rows
from postrmagic_core.observability.history.policy import Sample
from postrmagic_core.stack import Stack
from tests.observability.dashboard.made_up import QuickStack, fill, settings, use, watch
from tests.observability.dashboard.test_overview import CANARY, hostile

pytestmark = pytest.mark.browser

PAGES = ["", *(pytest.param(page.path, marks=pytest.mark.soak) for page in pages() if page.path)]
DRAWN = {"": 4, "requests": 4, "experience": 1}
# What a page is told of what its policy forbade, and of what ran though it should not have.
LISTEN = """
window.refused = [];
document.addEventListener("securitypolicyviolation",
  (event) => refused.push(`${event.violatedDirective} ${event.blockedURI}`));
"""
OF_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An application with two hours of figures, and values that somebody hostile wrote."""
    with QuickStack(settings(tmp_path_factory.mktemp("look")), configure_logging=False) as opened:
        watch(opened)
        fill(opened, 1.2)
        use(opened)
        hostile(opened)
        yield opened


@pytest.fixture(scope="module")
def address(stack: Stack) -> Iterator[str]:
    """Where the dashboard is, mounted beneath a prefix."""
    from tests.observability.dashboard.conftest import served

    house = Dashboard(stack, allows=lambda _: CANARY, title=CANARY)
    house.pages[""] = replace(house.pages[""], every=2.0)
    stack.add(house)

    async def site(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "root_path": "/ops"}
        await house(scope, receive, send)

    with served(site) as base:
        yield f"{base}/ops/"


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open a page of the dashboard; whatever it complains of fails the test."""
    contexts, complaints = [], list[str]()

    def opened(path: str = "", **how: Any) -> Page:
        context = browser.new_context(**how)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(LISTEN)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def violations(page: Page, options: dict[str, Any] | None = None) -> list[str]:
    """What axe found against WCAG 2 A and AA and its best practices."""
    found = Axe().run(page, options=options).response
    assert found["passes"]
    return [f"{rule['id']}: {node['html']}" for rule in found["violations"] for node in rule["nodes"]]


def shapes(page: Page) -> dict[str, Any]:
    """What ran, what was refused, what was drawn, and what hangs over the edge."""
    found: dict[str, Any] = page.evaluate(
        """({ pwned: window.pwned ?? null, refused, images: document.images.length,
              charts: document.querySelectorAll("figure[data-chart] .plot").length,
              drawn: document.querySelectorAll("figure[data-chart] canvas").length,
              over: document.documentElement.scrollWidth - document.documentElement.clientWidth })"""
    )
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path or "overview")
def test_it_keeps_its_policy_and_reads_well(open_page: Callable[..., Page], path: str) -> None:
    """Hostile values run nowhere, no policy is broken, charts are drawn; axe is content in both colours."""
    page = open_page(path, viewport={"width": 1280, "height": 900})
    expect(page.locator(".state-text")).to_have_text("live")
    found = shapes(page)
    assert (found["pwned"], found["refused"], found["images"]) == (None, [], 0)
    assert found["drawn"] == found["charts"] == DRAWN.get(path, found["charts"])
    assert found["over"] <= 0
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, OF_COLOURS) == []


def test_what_happens_is_seen_without_a_reload(open_page: Callable[..., Page], stack: Stack) -> None:
    """New figures come in; a hidden page does not ask, a paused one neither; what was opened stays open."""
    page = open_page()
    expect(page.locator(".state-text")).to_have_text("live")
    page.locator("details summary").first.click()
    tile = page.locator(".tile", has_text="Memory").locator(".tile-value")
    with stack.database.write() as tx:
        sample = Sample(stack.clock.now_us(), 15_000_000, {"memory_bytes": 777 * 1024**2, "requests_per_second": 5})
        rows.put(tx, rows.STEP, sample, [])
    expect(tile).to_have_text("777 MiB")
    expect(page.locator("details[open]")).to_have_count(1)
    page.keyboard.press("p")
    expect(page.locator(".state")).to_have_attribute("data-state", "paused")
    expect(page.locator(".state")).to_have_attribute("aria-pressed", "true")
    assert shapes(page)["refused"] == []


def test_keys_lead_around_and_can_be_switched_off(open_page: Callable[..., Page], address: str) -> None:
    """g and a letter; the dialog says which; once they are off they do nothing. Colours are remembered."""
    page = open_page(color_scheme="light")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page).to_have_url(f"{address}requests")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("g")  # into the field
    page.locator("body").click(position={"x": 700, "y": 5})
    page.keyboard.press("t")
    page.keyboard.press("t")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Use these keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(dialog).to_be_hidden()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_on_a_phone_and_without_scripts(open_page: Callable[..., Page]) -> None:
    """Nothing hangs over the edge, the menu opens; without scripts it stands there, and so do figures and lines."""
    phone = {"width": 360, "height": 740}
    page = open_page("requests", viewport=phone, has_touch=True)
    expect(page.locator(".state-text")).to_have_text("live")
    assert shapes(page)["over"] <= 0
    expect(page.get_by_role("link", name="Experience")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Experience").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Experience")
    assert shapes(page)["over"] <= 0
    still = open_page(viewport=phone, java_script_enabled=False)
    expect(still.locator(".tile-value").first).to_have_text(re.compile(r"\d+.* /s"))
    assert still.locator(".plot svg path").count() == 6
    expect(still.get_by_role("link", name="Experience")).to_be_visible()
    expect(still.get_by_role("button", name="Menu")).to_be_hidden()
