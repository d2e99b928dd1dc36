"""A real Chromium, and what a person does with the page in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, FilePayload, Locator, Page, expect, sync_playwright

from media_library.posters import Poster, draw
from media_library.smoke import DEMO
from postrmagic_core.testing.servers import require

# Nothing is asked of the network, and nothing of a graphics card.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--ignore-certificate-errors",  # of the site whose certificate a test made
    "--short-reporting-delay",  # reports are otherwise collected for a minute
]
PATIENCE_MS = 30_000


@contextmanager
def launched() -> Iterator[Browser]:
    """A running Chromium."""
    path = require(shutil.which("chromium"), "no chromium is installed")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        with playwright.chromium.launch(executable_path=path, args=ARGUMENTS) as browser:
            yield browser


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
