"""Guards tried in forks of one process: told as from new interpreters, each of which such a fork replaces."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from postrmagic_core.testing import _fork_server
from postrmagic_core.testing.faults import Row
from postrmagic_core.testing.guards import Trial, Ways, attempt_all, main
from tests.testing.test_guards import SPARE, project  # noqa: F401 - pytest looks for fixtures here
from tests.testing.test_guards import row as row_of

pytestmark = [
    pytest.mark.usefixtures("project"),
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="rows are forked on Linux only"),
]

NOOP = "postrmagic_core.testing.doubles:noop"
WHERE = """
from pathlib import Path

def test_in_a_fork_only():
    assert b"_fork_server" in Path("/proc/self/cmdline").read_bytes()

def test_never_in_a_fork():
    assert b"_fork_server" not in Path("/proc/self/cmdline").read_bytes()
"""


def tried(
    *rows: Row, jobs: int = 2, timeout: float = 60, fresh: bool = False, intact: bool = False
) -> dict[str, Trial]:
    """What became of each row, by its id."""
    return {trial.row.id: trial for trial in attempt_all(rows, Ways(jobs, timeout, fresh, intact))}


def named(name: str, given: Row) -> Row:
    """The same row under another name."""
    return Row(name, given.tests, given.guard, given.double, given.not_applicable)


@pytest.mark.parametrize("fresh", [False, True], ids=["forked", "fresh"])
def test_either_way_the_verdict_says_what_the_tests_did(fresh: bool) -> None:
    """A fork and a new interpreter tell the same of every kind of row."""
    rows = {
        "red": row_of("test_negative_is_refused", "check"),
        "second guard": row_of("test_much_is_not_paid", "Account.frozen", "false"),
        "cannot fail": row_of("test_that_cannot_fail", "check"),
        "skipped": row_of("test_skipped", "check"),
        "no test": row_of("test_that_is_not_there", "check"),
        "no guard": row_of("test_that_cannot_fail", "no_such_guard"),
        "none": row_of("test_limit", "limit"),
        "excused": Row("X1", not_applicable="no disk"),
    }
    trials = tried(*(named(name, row) for name, row in rows.items()), fresh=fresh)
    assert {name: trial.verdict for name, trial in trials.items()} == {
        "red": "red",
        "second guard": "green",
        "cannot fail": "green",
        "skipped": "skipped",
        "no test": "broken",
        "no guard": "broken",
        "none": "broken",
        "excused": "not applicable",
    }
    assert "guarded:no_such_guard does not exist" in trials["no guard"].output
    assert [trial.good for trial in trials.values()].count(True) == 2


def test_a_double_reaches_who_imports_the_guard_by_another_name(pytester: pytest.Pytester) -> None:
    """What is under trial is imported in the fork, after the double is in place: not once for all of them."""
    pytester.makepyfile(
        test_helper="""
        import pytest
        from helper import renamed

        def test_renamed():
            with pytest.raises(ValueError):
                renamed(-1)
        """
    )
    guarded = Row("guarded", ("test_helper.py::test_renamed",), "guarded:check")
    assert tried(guarded)["guarded"].verdict == "red"
    assert tried(guarded, intact=True)["guarded"].verdict == "passed"


def test_a_guard_that_others_may_have_imported_is_tried_in_a_new_interpreter(pytester: pytest.Pytester) -> None:
    """The standard library is loaded before the fork: the double would come too late for whoever has the name."""
    pytester.makepyfile(test_where=WHERE)
    trials = tried(
        Row("own", ("test_where.py::test_never_in_a_fork",), "guarded:check"),
        Row("library", ("test_where.py::test_in_a_fork_only",), "colorsys:rgb_to_hsv"),
    )
    assert {name: trial.verdict for name, trial in trials.items()} == {"own": "red", "library": "red"}
    assert not _fork_server.may_fork("somebody", {"somebody"})


def test_with_every_plugin_and_every_warning_an_error_a_fork_does_its_work(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packages with plugins were loaded by pytest's own import hook, which would warn of any other."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.setenv("PYTEST_ADDOPTS", SPARE)
    pytester.makeini("[pytest]\npythonpath = .\nfilterwarnings = error\n")
    pytester.makepyfile(
        test_with="import hypothesis\nimport postrmagic_core.errors\nimport guarded\n\n"
        "def test_with():\n    assert guarded.check(1) is None\n    assert guarded.limit() == 100\n"
    )
    double = "postrmagic_core.testing.doubles:true"
    given = Row("with", ("test_with.py::test_with",), "guarded:limit", double)
    trial = tried(given)["with"]
    assert trial.verdict == "red"
    assert "assert True == 100" in trial.output  # and nothing else is wrong


def test_what_is_loaded_beforehand_is_of_others() -> None:
    """Of the packages under trial nothing, of pytest's plugins nothing."""
    import sqlalchemy

    names = _fork_server.of_others({"postrmagic_core", "json"})
    assert {sqlalchemy.__name__, "sqlalchemy.sql", "decimal"} <= set(names)
    assert {name.partition(".")[0] for name in names}.isdisjoint({"postrmagic_core", "json", "_pytest", "tests"})


def test_who_has_the_guard_by_another_name_is_tried_again_without_it(pytester: pytest.Pytester) -> None:
    """Loaded with its users it is not reached everywhere: what stays green then is tried as in a new process."""
    pytester.makepyfile(kept="from guarded import check as kept\n")
    pytester.makepyfile(test_kept="import kept\n\ndef test_kept():\n    assert kept.kept(1) is None\n")
    double = "postrmagic_core.testing.doubles:true"
    assert tried(Row("kept", ("test_kept.py::test_kept",), "guarded:check", double))["kept"].verdict == "red"


@pytest.mark.soak
def test_a_hanging_proof_is_ended_with_what_it_started(pytester: pytest.Pytester) -> None:
    """Nothing of it goes on, and the next row has its turn."""
    pytester.makepyfile(
        test_hang="""
        import subprocess, time
        from pathlib import Path

        def test_hang():
            Path("pid").write_text(str(subprocess.Popen(["sleep", "600"]).pid))
            time.sleep(600)
        """
    )
    trials = tried(
        Row("hangs", ("test_hang.py",), "guarded:check"),
        named("next", row_of("test_negative_is_refused", "check")),
        jobs=1,
        timeout=4,
    )
    assert [trials["hangs"].verdict, trials["next"].verdict] == ["red", "red"]
    assert "had to be ended after 4" in trials["hangs"].output
    assert ended(int(Path("pid").read_text()))


def test_what_a_test_leaves_running_is_ended_with_it(pytester: pytest.Pytester) -> None:
    """Its functions for the exit are called first, as by an interpreter that ends."""
    pytester.makepyfile(
        test_left="""
        import atexit, subprocess
        from pathlib import Path

        def test_left():
            Path("pid").write_text(str(subprocess.Popen(["sleep", "600"]).pid))
            atexit.register(Path("exit").touch)
            assert not "left"
        """
    )
    assert tried(Row("left", ("test_left.py",), "guarded:check"))["left"].verdict == "red"
    assert Path("exit").exists()
    assert ended(int(Path("pid").read_text()))


def ended(pid: int) -> bool:
    """Whether the process ends, or has ended and only waits to be noticed."""
    for _ in range(500):
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_server_that_dies_breaks_the_rows_it_has_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never silence, never red."""
    dying = tmp_path / "dying.py"
    dying.write_text("import sys\nsys.stdin.read()\nsys.exit(3)\n")
    monkeypatch.setattr(_fork_server, "__file__", str(dying))
    trial = tried(named("lost", row_of("test_negative_is_refused", "check")))["lost"]
    assert [trial.verdict, trial.good] == ["broken", False]
    assert "the fork server ended" in trial.output


def test_a_fork_that_is_killed_is_broken(pytester: pytest.Pytester) -> None:
    """Its signal is no failed test."""
    pytester.makepyfile(test_dies=f"import os\n\ndef test_dies():\n    os.kill(os.getpid(), {int(signal.SIGKILL)})\n")
    assert tried(Row("dies", ("test_dies.py",), "guarded:check"))["dies"].verdict == "broken"


@pytest.mark.parametrize("fresh", [False, True], ids=["forked", "fresh"])
def test_of_many_proofs_each_ends_with_its_first_red_case(pytester: pytest.Pytester, fresh: bool) -> None:
    """What is red already decides nothing any more; the others are run all the same."""
    pytester.makepyfile(
        test_cases="""
        import pytest, guarded

        @pytest.mark.parametrize("amount", [5, -1, -2, -3])
        def test_one(amount):
            assert amount > 0 or pytest.raises(ValueError, guarded.check, amount)

        class TestTwo:
            def test_whole(self):
                assert guarded.limit() == 100

            @pytest.mark.parametrize("amount", [-1, -2])
            def test_parts(self, amount):
                assert pytest.raises(ValueError, guarded.check, amount)
        """
    )
    trial = tried(Row("many", ("test_cases.py::test_one", "test_cases.py::TestTwo"), "guarded:check"), fresh=fresh)
    assert trial["many"].verdict == "red"
    assert "2 failed, 2 passed, 3 skipped" in trial["many"].output


def test_main_with_the_guards_in_place_wants_every_test_to_pass(
    project: pytest.Pytester,  # noqa: F811 - the fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A test that fails anyway, or by the way in which it is run, shows nothing when it fails without its guard."""
    path = project.path / "faults.toml"
    project.makepyfile(test_bad="def test_bad():\n    assert False\n")
    path.write_text("""
        [[fault]]
        id = "GOOD"
        tests = ["test_guarded.py::test_negative_is_refused", "test_guarded.py::test_limit"]
        guard = "guarded:check"
        [[fault]]
        id = "BAD"
        tests = ["test_bad.py"]
        guard = "guarded:check"
    """)
    assert main([str(path), "BAD"]) == 0
    assert main([str(path), "--intact"]) == 1
    assert "BAD: broken" in capsys.readouterr().out
    assert main([str(path), "GOOD", "--intact", "--fresh"]) == 0


def test_main_says_that_a_row_had_to_be_ended_and_how_it_failed(
    project: pytest.Pytester,  # noqa: F811 - the fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A time that is too short makes every row red: who reads the line has to see that it was the time."""
    path = project.path / "faults.toml"
    project.makepyfile(test_hang="import time\n\ndef test_hang():\n    time.sleep(60)\n")
    path.write_text("""
        [[fault]]
        id = "SLOW"
        tests = ["test_hang.py"]
        guard = "guarded:check"
        [[fault]]
        id = "GOOD"
        tests = ["test_guarded.py::test_negative_is_refused"]
        guard = "guarded:check"
    """)
    assert main([str(path), "SLOW", "--timeout", "2"]) == 0
    assert "had to be ended" in capsys.readouterr().err.splitlines()[0]
    assert main([str(path), "GOOD", "--verbose"]) == 0
    told = capsys.readouterr().err
    assert "had to be ended" not in told
    assert "FAILED test_guarded.py::test_negative_is_refused" in told
