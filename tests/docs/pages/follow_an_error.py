"""An application in which something failed."""

from __future__ import annotations

from types import SimpleNamespace

from postrmagic_core.log import get_logger
from postrmagic_core.stack import Stack
from postrmagic_core.testing import until
from tests.docs.given import settings
from tests.docs.playing import Page


def play(page: Page) -> None:
    """The page's loop finds what was logged, and resolves it; its own rule makes another group."""
    with Stack(settings(), configure_logging=True) as stack:
        errors = stack.observability.errors
        log = get_logger("shop")
        log.error("no such poster")
        until(errors.find, "the error was not noted")
        page.names.update(errors=errors, user=SimpleNamespace(id="7"), log=log)
        shown = page.run()
        found = errors.get(shown["group"].fingerprint)
        assert found is not None
        assert found.state == "resolved"
