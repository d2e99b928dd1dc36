"""Nothing but what the page shows."""

from __future__ import annotations

from tests.docs.playing import Page


def play(page: Page) -> None:
    """The policy is one that the pipeline admits."""
    assert list(page.run()["pipeline"].names) == ["security_headers", "errors", "csp_reports"]
