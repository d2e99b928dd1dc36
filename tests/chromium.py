"""A real Chromium, for whichever room's tests drive one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

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
def launched(*, reporting: bool = False) -> Iterator[Browser]:
    """A running Chromium: the shell without a window, of which each context costs a seventh, or else the browser.

    The Reporting API is the browser's alone: ``reporting`` asks for it.
    """
    shell = None if reporting else shutil.which("chromium-headless-shell")
    path = require(shell or shutil.which("chromium"), "no chromium is installed")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        with playwright.chromium.launch(executable_path=path, args=ARGUMENTS) as browser:
            yield browser
