"""``python -m postrmagic_core.testing.guards tests/faults.toml``: each guard is taken away, its tests must turn red."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import _fork_server
from .faults import VARIABLE, Row, disarm, load_rows

Verdict = Literal["red", "green", "skipped", "broken", "passed", "not applicable"]
_PYTEST_FAILED, _PYTEST_NONE_FAILED = 1, 0
_TIMEOUT = 180.0
_ENDED = "had to be ended after"
# An interpreter that crashed exits with 1 as well, but has counted nothing.
_COUNTED = re.compile(rf"\d+ (failed|errors?)\b|{_ENDED}")
_LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a row: ``red`` and ``not applicable`` are good. ``output`` is pytest's.

    ``broken``: the tests did not run, or code stumbled over the ``None`` of a double that should have returned
    something (choose another double); neither shows that the guard matters. ``passed`` is what is good where the guards
    were left in place.
    """

    row: Row
    verdict: Verdict
    seconds: float
    output: str = ""

    @property
    def good(self) -> bool:
        """Whether the guard was proved to matter, or the fault cannot occur."""
        return self.verdict in {"red", "passed", "not applicable"}


@dataclass(frozen=True, slots=True)
class Ways:
    """How rows are tried: at most ``timeout`` seconds each, ``jobs`` at once.

    ``fresh``: each in a new interpreter instead of a fork of one that has loaded what the tests import from others.
    ``intact``: with the guards in place, so that every test must pass; otherwise red shows nothing.
    """

    jobs: int = 2
    timeout: float = _TIMEOUT
    fresh: bool = not _LINUX
    intact: bool = False


def attempt(row: Row, timeout: float = _TIMEOUT) -> Trial:
    """Run the row's tests without its guard, in a new interpreter: each must fail.

    A run longer than ``timeout`` seconds is ended and counts as red.
    """
    return _attempt(row, Ways(timeout=timeout))


def attempt_all(rows: Sequence[Row], ways: Ways) -> Iterator[Trial]:
    """:func:`attempt` for every row, each told when it has ended."""
    if ways.fresh:
        with ThreadPoolExecutor(ways.jobs) as pool:
            yield from pool.map(lambda row: _attempt(row, ways), rows)
    else:
        yield from (_not_applicable(row) for row in rows if not row.claimed)
        left = []
        for trial in _forked(
            sorted((row for row in rows if row.claimed), key=lambda row: not row.slow), ways, loaded=True
        ):
            if trial.good:
                yield trial
            else:
                left.append(trial.row)
        yield from _forked(left, ways, loaded=False)


def _attempt(row: Row, ways: Ways) -> Trial:
    if not row.claimed:
        return _not_applicable(row)
    began = time.monotonic()
    code, output = _pytest(row, ways)
    return _judged(row, ways, code, output, time.monotonic() - began)


def _forked(rows: Sequence[Row], ways: Ways, *, loaded: bool) -> Iterator[Trial]:
    """Each row in a fork of a process that has loaded what the tests import; the guards' own package if ``loaded``.

    Then a row that did not turn red says nothing: who took the guard by another name still has it.
    """
    if not rows:
        return
    runs: list[_fork_server.Run] = [
        {
            "package": row.guard.partition(":")[0].partition(".")[0],
            "tests": row.tests,
            "arguments": _arguments(row, ways),
            "environment": _environment(row, ways),
        }
        for row in rows
    ]
    order: _fork_server.Order = {"runs": runs, "jobs": ways.jobs, "timeout": ways.timeout, "loaded": loaded}
    unanswered = dict(enumerate(rows))
    command = [sys.executable, "-P", _fork_server.__file__, str(os.getpid())]
    server = subprocess.Popen(
        command,
        env=_undisturbed(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with server:
        try:
            assert server.stdin is not None
            assert server.stdout is not None
            json.dump(order, server.stdin)
            server.stdin.close()
            for line in server.stdout:
                answer: _fork_server.Answer = json.loads(line)
                row = unanswered.pop(answer["number"])
                code, output = answer["code"], answer["output"]
                if answer["late"]:
                    code, output = _late(output, ways)
                yield _judged(row, ways, code, output, answer["seconds"])
        finally:
            server.kill()
    for row in unanswered.values():
        yield Trial(row, "broken", 0.0, f"the fork server ended with code {server.returncode}: try --fresh")


def _not_applicable(row: Row) -> Trial:
    return Trial(row, "not applicable", 0.0)


def _judged(row: Row, ways: Ways, code: int, output: str, seconds: float) -> Trial:
    if ways.intact:
        passed = code == _PYTEST_NONE_FAILED and " passed" in output
        return Trial(row, "passed" if passed else "broken", seconds, output)
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


def _arguments(row: Row, ways: Ways) -> list[str]:
    arguments = ["-q", "-rfE", "--tb=line", "-p", "no:cacheprovider", *row.tests]
    if len(row.tests) == 1:  # the first of its cases that fails has shown it red
        return [*arguments, "--exitfirst"]
    return arguments if ways.intact else [*arguments, "-p", "postrmagic_core.testing._first_red"]


def _environment(row: Row, ways: Ways) -> dict[str, str]:
    return {} if ways.intact else disarm(row)


def _undisturbed() -> dict[str, str]:
    """The environment without a guard that somebody else takes away."""
    return {name: value for name, value in os.environ.items() if name != VARIABLE}


def _pytest(row: Row, ways: Ways) -> tuple[int, str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *_arguments(row, ways)],
        env={**_undisturbed(), **_environment(row, ways)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=ways.timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return _late(output, ways)
    return process.returncode, output


def _late(output: str, ways: Ways) -> tuple[int, str]:
    return _PYTEST_FAILED, f"{output}\n{_ENDED} {ways.timeout} s"


def report(trials: Iterable[Trial]) -> None:
    """Print the table, and the output of what was expected to be red and is not."""
    from rich.console import Console
    from rich.table import Table

    console, trials = Console(), list(trials)
    table = Table("fault", "without the guard", "its tests are", "s", title="Fault proofs that can fail")
    colours = {"red": "green", "passed": "green", "not applicable": "dim"}
    for trial in trials:
        verdict = f"[{colours.get(trial.verdict, 'bold red')}]{trial.verdict}[/]"
        table.add_row(trial.row.id, trial.row.guard or trial.row.not_applicable, verdict, f"{trial.seconds:.1f}")
    console.print(table)
    for trial in trials:
        if not trial.good:
            console.rule(f"{trial.row.id}: {trial.verdict}")
            console.print(trial.output[-3000:], markup=False, highlight=False)


def _told(trial: Trial, *, verbose: bool) -> Trial:
    ended = f", {_ENDED} that" if _ENDED in trial.output else ""
    sys.stderr.write(f"{trial.row.id}: {trial.verdict}, {trial.seconds:.1f} s{ended}\n")
    if verbose and trial.good:
        sys.stderr.write(f"{trial.output}\n")
    return trial


def _part(text: str) -> tuple[int, int]:
    first, step = map(int, text.split("/"))
    if not 1 <= first <= step:
        raise ValueError  # argparse says the rest
    return first, step


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 when every claimed row turned red, else 1."""
    parser = argparse.ArgumentParser(prog="python -m postrmagic_core.testing.guards", description=__doc__)
    parser.add_argument("path", type=Path, help="faults.toml")
    parser.add_argument("ids", nargs="*", help="only these faults")
    parser.add_argument("--jobs", type=int, default=2, help="rows tried at once")
    parser.add_argument(
        "--timeout",
        type=float,
        default=_TIMEOUT,
        metavar="S",
        help=f"seconds for each row, else it is red ({_TIMEOUT:g})",
    )
    parser.add_argument("--fresh", action="store_true", help="a new interpreter for each row (slower)")
    parser.add_argument("--part", type=_part, default=(1, 1), metavar="K/N", help="only rows K, K+N, K+2N, …")
    parser.add_argument("--verbose", action="store_true", help="show how each row that is good failed")
    parser.add_argument("--intact", action="store_true", help="leave the guards in place: every test must pass")
    given = parser.parse_args(arguments)
    first, step = given.part
    rows = [row for row in load_rows(given.path) if not given.ids or row.id in given.ids][first - 1 :: step]
    ways = Ways(jobs=given.jobs, timeout=given.timeout, fresh=given.fresh or not _LINUX, intact=given.intact)
    trials = {trial.row.id: _told(trial, verbose=given.verbose) for trial in attempt_all(rows, ways)}
    report([trials[row.id] for row in rows])
    return 0 if all(trial.good for trial in trials.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
