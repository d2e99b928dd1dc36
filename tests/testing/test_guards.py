"""Guards: taken away on command, in this process and in children, and told apart by what their tests then do."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from postrmagic_core.testing import doubles, spawn
from postrmagic_core.testing.faults import BadRow, Row, disarm, load_rows, locate, replace
from postrmagic_core.testing.guards import attempt, main

CODE = """
def check(amount):
    if amount < 0:
        raise ValueError("negative")

def limit():
    return 100

class Account:
    def __init__(self):
        self.balance = 0

    @staticmethod
    def allowed(amount):
        return amount < 100

    @property
    def frozen(self):
        return True

    def pay(self, amount):
        check(amount)
        if self.frozen or not self.allowed(amount):
            raise PermissionError
        self.balance -= amount
"""

# A plugin that takes longer to load than all others together, and that our own runs leave out too.
SPARE = "-p no:schemathesis"

TESTS = """
import pytest
import guarded
from guarded import Account, check

def test_negative_is_refused():
    with pytest.raises(ValueError):
        check(-1)

def test_much_is_not_paid():
    with pytest.raises(PermissionError):
        Account().pay(500)

def test_limit():
    assert guarded.limit() < 101

def test_that_cannot_fail():
    assert True

@pytest.mark.skip("not here")
def test_skipped():
    pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A small project with guards and their tests; runs in it load our plugin alone, for speed."""
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p postrmagic_core.testing.pytest_plugin")
    pytester.makepyfile(guarded=CODE, test_guarded=TESTS, helper="from guarded import check as renamed\n")
    pytester.makeini("[pytest]\npythonpath = .\n")
    return pytester


def row(test: str, guard: str, double: str = "noop") -> Row:
    """A claimed row of the small project."""
    return Row("X1", (f"test_guarded.py::{test}",), f"guarded:{guard}", f"postrmagic_core.testing.doubles:{double}")


@pytest.mark.usefixtures("project")
def test_a_double_is_the_kind_of_attribute_that_the_guard_is(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A property stays one, a static method takes no self, and names imported elsewhere in the package follow."""
    monkeypatch.syspath_prepend(pytester.path)
    import guarded  # type: ignore[import-not-found]  # written by the fixture

    account, check = guarded.Account(), guarded.check
    assert [account.frozen, account.allowed(500)] == [True, False]
    replace("guarded:Account.frozen", "postrmagic_core.testing.doubles:false")
    replace("guarded:Account.allowed", "postrmagic_core.testing.doubles:identity")
    assert [account.frozen, account.allowed(500), guarded.Account.allowed(500)] == [False, 500, 500]
    replace("guarded:check", "postrmagic_core.testing.doubles:noop")
    assert guarded.check is not check
    account.pay(-1)
    assert account.balance == 1


def test_a_guard_that_moved_is_broken_with_every_plugin_loaded(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ended before its tests is no proof, whatever its exit code."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTEST_ADDOPTS", SPARE)
    trial = attempt(row("test_that_cannot_fail", "no_such_guard"), timeout=60)
    assert trial.verdict == "broken"
    assert "guarded:no_such_guard does not exist" in trial.output


@pytest.mark.usefixtures("project")
def test_one_test_that_stays_green_spoils_its_row() -> None:
    """A row is as good as its weakest proof, and that one is named."""
    both = ("test_guarded.py::test_negative_is_refused", "test_guarded.py::test_that_cannot_fail")
    trial = attempt(Row("X1", both, "guarded:check"), timeout=60)
    assert trial.verdict == "green"
    assert trial.output.endswith("not red: test_guarded.py::test_that_cannot_fail")


def test_a_single_proof_ends_with_the_first_parameter_that_is_red(project: pytest.Pytester) -> None:
    """One that stays green decides nothing; after one that is red the others need no run."""
    project.makepyfile(
        test_many="""
        import pytest, guarded

        @pytest.mark.parametrize("amount", [5, -1, -2])
        def test_many(amount):
            assert amount > 0 or pytest.raises(ValueError, guarded.check, amount)
        """
    )
    trial = attempt(Row("X1", ("test_many.py::test_many",), "guarded:check"), timeout=60)
    assert trial.verdict == "red"
    assert "1 failed, 1 passed" in trial.output


def test_a_hanging_proof_is_ended_and_red(project: pytest.Pytester) -> None:
    """Without its guard a test may never end: it is killed in time, and that is a failure of the test."""
    project.makepyfile(test_hang="import time, guarded\n\ndef test_hang():\n    guarded.check(1) or time.sleep(60)\n")
    trial = attempt(Row("X1", ("test_hang.py",), "guarded:check"), timeout=2)
    assert trial.verdict == "red"
    assert "ended after 2" in trial.output


def test_main_fails_while_one_row_stays_green(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    """The table names each row, the exit code is 1; asked for the good rows only, it is 0."""
    path = project.path / "faults.toml"
    path.write_text("""
        [[fault]]
        id = "GOOD"
        tests = ["test_guarded.py::test_negative_is_refused"]
        guard = "guarded:check"
        [[fault]]
        id = "BAD"
        tests = ["test_guarded.py::test_that_cannot_fail"]
        guard = "guarded:check"
        [[fault]]
        id = "NONE"
        not_applicable = "no disk"
    """)
    assert main([str(path)]) == 1
    printed = capsys.readouterr().out
    assert "BAD: green" in printed
    assert "GOOD: " not in printed
    assert main([str(path), "GOOD", "NONE"]) == 0


def test_main_takes_its_part_of_the_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All parts together are all rows, each once."""
    path = tmp_path / "faults.toml"
    path.write_text("".join(f'[[fault]]\nid = "F{n}"\nnot_applicable = "no disk"\n' for n in range(7)))
    seen: list[str] = []
    for part in ("1/3", "2/3", "3/3"):
        assert main([str(path), "--part", part]) == 0
        seen += re.findall(r"\bF\d\b", capsys.readouterr().out)
    assert sorted(seen) == [f"F{n}" for n in range(7)]
    for wrong in ("0/3", "4/3", "3", "a/b"):
        with pytest.raises(SystemExit):
            main([str(path), "--part", wrong])


def speak() -> None:
    """Child: say whether the guard still guards."""
    sys.path.insert(0, str(Path.cwd()))
    from helper import renamed  # type: ignore[import-not-found]  # written by the test

    print(renamed(-1))  # noqa: T201 - the child's voice


@pytest.mark.usefixtures("project")
def test_a_spawned_child_has_no_guard_either() -> None:
    """The double is put in place before the child's function runs; without it the child fails."""
    with spawn(speak, env=disarm(row("any", "check"))) as child:
        assert child.line() == "None"
    with spawn(speak) as child:
        assert child.wait() == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('tests = ["a"]\nguard = "b:c"', "expected an id"),
        ('id = "A"\ntests = ["a"]', "either tests and guard"),
        ('id = "A"\ntests = ["a"]\nguard = "b:c"\nnot_applicable = "no"', "either tests and guard"),
        ('id = "A"\nguards = "b:c"\nnot_applicable = "no"', "guards"),
        ('id = "A"\nnot_applicable = "no"\n[[fault]]\nid = "A"\nnot_applicable = "no"', "occurs twice"),
    ],
)
def test_a_row_that_cannot_be_checked_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """The error names the row and what is wrong with it."""
    path = tmp_path / "faults.toml"
    path.write_text(f"[[fault]]\n{text}\n")
    with pytest.raises(BadRow, match=said):
        load_rows(path)


@pytest.mark.parametrize("place", ["no.such.module:x", "postrmagic_core.errors:Nothing", "postrmagic_core.errors", ""])
def test_a_place_that_does_not_exist_is_named(place: str) -> None:
    """A guard that moved is not silently dropped."""
    with pytest.raises(BadRow, match="does not exist"):
        locate(place)


def test_a_row_is_proved_by_its_parameter_sets_and_methods() -> None:
    """And by nothing whose name only begins like it."""
    claimed = Row("A", ("tests/test_a.py::test_b", "tests/test_c.py"), "m:g")
    assert claimed.proved_by("tests/test_a.py::test_b")
    assert claimed.proved_by("tests/test_a.py::test_b[1-x]")
    assert claimed.proved_by("tests/test_c.py::TestD::test_e")
    assert not claimed.proved_by("tests/test_a.py::test_bc")


def test_doubles_guard_nothing() -> None:
    """Each looks like a guard of its kind."""
    asyncio.run(doubles.async_noop(1, a=2))
    assert doubles.noop(1, a=2) is None  # type: ignore[func-returns-value]  # that it is None is the point
    assert doubles.true() is True
    assert doubles.false() is False
    assert doubles.identity("self", "text") == "text"
    with doubles.unlocked("lock"):
        pass


FAULTS = """
[[fault]]
id = "A"
tests = ["test_guarded.py::test_negative_is_refused"]
guard = "guarded:check"
"""


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ("", 0, "1 faults claimed, 0 tests of them unproved"),
        ('[[fault]]\nid = "B"\ntests = ["test_guarded.py::test_skipped"]\nguard = "g:g"', 1, "*was skipped or failed"),
        ('[[fault]]\nid = "B"\ntests = ["test_elsewhere.py"]\nguard = "g:g"', 1, "*test_elsewhere.py did not run"),
        ('[[fault]]\nid = "B"\nnot_applicable = "no disk"', 0, "1 faults claimed, 0 tests of them unproved"),
    ],
)
def test_the_report_fails_a_run_that_leaves_a_claim_unproved(
    project: pytest.Pytester, more: str, code: int, said: str
) -> None:
    """A proof that was skipped or left out is no proof."""
    (project.path / "faults.toml").write_text(FAULTS + more)
    run = project.runpytest_inprocess("--faults-report", "faults.toml")
    assert run.ret == code
    run.stdout.fnmatch_lines([said])
