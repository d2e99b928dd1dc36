"""``--asvs-report``: what a file of requirements may say, and which runs it fails."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from postrmagic_core.testing.asvs import BadEntry, covers, load_requirements

TESTS = """
import pytest

@pytest.mark.parametrize("kind", ["memory", "mysql"])
def test_good(kind):
    if kind == "mysql":
        pytest.skip("no server")

def test_skipped():
    pytest.skip("not here")

@pytest.mark.parametrize("number", [1, 2])
def test_bad_half(number):
    assert number == 1

@pytest.mark.xfail
def test_foretold():
    assert False

@pytest.mark.xfail
def test_foretold_wrongly():
    pass

@pytest.fixture
def left_dirty():
    yield
    raise OSError("the disk is full")

def test_that_leaves_dirt(left_dirty):
    pass

@pytest.fixture
def absent():
    raise OSError("no server")

def test_without_its_fixture(absent):
    pass

class TestClosed:
    def test_one(self):
        pass

    def test_two(self):
        pass

class TestAlsoClosed(TestClosed):
    pass

class TestHalf:
    def test_one(self):
        pass

    def test_two(self):
        pytest.skip("not here")
"""


def entry(number: str = "6.2.1", status: str = "met", **more: object) -> str:
    """One entry as TOML: complete but for what the status demands."""
    values = {"id": number, "level": 1, "what": "Passwords are long.", "status": status} | more
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    return "\n".join(["[[requirement]]", *lines, ""])


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A small project with tests of every end; runs in it load our plugin alone, for speed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider -p postrmagic_core.testing.pytest_plugin")
    pytester.makepyfile(test_rules=TESTS)
    return pytester


def run(project: pytest.Pytester, tests: list[str], *options: str, status: str = "met") -> pytest.RunResult:
    """The whole suite but its failures that no entry names, held against one entry with these tests."""
    why = "" if status == "met" else "Told."
    text = entry(tests=[f"test_rules.py::{test}" for test in tests], status=status, why=why)
    (project.path / "asvs.toml").write_text(text)
    return project.runpytest_inprocess("--asvs-report", "asvs.toml", "-q", "--tb=no", *options)


@pytest.fixture
def quiet(project: pytest.Pytester) -> pytest.Pytester:
    """The project without tests that fail by themselves: an exit other than 0 comes from the report alone."""
    kept = textwrap.dedent("""
    def pytest_collection_modifyitems(items):
        items[:] = [item for item in items if not any(bad in item.name for bad in ("bad", "dirt", "fixture"))]
    """)
    project.makeconftest(kept)
    return project


@pytest.mark.parametrize(
    "test", ["test_good", "test_good[memory]", "TestClosed", "TestClosed::test_two", "*::test_one"]
)
def test_a_claim_with_a_test_that_passed_passes(quiet: pytest.Pytester, test: str) -> None:
    """A function some of whose parameters were skipped, one set of them, a class, a method, that of all classes."""
    ran = run(quiet, [test])
    assert ran.ret == pytest.ExitCode.OK
    ran.stdout.fnmatch_lines(["*ASVS 5.0.0*", "1 requirements: 1 met; 0 tests of them unproved"])


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        ("test_skipped", "was skipped"),
        ("test_good[mysql]", "was skipped"),
        ("TestHalf", "was skipped"),
        ("*::test_two", "was skipped"),
        ("*::test_three", "did not run"),
        ("test_foretold", "is expected to fail"),
        ("test_foretold_wrongly", "is expected to fail"),
        ("test_renamed", "did not run"),
        ("test_goo", "did not run"),
        ("TestHalf::test_three", "did not run"),
    ],
)
def test_a_claim_without_proof_fails_the_run(quiet: pytest.Pytester, test: str, problem: str) -> None:
    """A skip, a failure that was foretold, a test that is not there: the line names requirement, test and reason."""
    ran = run(quiet, ["TestClosed", test])
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    assert f"6.2.1   test_rules.py::{test}  {problem}" in [line.rstrip() for line in ran.outlines]
    ran.stdout.fnmatch_lines(["1 requirements: 1 met; 1 tests of them unproved"])


@pytest.mark.parametrize(
    "test", ["test_bad_half", "test_bad_half[2]", "test_that_leaves_dirt", "test_without_its_fixture"]
)
def test_a_failure_is_named_with_its_requirement(project: pytest.Pytester, test: str) -> None:
    """One of several parameters, a set-up or a clearing away that failed: the claim is unproved."""
    ran = run(project, [test])
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    assert f"6.2.1   test_rules.py::{test}  failed" in [line.rstrip() for line in ran.outlines]


def test_what_passed_beside_a_failure_is_proved(project: pytest.Pytester) -> None:
    """Of a function's parameters only the one that is named counts."""
    ran = run(project, ["test_bad_half[1]"])
    ran.stdout.fnmatch_lines(["1 requirements: 1 met; 0 tests of them unproved"])


@pytest.mark.parametrize("status", ["application", "not yet"])
def test_named_tests_are_held_whatever_the_status(quiet: pytest.Pytester, status: str) -> None:
    """What an application's or an open requirement rests on is checked like a claim."""
    assert run(quiet, ["TestClosed"], status=status).ret == pytest.ExitCode.OK
    assert run(quiet, ["test_skipped"], status=status).ret == pytest.ExitCode.TESTS_FAILED


def test_the_reference_applications_tests_are_held_too(quiet: pytest.Pytester) -> None:
    """``app_tests`` count like ``tests``."""
    named = entry(tests=["test_rules.py::test_good"], app_tests=["test_rules.py::test_gone"])
    (quiet.path / "asvs.toml").write_text(named)
    ran = quiet.runpytest_inprocess("--asvs-report", "asvs.toml", "-q")
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(["6.2.1*test_rules.py::test_gone*did not run"])


def test_what_is_not_yet_is_told_and_fails_nothing(quiet: pytest.Pytester) -> None:
    """An open requirement is counted and named."""
    ran = run(quiet, [], status="not yet")
    assert ran.ret == pytest.ExitCode.OK
    ran.stdout.fnmatch_lines(["1 requirements: 1 not yet; 0 tests of them unproved", "not yet: 6.2.1"])


@pytest.mark.parametrize(
    "options",
    [
        ["test_rules.py"],
        ["-k", "good"],
        ["--deselect", "test_rules.py::TestClosed"],
        ["--ignore", "test_rules.py"],
        ["--collect-only"],
    ],
    ids=lambda options: options[0],
)
def test_a_part_of_the_suite_is_told_and_fails_nothing(quiet: pytest.Pytester, options: list[str]) -> None:
    """Who runs some tests is not told of those that did not run."""
    quiet.makepyfile(test_other="def test_good(): pass")
    ran = run(quiet, ["test_renamed"], *options)
    assert ran.ret == pytest.ExitCode.OK
    ran.stdout.fnmatch_lines(["1 requirements: 1 met; 0 tests of them unproved", "a part of the suite ran:*"])


def test_a_part_of_the_suite_names_what_it_found(quiet: pytest.Pytester) -> None:
    """A skip that a partial run meets is shown, and the run succeeds."""
    ran = run(quiet, ["test_skipped"], "-k", "skipped or good")
    assert ran.ret == pytest.ExitCode.OK
    ran.stdout.fnmatch_lines(["6.2.1*test_skipped*was skipped", "*1 tests of them unproved"])


def test_a_marker_expression_is_not_a_part(quiet: pytest.Pytester) -> None:
    """CI leaves the slow proofs out by ``-m``: a claim that rests on one of them is unproved there."""
    assert run(quiet, ["test_good"], "-m", "not soak").ret == pytest.ExitCode.OK
    assert run(quiet, ["test_good"], "-m", "not parametrize").ret == pytest.ExitCode.TESTS_FAILED


def test_it_is_the_same_in_several_processes(quiet: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under pytest-xdist the claims are held, once, against what all processes ran together."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider -p postrmagic_core.testing.pytest_plugin -p xdist")
    proved = entry("6.2.1", tests=["test_rules.py::test_good", "test_rules.py::TestClosed"])
    (quiet.path / "asvs.toml").write_text(proved + entry("6.2.2", tests=["test_rules.py::test_skipped"]))
    ran = quiet.runpytest_subprocess("--asvs-report", "asvs.toml", "-n", "2", "-q", timeout=60)
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(["2 requirements: 2 met; 1 tests of them unproved"])
    assert sum("requirements:" in line for line in ran.outlines) == 1


def test_a_failed_run_stays_failed(project: pytest.Pytester) -> None:
    """Proved claims do not hide a failure elsewhere."""
    assert run(project, ["test_good"]).ret == pytest.ExitCode.TESTS_FAILED


def test_a_run_without_the_option_says_nothing(quiet: pytest.Pytester) -> None:
    """The report is asked for, or it is not there."""
    ran = quiet.runpytest_inprocess("-q")
    assert ran.ret == pytest.ExitCode.OK
    assert "ASVS" not in ran.stdout.str()


@pytest.mark.parametrize("content", [None, "requirement ="], ids=["missing", "no TOML"])
def test_a_file_that_cannot_be_read_ends_the_run(quiet: pytest.Pytester, content: str | None) -> None:
    """A missing or damaged file is an error of use, never an empty list of claims."""
    if content is not None:
        (quiet.path / "asvs.toml").write_text(content)
    ran = quiet.runpytest_inprocess("--asvs-report", "asvs.toml")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines(["*asvs.toml cannot be read as TOML*"])


def test_a_claim_without_a_test_ends_the_run(quiet: pytest.Pytester) -> None:
    """Also where only a part of the suite is asked for."""
    (quiet.path / "asvs.toml").write_text(entry())
    ran = quiet.runpytest_inprocess("--asvs-report", "asvs.toml", "-k", "good")
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines(["*requirement 6.2.1 is met without a test: name one in `tests`*"])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected [[requirement]] entries"),
        (entry(tests=["a::b"]) + "[more]\n", "nothing beside them"),
        (entry("6.2"), 'expected an id such as "6.2.1"'),
        (entry("6.02.1"), 'expected an id such as "6.2.1"'),
        (entry("\N{FULLWIDTH DIGIT SIX}.2.1"), 'expected an id such as "6.2.1"'),
        (entry(level=None), "expected level = 1, 2 or 3, got None"),
        (entry(level=4), "expected level = 1, 2 or 3, got 4"),
        (entry(level="1"), "expected level = 1, 2 or 3, got '1'"),
        (entry(what=None, tests=["a::b"]), "say in `what` what it asks for"),
        (entry(what="two\nlines"), "expected `what` as one line of text"),
        (entry(status="done"), "expected status = met or application or not claimed or not yet, got 'done'"),
        (entry(test=["a::b"]), "unknown test; expected some of id, level, what, status, tests, app_tests, why"),
        (entry(), "6.2.1 is met without a test"),
        (entry(tests=[]), "6.2.1 is met without a test"),
        (entry(app_tests=["a::b"]), "6.2.1 is met without a test"),
        (entry(tests="a::b"), "expected `tests` as a list of tests"),
        (entry(tests=["tests/test_a.py"]), "each path/test_x.py::test_y or path/test_x.py::TestZ"),
        (entry(tests=["a::b", "a::b"]), "a test occurs twice in `tests`"),
        (entry(status="application"), "6.2.1 is application: say in `why`"),
        (entry(status="not claimed", why=""), "6.2.1 is not claimed: say in `why`"),
        (entry(status="not yet"), "6.2.1 is not yet: say in `why`"),
        (entry(status="not claimed", why="x", app_tests=["a::b"]), "not claimed, yet names tests"),
        (entry(tests=["a::b"]) * 2, "6.2.1 occurs twice"),
        (entry("6.2.10", tests=["a::b"]) + entry("6.2.9", tests=["a::b"]), "6.2.9 stands after 6.2.10"),
    ],
)
def test_what_cannot_be_checked_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    """The error names the requirement, what was expected and what stands there."""
    path = tmp_path / "asvs.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadEntry) as refused:
        load_requirements(path)
    assert complaint in str(refused.value)


def test_entries_are_read_in_order(tmp_path: Path) -> None:
    """Numbers are compared as numbers; what is left out is empty."""
    path = tmp_path / "asvs.toml"
    path.write_text(entry("6.2.9", tests=["a::b"], app_tests=["c::d"]) + entry("6.2.10", "application", why="It asks."))
    nine, ten = load_requirements(path)
    assert (nine.id, nine.chapter, nine.named, nine.why) == ("6.2.9", "V6", ("a::b", "c::d"), "")
    assert (ten.status, ten.named, ten.why) == ("application", (), "It asks.")


@pytest.mark.parametrize(
    ("test", "node", "belongs"),
    [
        ("t.py::test_a", "t.py::test_a", True),
        ("t.py::test_a", "t.py::test_a[x-y]", True),
        ("t.py::test_a", "t.py::test_ab", False),
        ("t.py::TestA", "t.py::TestA::test_a[x]", True),
        ("t.py::TestA", "t.py::TestAb::test_a", False),
        ("t.py::test_a[x]", "t.py::test_a[x]", True),
        ("t.py::test_a[x]", "t.py::test_a[x-y]", False),
        ("t.py::*::test_a", "t.py::TestA::test_a", True),
        ("t.py::*::test_a", "t.py::TestA::test_a[x::y]", True),
        ("t.py::*::test_a", "t.py::TestA::test_ab", False),
        ("t.py::*::test_a", "t.py::test_a", False),
        ("t.py::*::test_a", "t.py::test_b[x::test_a]", False),
        ("t.py::*::test_a", "u.py::TestA::test_a", False),
    ],
)
def test_a_node_belongs_to_the_test_that_holds_it(test: str, node: str, belongs: bool) -> None:
    """By whole names, never by how they begin."""
    assert covers(test, node) is belongs
