"""The threat model names a test for each threat, and each is there; what it draws has the boundaries that it tells."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "threat-model.md"
DRAWING = ROOT / "docs" / "images" / "trust-boundaries.svg"
STRIDE = {"S", "T", "R", "I", "D", "E"}


def threats() -> list[tuple[str, list[str]]]:
    """Boundary and cells of every threat."""
    found, boundary = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            boundary = line
        elif re.match(r"\| [A-Z] \| ", line):
            found.append((boundary, [cell.strip() for cell in line.strip("|").split(" | ")]))
    return found


def functions(path: Path) -> set[str]:
    """The tests of a file, those of its classes as ``TestX::test_y``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


def test_each_threat_is_of_a_kind_and_shown_by_a_test() -> None:
    """Kind, threat, what stops it, and the file or the very test that shows it."""
    wrong = [
        cells
        for _, cells in threats()
        if len(cells) != 4 or cells[0] not in STRIDE or not re.search(r"`tests/\S+\.py(?:::\S+)?`", cells[3])
    ]
    assert wrong == []
    assert len(threats()) > 30


def test_every_kind_is_thought_of_at_the_border_to_the_network() -> None:
    """At the others some do not apply; at this one all do."""
    assert {cells[0] for boundary, cells in threats() if boundary.startswith("### B1")} == STRIDE


NAMED = sorted(set(re.findall(r"`(tests/\S+?\.py(?:::\S+?)?)`", PAGE.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("name", NAMED)
def test_what_shows_it_is_there(name: str) -> None:
    """A test that was renamed is told here."""
    file, _, test = name.partition("::")
    assert (ROOT / file).is_file()
    assert not test or test in functions(ROOT / file)


def test_the_boundaries_that_are_drawn_are_those_that_are_told() -> None:
    """By their names."""
    headings = re.findall(r"^### (.+):", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name for heading in headings for name in re.findall(r"B[0-9]", heading)}
    assert set(re.findall(r">(B[0-9])<", DRAWING.read_text(encoding="utf-8"))) == told
