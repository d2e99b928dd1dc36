"""The public API stands in one file that a review looks at; what differs from it fails."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from tests.project import public_api


def test_the_public_api_is_the_reviewed_one() -> None:
    """Every public name, signature, setting, command and scheme is the one in the file."""
    reviewed = public_api.FILE.read_text(encoding="utf-8").splitlines()
    changed = [
        line
        for line in difflib.unified_diff(
            reviewed, public_api.rendered().splitlines(), "reviewed", "now", n=0, lineterm=""
        )
        if not line.startswith("@@")
    ]
    assert changed == [], "write it anew by `python -m tests.project.public_api`, and review what changed"


class Shelf:
    """A class as a user has it."""

    width: int

    def put(self, name: str, *, at: int = 0) -> None:
        """Put it."""

    async def get(self, name: str) -> str | None:
        """Get it."""

    @property
    def full(self) -> bool:
        """Whether there is room."""
        return False

    def _dust(self) -> None: ...


@dataclass
class Book:
    """Its fields are its constructor's."""

    title: str
    pages: int = 1


def test_what_is_told_of_a_class() -> None:
    """How it is made, and each public method with its kind, parameters, defaults and result."""
    lines = list(public_api.members("Book", Book)) + list(public_api.members("Shelf", Shelf))
    assert lines[:2] == ["class Book()", "Book(title: str, pages: int = 1)"]
    assert list(public_api._attribute("Shelf.put", Shelf, "put", Shelf.put)) == [
        "Shelf.put(name: str, *, at: int = 0) -> None"
    ]
    assert list(public_api._attribute("Shelf.get", Shelf, "get", Shelf.get)) == [
        "async Shelf.get(name: str) -> str | None"
    ]
    assert list(public_api._attribute("Shelf.full", Shelf, "full", Shelf.full)) == ["Shelf.full: bool"]


def test_what_the_pages_show(tmp_path: Path) -> None:
    """Each module that a page lists, and the names where the page chooses."""
    page = tmp_path / "page.md"
    page.write_text(
        ".. automodule:: a.whole\n   :members:\n   :show-inheritance:\n\n"
        ".. automodule:: a.window\n\n.. automodule:: a.part\n   :members: One, Two\n"
    )
    assert public_api.documented([page]) == {"a.whole": [], "a.window": [], "a.part": ["One", "Two"]}
