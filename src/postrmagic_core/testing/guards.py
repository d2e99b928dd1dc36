"""``python -m postrmagic_core.testing.guards tests/faults.toml``: each guard is taken away, its tests must turn red."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .faults import Row, disarm, load_rows

Verdict = Literal["red", "green", "skipped", "broken", "not applicable"]
_PYTEST_FAILED, _PYTEST_NONE_FAILED = 1, 0
_ENDED = "had to be ended after"
# An interpreter that crashed exits with 1 as well, but has counted nothing.
_COUNTED = re.compile(rf"\d+ (failed|errors?)\b|{_ENDED}")


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a row: ``red`` and ``not applicable`` are good. ``output`` is pytest's.

    ``broken``: the tests did not run, or code stumbled over the ``None`` of a double that should have returned
    something (choose another double); neither shows that the guard matters.
    """

    row: Row
    verdict: Verdict
    seconds: float
    output: str = ""

    @property
    def good(self) -> bool:
        """Whether the guard was proved to matter, or the fault cannot occur."""
        return self.verdict in {"red", "not applicable"}


def attempt(row: Row, timeout: float = 180.0) -> Trial:
    """Run the row's tests without its guard: each must fail.

    A run longer than ``timeout`` seconds is ended and counts as red.
    """
    if not row.claimed:
        return Trial(row, "not applicable", 0.0)
    began = time.monotonic()
    code, output = _pytest(row, timeout)
    seconds = time.monotonic() - began
    if code == _PYTEST_FAILED and _COUNTED.search(output) and "NoneType" not in output:
        green = _stayed_green(row, output)
        verdict: Verdict = "green" if green else "red"
        return Trial(row, verdict, seconds, "\n".join([output, *(f"not red: {test}" for test in green)]))
    if code == _PYTEST_NONE_FAILED:
        return Trial(row, "green" if " passed" in output else "skipped", seconds, output)
    return Trial(row, "broken", seconds, output)


def _stayed_green(row: Row, output: str) -> list[str]:
    """The row's tests of which nothing failed, by pytest's short summary; none where the run had to be ended."""
    if _ENDED in output:
        return []
    return [test for test in row.tests if not re.search(rf"^(FAILED|ERROR) {re.escape(test)}(\[|::| |$)", output, re.M)]


def _pytest(row: Row, timeout: float) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider", *row.tests]
    if len(row.tests) == 1:  # the first of its parameters that fails has shown it red
        command.append("--exitfirst")
    process = subprocess.Popen(
        command,
        env={**os.environ, **disarm(row)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return _PYTEST_FAILED, f"{output}\n{_ENDED} {timeout} s"
    return process.returncode, output


def report(trials: Iterable[Trial]) -> None:
    """Print the table, and the output of what was expected to be red and is not."""
    from rich.console import Console
    from rich.table import Table

    console, trials = Console(), list(trials)
    table = Table("fault", "without the guard", "its tests are", "s", title="Fault proofs that can fail")
    colours = {"red": "green", "not applicable": "dim"}
    for trial in trials:
        verdict = f"[{colours.get(trial.verdict, 'bold red')}]{trial.verdict}[/]"
        table.add_row(trial.row.id, trial.row.guard or trial.row.not_applicable, verdict, f"{trial.seconds:.1f}")
    console.print(table)
    for trial in trials:
        if not trial.good:
            console.rule(f"{trial.row.id}: {trial.verdict}")
            console.print(trial.output[-3000:], markup=False, highlight=False)


def _told(trial: Trial) -> Trial:
    sys.stderr.write(f"{trial.row.id}: {trial.verdict}, {trial.seconds:.1f} s\n")
    return trial


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when every claimed row turned red, else 1."""
    parser = argparse.ArgumentParser(prog="python -m postrmagic_core.testing.guards", description=__doc__)
    parser.add_argument("path", type=Path, help="faults.toml")
    parser.add_argument("ids", nargs="*", help="only these faults")
    parser.add_argument("--jobs", type=int, default=2, help="rows tried at once")
    given = parser.parse_args(arguments)
    rows = [row for row in load_rows(given.path) if not given.ids or row.id in given.ids]
    with ThreadPoolExecutor(given.jobs) as pool:
        trials = [_told(trial) for trial in pool.map(attempt, rows)]
    report(trials)
    return 0 if all(trial.good for trial in trials) else 1


if __name__ == "__main__":
    sys.exit(main())
