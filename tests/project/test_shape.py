"""The package keeps the shape the design promises: small files, small functions, said aloud, in the right room."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import rules
from tests.project.rules import Source

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "postrmagic_core"


def read(*folders: str) -> list[Source]:
    """Every Python file under these folders of the checkout."""
    return [
        Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


@pytest.fixture(scope="module")
def package() -> list[Source]:
    """The package's own files."""
    return read("src/postrmagic_core")


@pytest.mark.parametrize("rule", rules.FILE_RULES, ids=lambda rule: rule.__name__)
def test_every_file_keeps_the_rule(rule: Callable[[Source], list[str]], package: list[Source]) -> None:
    """Each file of the package keeps each budget of the design."""
    assert [complaint for source in package for complaint in rule(source)] == []


def test_the_median_module_is_small(package: list[Source]) -> None:
    """Half of all modules fit on a screen and a half."""
    assert rules.median_length(package) == []


def test_silenced_checkers_have_reasons() -> None:
    """Nobody silences a checker without saying why, in the package or beside it."""
    sources = read("src", "tests", "examples", "benchmarks")
    assert [complaint for source in sources for complaint in rules.reasons(source)] == []


def test_lua_speaks_through_the_prelude() -> None:
    """No Lua body calls Redis itself."""
    scripts = [(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.lua")]
    assert [complaint for path, text in scripts for complaint in rules.lua_calls(path, text)] == []


def test_both_faces_have_the_same_names(package: list[Source]) -> None:
    """Whoever knows the sync manager knows the async one."""
    rooms: defaultdict[str, dict[str, Source]] = defaultdict(dict)
    for source in package:
        rooms[source.path.rpartition("/")[0]][source.name] = source
    assert [complaint for room in rooms.values() for complaint in rules.equal_faces(room)] == []
