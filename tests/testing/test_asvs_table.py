"""Our own asvs.toml: it is complete, names tests that exist, and is what the documentation shows."""

from __future__ import annotations

import re
from pathlib import Path
from runpy import run_path

import pytest

from postrmagic_core.testing.asvs import EDITION, function_of, load_requirements
from tests.testing.collected import ROOT, absent

TABLE = load_requirements(ROOT / "tests/asvs.toml")
PAGE = ROOT / "docs/reference/security.md"

# Section -> the levels of its requirements, in order (OWASP ASVS 5.0.0).
LEVELS = {
    "1.1": (2, 2),
    "1.2": (1, 1, 1, 1, 1, 2, 2, 2, 2, 3),
    "1.3": (1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3),
    "1.4": (2, 2, 2),
    "1.5": (1, 2, 3),
    "2.1": (1, 2, 2),
    "2.2": (1, 1, 2),
    "2.3": (1, 2, 2, 2, 3),
    "2.4": (2, 3),
    "3.1": (3,),
    "3.2": (1, 1, 3),
    "3.3": (1, 2, 2, 2, 3),
    "3.4": (1, 1, 2, 2, 2, 2, 3, 3),
    "3.5": (1, 1, 1, 2, 2, 3, 3, 3),
    "3.6": (3,),
    "3.7": (2, 2, 3, 3, 3),
    "4.1": (1, 2, 2, 3, 3),
    "4.2": (2, 3, 3, 3, 3),
    "4.3": (2, 2),
    "4.4": (1, 2, 2, 2),
    "5.1": (2,),
    "5.2": (1, 1, 2, 3, 3, 3),
    "5.3": (1, 1, 3),
    "5.4": (2, 2, 2),
    "6.1": (1, 2, 2),
    "6.2": (1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2),
    "6.3": (1, 1, 2, 2, 3, 3, 3, 3),
    "6.4": (1, 1, 2, 2, 3, 3),
    "6.5": (2, 2, 2, 2, 2, 3, 3, 3),
    "6.6": (2, 2, 2, 3),
    "6.7": (3, 3),
    "6.8": (2, 2, 2, 2),
    "7.1": (2, 2, 2),
    "7.2": (1, 1, 1, 1),
    "7.3": (2, 2),
    "7.4": (1, 1, 2, 2, 2),
    "7.5": (2, 2, 3),
    "7.6": (2, 2),
    "8.1": (1, 2, 3, 3),
    "8.2": (1, 1, 2, 3),
    "8.3": (1, 3, 3),
    "8.4": (2, 3),
    "9.1": (1, 1, 1),
    "9.2": (1, 2, 2, 2),
    "10.1": (2, 2),
    "10.2": (2, 2, 3),
    "10.3": (2, 2, 2, 2, 3),
    "10.4": (1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3),
    "10.5": (2, 2, 2, 2, 2),
    "10.6": (2, 2),
    "10.7": (2, 2, 2),
    "11.1": (2, 2, 3, 3),
    "11.2": (2, 2, 2, 3, 3),
    "11.3": (1, 1, 2, 3, 3),
    "11.4": (1, 2, 2, 2),
    "11.5": (2, 3),
    "11.6": (2, 3),
    "11.7": (3, 3),
    "12.1": (1, 2, 2, 3, 3),
    "12.2": (1, 1),
    "12.3": (2, 2, 2, 2, 3),
    "13.1": (2, 3, 3, 3),
    "13.2": (2, 2, 2, 2, 2, 3),
    "13.3": (2, 2, 3, 3),
    "13.4": (1, 2, 2, 2, 2, 3, 3),
    "14.1": (2, 2),
    "14.2": (1, 2, 2, 2, 3, 3, 3, 3),
    "14.3": (1, 2, 2),
    "15.1": (1, 2, 2, 3, 3),
    "15.2": (1, 2, 2, 3, 3),
    "15.3": (1, 2, 2, 2, 2, 2, 2),
    "15.4": (3, 3, 3, 3),
    "16.1": (2,),
    "16.2": (2, 2, 2, 2, 2),
    "16.3": (2, 2, 2, 2),
    "16.4": (2, 2, 2),
    "16.5": (2, 2, 2, 3),
    "17.1": (2, 3),
    "17.2": (2, 2, 2, 2, 3, 3, 3, 3),
    "17.3": (2, 2),
}


def in_words(test: str) -> str:
    """The last part of a test's name, without its parameters, as the page writes it."""
    return function_of(test).rpartition("::")[2].removeprefix("test_").replace("_", " ")


def test_every_requirement_of_the_chapters_is_there() -> None:
    """None is left out, none invented, each with its level."""
    published = {
        f"{section}.{number}": level
        for section, levels in LEVELS.items()
        for number, level in enumerate(levels, start=1)
    }
    assert {entry.id: entry.level for entry in TABLE} == published


@pytest.mark.timeout(600)  # where only this is run, it collects them all anew
def test_every_test_that_is_named_is_collected(request: pytest.FixtureRequest) -> None:
    """A test that was renamed or removed is told here, before a whole run says so."""
    assert absent((test for entry in TABLE for test in entry.named), request.session) == []


def test_level_2_is_claimed_with_nothing_left_to_do() -> None:
    """Each of levels 1 and 2 is met, the application's, or of something that is not here: none is to come."""
    claimed = [entry for entry in TABLE if entry.level < 3]
    assert {entry.status for entry in claimed} == {"met", "application", "not claimed"}
    assert "**ASVS 5.0 level 2, library scope**" in PAGE.read_text(encoding="utf-8")
    absent_here = re.compile(r"^(Nothing here|There (is|are) no|No |Clients do not|Webhooks|Access tokens of ours)")
    assert [entry.id for entry in claimed if entry.status == "not claimed" and not absent_here.match(entry.why)] == []
    assert {entry.chapter for entry in TABLE} == {f"V{number}" for number in range(1, 18)}


def test_the_reference_applications_tests_stand_apart() -> None:
    """Under ``app_tests`` are those of the application, and only they."""
    assert [test for entry in TABLE for test in entry.tests if test.startswith("tests/app/")] == []
    assert [test for entry in TABLE for test in entry.app_tests if not test.startswith("tests/app/")] == []


@pytest.fixture(scope="module")
def page() -> str:
    """The page as Sphinx sees it, filled in by the documentation's own configuration."""
    configuration = run_path(str(ROOT / "docs/conf.py"))
    source = [PAGE.read_text(encoding="utf-8")]
    configuration["_fill_in"](None, "reference/security", source)
    return source[0]


def test_the_page_shows_every_requirement_with_its_proof(page: str) -> None:
    """One line each under its chapter: level, status, and every test or the reason."""
    assert "{asvs}" not in page
    assert EDITION in page
    for chapter, text in re.findall(r"^## (V\d+)\b[^\n]*\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL):
        cells = [line.split(" | ") for line in text.splitlines() if re.match(r"\| \d", line)]
        mine = [entry for entry in TABLE if entry.chapter == chapter]
        assert [line[0].lstrip("| ") for line in cells] == [entry.id for entry in mine]
        for entry, (_, level, what, status, proof) in zip(mine, cells, strict=True):
            assert (level, what, status) == (str(entry.level), entry.what, entry.status)
            assert entry.why in proof
            assert all(in_words(test) in proof for test in entry.named)
            assert all(test.partition("::")[0] in proof for test in entry.named)
    assert len(re.findall(r"^\| \d+\.\d+\.\d+ \|", page, re.MULTILINE)) == len(TABLE)


def test_the_example_of_the_page_can_be_loaded(page: str, tmp_path: Path) -> None:
    """Who copies it has a file that is checked."""
    (example,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "asvs.toml").write_text(example, encoding="utf-8")
    assert [entry.status for entry in load_requirements(tmp_path / "asvs.toml")] == ["met"]
