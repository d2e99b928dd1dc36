"""The structure is as it is meant: the architecture's page, the drawing and the code's imports say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project import structure, structure_drawing
from tests.project.structure import Use

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / structure.PACKAGE
PAGE = ROOT / "docs" / "explanation" / "architecture.md"


def table(heading: str) -> Iterator[list[str]]:
    """The rows of the page's table whose first column has this heading."""
    rows = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows, f"the page has no table of each {heading}"
    for row in rows[1].splitlines():
        yield [cell.strip() for cell in row.strip("|").split("|")]


@pytest.fixture(scope="module")
def found() -> list[Use]:
    """Every import of the package."""
    return structure.uses(structure.modules(PACKAGE))


def test_each_room_uses_what_it_is_meant_to(found: list[Use]) -> None:
    """Neither an arrow that nobody meant, nor one that is told and no longer there."""
    meant = {(room.strip("`"), used) for room, _, uses in table("room") for used in re.findall(r"`(\w+)`", uses)}
    real = {pair for pair in structure.arrows(found) if not {"testing", "window"} & set(pair)}
    assert (real - meant, meant - real) == (set(), set())


def test_each_foundation_is_told() -> None:
    """The page lists every file that any room may use."""
    told = {file.strip("`") for file, _ in table("file")} - {"interface.py", "policy.py", "manager.py", "aio.py"}
    assert told == {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "stack.py"}


def test_the_drawing_is_current() -> None:
    """``python -m tests.project.structure_drawing`` writes it."""
    assert structure_drawing.FILE.read_text(encoding="utf-8") == structure_drawing.current()


def test_no_modules_need_each_other_to_be_loaded(found: list[Use]) -> None:
    """Each module can be imported first."""
    assert structure.circle(found) == []


def test_no_room_takes_what_another_keeps_to_itself(found: list[Use]) -> None:
    """A leading underscore ends at the room's wall; the test kit may look behind it."""
    assert [line for line in structure.reaching(found) if not line.startswith(f"{structure.PACKAGE}.testing")] == []


@pytest.mark.parametrize("part", ["compare", "client"])
def test_what_reads_a_document_knows_nothing_of_who_wrote_it(part: str, found: list[Use]) -> None:
    """Documents of an API are compared, and clients made from them, wherever they come from."""
    own = f"{structure.PACKAGE}.api.{part}"
    assert [use for use in found if use.source.startswith(own) and use.target.startswith(f"{structure.PACKAGE}.api")
            and not use.target.startswith(own)] == []  # fmt: skip


def test_where_something_is_added_exists() -> None:
    """Each file and folder that the page names as the place for something new."""
    named = [name for *_, place in table("what") for name in re.findall(r"`(\w+/[\w./]+)`", place)]
    assert len(named) >= 10
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small package of two rooms: one uses the other in each way there is."""
    root = tmp_path / structure.PACKAGE
    for name, text in {
        "__init__": "",
        "_clock": "",
        "stores/__init__": "",
        "stores/_locks": "",
        "stores/interface": "from .._clock import now",
        "cache/__init__": "",
        "cache/manager": (
            "from typing import TYPE_CHECKING\nfrom . import policy\nfrom ..stores._locks import hold\n"
            "if TYPE_CHECKING:\n    from ..stores.interface import Store\n"
            "def f():\n    import postrmagic_core.stores.interface\n"
        ),
        "cache/policy": "from .manager import _limit\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{name}.py").write_text(text)
    return root


def test_what_is_read_from_imports(house: Path) -> None:
    """Where they lead, when they are carried out, who needs whom, and who reaches behind a wall."""
    found = structure.uses(structure.modules(house))
    ways = {(use.when, use.target.removeprefix("postrmagic_core.")) for use in found if "cache.manager" in use.source}
    assert ways == {
        ("import", "cache.policy"),
        ("import", "stores._locks"),
        ("types", "stores.interface"),
        ("call", "stores.interface"),
    }
    assert structure.arrows(found) == {("cache", "stores"): 3, ("stores", "foundations"): 1}
    assert {"postrmagic_core.cache.manager", "postrmagic_core.cache.policy"} == set(structure.circle(found))
    assert structure.reaching(found) == ["postrmagic_core.cache.manager:3 takes hold of postrmagic_core.stores._locks"]


def test_the_drawing_tells_use_from_leave_and_ban() -> None:
    """A used room, one that may be used, one that never is."""
    picture = structure_drawing.drawn([["roof"], ["floor", "side"]], [("roof", "floor")])
    told = re.findall(r"<title>(\w+ (?:uses|may use|never uses) \w+)</title>", picture)
    assert told == [
        "roof uses floor",
        "roof may use side",
        "floor never uses roof",
        "floor never uses side",
        "side never uses roof",
        "side never uses floor",
    ]
