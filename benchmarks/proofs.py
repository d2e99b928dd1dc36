"""How many rows of the fault matrix and of the ASVS list are proved: each test passes, and fails without its guard.

The rows of ``tests/faults.toml``, each with its guard taken away: its tests must turn red. The requirements that
``tests/asvs.toml`` calls met: every test that it names must pass on this machine. ``--quick`` takes some of either.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from postrmagic_core.testing.asvs import load_requirements
from postrmagic_core.testing.faults import load_rows
from postrmagic_core.testing.guards import Ways, attempt_all

from . import _named_tests
from ._harness import Bench

TAKES: frozenset[str] = frozenset()
ROOT: Final = Path(__file__).parents[1]
FAULTS: Final = ROOT / "tests" / "faults.toml"
ASVS: Final = ROOT / "tests" / "asvs.toml"
# What `make guards` runs with: most of a short run is the loading of plugins that no proof uses.
_BARE: Final = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "postrmagic_core.testing.pytest_plugin,pytest_timeout",
}
_AT_ONCE = 12
_NEEDED = ("xdist", "pytest_timeout", "anyio", "schemathesis")
_UNPROVED = re.compile(r"^(\d+\.\d+\.\d+)\s+(tests/.+)$", re.MULTILINE)
_NONE_FAILED, _SOME_FAILED = 0, 1


def run(bench: Bench) -> None:
    """Report every figure."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        bench.missing["proofs"] = f"not run: {', '.join(missing)} of the dependency group `test` is not installed"
        return
    requirements(bench)
    faults(bench)


def faults(bench: Bench) -> None:
    """``fault_rows``; ``fault_rows_proved``: whose tests turn red; ``fault_rows_not_applicable`` say why."""
    rows = load_rows(FAULTS)
    chosen = rows[:: -(-len(rows) // bench.scaled(len(rows), 8))]
    os.environ.update(_BARE)
    try:
        trials = list(attempt_all(chosen, Ways(jobs=_AT_ONCE)))
    finally:
        for name in _BARE:
            del os.environ[name]
    for trial in trials:
        if not trial.good:
            bench.missing[f"fault {trial.row.id}"] = f"not proved: {trial.verdict}"
    bench.figure("fault_rows", len(chosen))
    bench.figure("fault_rows_proved", sum(trial.verdict == "red" for trial in trials))
    bench.figure("fault_rows_not_applicable", sum(trial.verdict == "not applicable" for trial in trials))


def requirements(bench: Bench) -> None:
    """``asvs_rows``; ``asvs_rows_met``: called met, and every test passed; ``asvs_rows_application``: only it can."""
    every = load_requirements(ASVS)
    chosen = every[:: -(-len(every) // bench.scaled(len(every), 12))]
    met = {one.id for one in chosen if one.status == "met"}
    told = _unproved(sorted({test for one in chosen if one.id in met for test in one.named}))
    unproved = met & told.keys()
    for number in sorted(unproved):
        bench.missing[f"ASVS {number}"] = f"not met here: {told[number]}"
    bench.figure("asvs_rows", len(chosen))
    bench.figure("asvs_rows_met", len(met - unproved))
    bench.figure("asvs_rows_application", sum(one.status == "application" for one in chosen))


def _unproved(tests: list[str]) -> dict[str, str]:
    """The requirements one of whose tests did not pass, and which."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(tests))
        file.flush()
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider"]
        plugins = ["-p", "benchmarks._named_tests", "--asvs-report", str(ASVS)]
        done = subprocess.run(
            [*command, *plugins, *sorted({test.partition("::")[0] for test in tests})],
            cwd=ROOT,
            env={**os.environ, _named_tests.VARIABLE: file.name},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode not in {_NONE_FAILED, _SOME_FAILED}:
        raise RuntimeError(f"the tests did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return {number: " ".join(told.split()) for number, told in _UNPROVED.findall(done.stdout)}


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "proofs", *sys.argv[1:]]))
