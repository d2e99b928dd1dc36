"""A real Chromium, and what a person does with the page in it."""

from __future__ import annotations

from playwright.sync_api import ConsoleMessage, FilePayload, Locator, Page, expect

from media_library.posters import Poster, draw
from media_library.smoke import DEMO


def told(message: ConsoleMessage) -> list[str]:
    """The complaint in a console message. That nobody is logged in yet is none: the page asks, and is answered 401."""
    asked_who = message.location["url"].endswith("/api/v1/me") and "401" in message.text
    return [] if asked_who or message.type not in {"error", "warning"} else [f"{message.text} {message.location}"]


def log_in(page: Page, name: str = DEMO["name"]) -> None:
    """By mouse."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(DEMO["password"])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def card(page: Page, title: str) -> Locator:
    """The poster's card in the gallery."""
    return page.locator("#gallery button").filter(has=page.get_by_text(title, exact=True))


def as_file(poster: Poster) -> FilePayload:
    """The poster as a person would choose it."""
    return {"name": poster.filename, "mimeType": f"image/{poster.format.lower()}", "buffer": draw(poster)}
