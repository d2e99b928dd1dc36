"""An application with a search engine and mail."""

from __future__ import annotations

from types import SimpleNamespace

from tests.docs.given import opened
from tests.docs.playing import Page


def play(page: Page) -> None:
    """Both are asked."""
    asked: list[str] = []
    with opened() as stack:
        page.names.update(stack=stack, token="t" * 32)
        page.names["search"] = SimpleNamespace(ping=lambda: asked.append("search"))
        page.names["mail"] = SimpleNamespace(ping=lambda: asked.append("mail"))
        page.run()
        assert stack.observability.checks.report(now=True).ready
    assert {"mail", "search"} <= set(asked)
