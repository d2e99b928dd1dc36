"""The pages, in the order in which the menu shows them."""

from __future__ import annotations

from importlib import import_module

from ..interface import Page

NAMES = (
    "overview",
    "requests",
    "experience",
    "alerts",
    "errors",
    "uptime",
    "logs",
    "traces",
    "database",
    "cache",
    "sessions",
    "jobs",
    "events",
    "recovery",
)


def pages() -> list[Page]:
    """All of them, imported now."""
    found: list[Page] = [import_module(f"{__name__}.{name}").PAGE for name in NAMES]
    return found
