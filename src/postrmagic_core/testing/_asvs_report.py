"""``pytest --asvs-report FILE``: a requirement that names a test which did not run and pass fails the run."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

import pytest

from .asvs import EDITION, covers, function_of, load_requirements

# Options that leave out a part of the suite: what did not run then is told, and fails nothing.
_PARTS: Final = ("keyword", "deselect", "ignore", "ignore_glob", "lf", "stepwise", "collectonly")

_ABSENT: Final = "did not run"


class AsvsReport:
    """Listens to the run and, at its end, holds it against the requirements."""

    def __init__(self, path: Path, config: pytest.Config) -> None:
        self._requirements = load_requirements(path)
        self._partial = config.args_source is pytest.Config.ArgsSource.ARGS or any(
            config.getoption(name, None) for name in _PARTS
        )
        self._ends: defaultdict[str, dict[str, set[str]]] = defaultdict(dict)
        self._unproved: list[tuple[str, str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how each phase of a test ended; a set-up that passed proves nothing, nor does a failure foretold."""
        if report.when == "call" or report.outcome != "passed":
            ends = self._ends[_file_of(report.nodeid)].setdefault(report.nodeid, set())
            ends.add("xfail" if hasattr(report, "wasxfail") else report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run of the whole suite that leaves a requirement unproved."""
        self._unproved = [
            (requirement.id, test, problem)
            for requirement in self._requirements
            for test in requirement.named
            if (problem := self._problem(test))
        ]
        if self._unproved and not self._partial and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name every test that proves nothing, and how the requirements stand."""
        terminalreporter.section(EDITION)
        shown = [line for line in self._unproved if not (self._partial and line[2] == _ABSENT)]
        width = max((len(test) for _, test, _ in shown), default=0)
        for number, test, problem in shown:
            terminalreporter.line(f"{number:<8}{test:<{width}}  {problem}", red=True)
        count = Counter(requirement.status for requirement in self._requirements)
        stand = ", ".join(f"{number} {status}" for status, number in count.items())
        terminalreporter.line(f"{len(self._requirements)} requirements: {stand}; {len(shown)} tests of them unproved")
        if count["not yet"]:
            late = (requirement.id for requirement in self._requirements if requirement.status == "not yet")
            terminalreporter.line(f"not yet: {', '.join(late)}")
        if self._partial:
            terminalreporter.line("a part of the suite ran: a claim is held against the whole suite only")

    def _problem(self, test: str) -> str:
        """Why ``test`` proves nothing; empty when each of its functions passed, and none of their parameters failed."""
        functions: defaultdict[str, set[str]] = defaultdict(set)
        for node, ends in self._ends[_file_of(test)].items():
            if covers(test, node):
                functions[function_of(node)] |= ends
        if not functions:
            return _ABSENT
        ends = set().union(*functions.values())
        if "failed" in ends:
            return "failed"
        if "xfail" in ends:
            return "is expected to fail"
        return "" if all("passed" in each for each in functions.values()) else "was skipped"


def _file_of(test: str) -> str:
    return test.partition("::")[0]
