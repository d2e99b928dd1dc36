"""A real Chromium, and what a person does with the page in it."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # ships no types
from playwright.sync_api import ConsoleMessage, FilePayload, Locator, Page, expect

from media_library.posters import Poster, draw
from media_library.seed import DEMO


def told(message: ConsoleMessage) -> list[str]:
    """The complaint in a console message. That nobody is logged in is none: the page asks, and is answered 401.

    Who it is at its start, and what is new again and again: a logout may come between that question and its answer.
    """
    asked_who = message.location["url"].endswith(("/api/v1/me", "/stats", "/notifications")) and "401" in message.text
    return [] if asked_who or message.type not in {"error", "warning"} else [f"{message.text} {message.location}"]


def told_but(message: ConsoleMessage, *statuses: int) -> list[str]:
    """The same, where answers of these statuses are what the test is about."""
    return [each for each in told(message) if not any(f"status of {status} " in each for status in statuses)]


# What depends on colours, and so on whether they are light or dark.
_OF_COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}


def violations(page: Page) -> list[str]:
    """What axe found against WCAG 2 A and AA and its best practices, in light colours and in dark ones, shortly."""
    found = Axe().run(page).response
    assert found["passes"]
    page.emulate_media(color_scheme="dark")
    in_dark = Axe().run(page, options=_OF_COLOURS).response
    assert in_dark["passes"]
    page.emulate_media(color_scheme="light")
    told = [*found["violations"], *in_dark["violations"]]
    return [f"{rule['id']}: {node['html']}" for rule in told for node in rule["nodes"]]


def log_in(page: Page, name: str = DEMO["name"]) -> None:
    """By mouse."""
    page.locator("#name").fill(name)
    page.locator("#password").fill(DEMO["password"])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def card(page: Page, title: str) -> Locator:
    """The poster's card in the gallery."""
    return page.locator("#gallery button").filter(has=page.get_by_text(title, exact=True))


def as_file(poster: Poster) -> FilePayload:
    """The poster as a person would choose it."""
    return {"name": poster.filename, "mimeType": f"image/{poster.format.lower()}", "buffer": draw(poster)}
