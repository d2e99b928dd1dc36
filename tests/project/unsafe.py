"""What bandit finds unsafe, but for the lines that say why they are not: `python -m tests.project.unsafe FOLDER…`.

ruff has most of bandit's checks, S608 for its B608, and sees other cases of some. A line's `noqa` for the one counts
for the other, and so does what ruff leaves out for a whole folder; what bandit alone finds is excused by `nosec`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def excused(result: Mapping[str, Any], lines: Sequence[str], folders: Mapping[str, Sequence[str]]) -> bool:
    """Whether ruff's check of the same number is silenced on one of the lines of a finding, or for its folder."""
    same = result["test_id"].replace("B", "S")
    if any(same in checks and fnmatch(result["filename"], pattern) for pattern, checks in folders.items()):
        return True
    silenced = re.compile(rf"# noqa: (?:\w+, ?)*{same}\b")
    return any(silenced.search(lines[number - 1]) for number in result["line_range"])


def unsafe(report: Mapping[str, Any], root: Path, folders: Mapping[str, Sequence[str]]) -> list[str]:
    """The findings of a report that nothing excuses, and the files that could not be read."""
    complaints = [f"{error['filename']}: {error['reason']}" for error in report["errors"]]
    for result in report["results"]:
        name, line = result["filename"], result["line_number"]
        if not excused(result, (root / name).read_text(encoding="utf-8").splitlines(), folders):
            complaints.append(f"{name}:{line} {result['test_id']} {result['issue_text']}")
    return complaints


def main(places: Sequence[str]) -> int:
    """Run bandit and print what is left of its findings; not 0 if anything is."""
    command = [
        sys.executable,
        "-m",
        "bandit",
        "--quiet",
        "--exit-zero",
        "--format",
        "json",
        "--configfile",
        "pyproject.toml",
        "--recursive",
    ]
    done = subprocess.run([*command, *places], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)  # noqa: T201 - it warns of each nosec too: told only where it failed
        return done.returncode
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    report = json.loads(done.stdout)
    complaints = unsafe(report, ROOT, ruff["per-file-ignores"])
    if not report["metrics"]["_totals"]["loc"]:
        complaints.append(f"{' '.join(places)}: nothing to read")
    if complaints:
        print("\n".join(complaints))  # noqa: T201 - for whoever runs it
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
