"""``-p postrmagic_core.testing._first_red``: once a test asked for has failed, its further cases are not run.

For :mod:`.guards`, to which the first red case (parameter, method, function of a file) decides.
"""

from __future__ import annotations

import pytest

from .faults import Row


class _FirstRed:
    def __init__(self, asked: list[str]) -> None:
        self._asked = [Row(test, (test,)) for test in asked]
        self._red: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Skip what decides nothing any more."""
        if self._red.issuperset(self._of(item.nodeid)):
            pytest.skip("shown red already")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note which of the tests asked for are red."""
        if report.failed:
            self._red |= self._of(report.nodeid)

    def _of(self, node: str) -> set[str]:
        return {test.id for test in self._asked if test.proved_by(node)} or {node}


def pytest_configure(config: pytest.Config) -> None:
    """Listen to the run."""
    config.pluginmanager.register(_FirstRed(config.args))
