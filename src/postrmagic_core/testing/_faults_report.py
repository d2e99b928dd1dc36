"""``pytest --faults-report FILE``: a claimed fault whose tests did not all run and pass fails the run."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from .faults import Row, load_rows


class FaultsReport:
    """Listens to the run and, at its end, holds it against the claimed rows."""

    def __init__(self, path: Path) -> None:
        self._rows = [row for row in load_rows(path) if row.claimed]
        self._outcomes: defaultdict[str, set[str]] = defaultdict(set)
        self._unproved: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how each phase of a test ended; a set-up that passed proves nothing."""
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[report.nodeid].add(report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run that leaves a claim unproved."""
        self._unproved = [problem for row in self._rows for problem in self._problems(row)]
        if self._unproved and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name every unproved claim."""
        terminalreporter.section("fault proofs")
        for problem in self._unproved:
            terminalreporter.line(problem, red=True)
        terminalreporter.line(f"{len(self._rows)} faults claimed, {len(self._unproved)} tests of them unproved")

    def _problems(self, row: Row) -> list[str]:
        problems = []
        for test in row.tests:
            alone = Row(row.id, (test,))
            outcomes = [ends for node, ends in self._outcomes.items() if alone.proved_by(node)]
            if not outcomes:
                problems.append(f"{row.id}: {test} did not run")
            elif any(ends != {"passed"} for ends in outcomes):
                problems.append(f"{row.id}: {test} was skipped or failed")
        return problems
