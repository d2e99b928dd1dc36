"""The public API stands in one file that a review looks at; what differs from it fails."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, TypedDict, Unpack

import pytest

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


@dataclass
class Loan:
    """What only the library makes."""

    book: Book
    _due: int = 0


def test_of_what_users_do_not_make_is_told_what_they_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """No constructor, where a field of it is private; the others are attributes."""
    monkeypatch.setattr(public_api, "PACKAGE", __name__.partition(".")[0])
    assert list(public_api.members("Loan", Loan)) == ["class Loan()", "Loan.book: Book"]


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
    shown = public_api.documented([page])
    assert shown == {"a.whole": [], "a.window": [], "a.part": ["One", "Two"]}
    assert list(shown) == ["a.part", "a.whole", "a.window"]


class _Part(Shelf):
    """A base that no page tells."""

    def dust(self) -> int:
        """Dust it."""
        return 0


class Case(_Part):
    """A shelf with a door."""

    @property
    def full(self) -> bool:
        """Be full as every shelf is."""
        return True

    def put(self, name: str, *, at: int = 1) -> None:
        """Put it elsewhere."""


def test_what_a_public_base_tells_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where it is written anew; what differs is told, and so is what a base has that no page tells."""
    monkeypatch.setattr(public_api, "PACKAGE", __name__.partition(".")[0])
    assert list(public_api.members("Case", Case, {id(Case), id(Shelf)})) == [
        "class Case(Shelf)",
        "Case()",
        "Case.dust() -> int",
        "Case.put(name: str, *, at: int = 1) -> None",
    ]


class Options(TypedDict, total=False):
    """What a shelf may be made with."""

    width: int
    doors: bool


def build(height: int, **options: Unpack[Options]) -> Shelf:
    """Take options that no page lists."""
    raise NotImplementedError


def test_options_are_told_where_a_function_takes_them() -> None:
    """One by one, unless a page lists them."""
    told = "build(height: int, **options: Options(width: int, doors: bool)) -> Shelf"
    assert list(public_api.members("build", build)) == [told]
    listed = "build(height: int, **options: Unpack[Options]) -> Shelf"
    assert list(public_api.members("build", build, {id(Options)})) == [listed]


def print_it(text: str = "x" * 200, *, by: str = "hand") -> None:
    """Take a text that is long if none is given."""


def test_a_long_default_is_told_by_its_type() -> None:
    """A catalogue of texts would hide the parameters beside it."""
    told = "print_it(text: str = <str>, *, by: str = 'hand') -> None"
    assert list(public_api.members("print_it", print_it)) == [told]


class ShelfContract:
    """A contract: tests, what they need, and what a subclass sets."""

    shelf_class: ClassVar[type[Any]]
    made_of: ClassVar[type[Any]] = Shelf
    most: ClassVar[int] = 3

    @pytest.fixture
    def shelf(self) -> Shelf:
        """Be what a test is given."""
        raise NotImplementedError

    def filled(self) -> None:
        """Help a test."""

    @staticmethod
    def emptied() -> None:
        """Help another."""

    def test_it_holds(self) -> None:
        """Be a test."""


def test_of_a_contract_is_told_what_a_subclass_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither its tests, nor their fixtures and helps."""
    monkeypatch.setattr(public_api, "PACKAGE", __name__.partition(".")[0])
    assert list(public_api.members("ShelfContract", ShelfContract)) == [
        "class ShelfContract()",
        "ShelfContract.made_of = Shelf",
        "ShelfContract.most: ClassVar[int]",
        "ShelfContract.shelf_class: ClassVar[type[Any]]",
    ]


# Packages all of whose names are told of the modules they are from, and the pages that name them.
_PASSES_ON = {
    "postrmagic_core": "stack.md",
    "postrmagic_core.backups": "backups.md",
    "postrmagic_core.configuration": "configuration.md",
    "postrmagic_core.deployment": "deployment.md",
    "postrmagic_core.security": "security.md",
}


def test_the_pages_show_what_is_imported_late() -> None:
    """Sphinx does not find names that a module's ``__getattr__`` gives: each has a directive of its own.

    Where a package only passes on what is told of another module, its page names it.
    """
    pages = "".join(page.read_text(encoding="utf-8") for page in public_api.PAGES.glob("*.md"))
    late = {
        f"{module}.{name}"
        for module, shown in public_api.documented(public_api.PAGES.glob("*.md")).items()
        if module not in _PASSES_ON
        for name in shown or public_api.names_of(import_module(module))
        if name not in vars(import_module(module))
    }
    assert late
    assert late - set(re.findall(r"^\.\. auto(?:class|function|data):: (\S+)$", pages, re.MULTILINE)) == set()
    for module, page in _PASSES_ON.items():
        told = (public_api.PAGES / page).read_text(encoding="utf-8")
        assert [name for name in import_module(module).__all__ if f"`{name}`" not in told] == []
