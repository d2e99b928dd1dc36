"""The pages of types of problems in a real browser: under their policy, by keyboard, by day and night, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # ships no types
from playwright.sync_api import Browser, Page, Route

from postrmagic_core.api.page_style import STYLE
from postrmagic_core.api.problem_pages import list_page, type_page
from postrmagic_core.api.problems import Problems, ProblemType
from tests.chromium import launched

pytestmark = pytest.mark.browser

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
SITE, SHEET = "https://api.example.org", "/docs.css"
HOSTILE = ProblemType("a.hostile", 400, "<script>alert(1)</script>", "<img src=x onerror=alert(2)> " + "long" * 100)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all."""
    with launched() as browser:
        yield browser


def serve(route: Route) -> None:
    """The pages, without a server."""
    problems = Problems([HOSTILE], base="/problems/")
    path = route.request.url.removeprefix(SITE)
    if path == SHEET:
        return route.fulfill(body=STYLE, content_type="text/css")
    code = path.removeprefix("/problems/")
    if code and code not in problems:
        return route.fulfill(status=404, body="")
    how = {"base": "/problems/", "stylesheet": SHEET}
    body = type_page(problems[code], **how) if code else list_page(problems.types, **how)
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": POLICY}
    return route.fulfill(body=body, headers=headers)


@pytest.mark.parametrize(
    ("path", "width", "scheme"), [("/problems/", 390, "dark"), ("/problems/a.hostile", 1280, "light")]
)
def test_a_page_is_readable_by_everybody(
    browser: Browser, path: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    """No rule of WCAG 2 AA is broken, nothing is refused by the policy, and nobody scrolls sideways."""
    complaints: list[str] = []
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        # axe is put into the page by the test: the policy would refuse it, so it is looked at without one.
        checked, page = context.new_page(), context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.route("**/*", serve)
        page.goto(f"{SITE}{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith("system-ui")
        assert tabbed_to_a_link(page)
        checked.route("**/*", serve)
        checked.goto(f"{SITE}{path}")
        found = Axe().run(checked).response
    assert found["passes"]
    assert [rule["id"] for rule in found["violations"]] == []
    assert [complaint for complaint in complaints if "favicon" not in complaint] == []


def tabbed_to_a_link(page: Page) -> bool:
    """Whether the first stop of the keyboard is a link with a visible outline."""
    page.keyboard.press("Tab")
    return bool(
        page.evaluate(
            "document.activeElement.matches('a') && getComputedStyle(document.activeElement).outlineStyle === 'solid'"
        )
    )
