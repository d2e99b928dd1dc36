"""Which of the tests that our files of claims name exist: told by the run under way, or else by a collection."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from postrmagic_core.testing.asvs import covers

ROOT = Path(__file__).parents[2]


def absent(named: Iterable[str], session: pytest.Session) -> list[str]:
    """Those of the named tests that there are not.

    A run of the whole suite has collected them already, which takes it a quarter of a minute; only files that it has
    not looked at, or has left something out of, are collected anew.
    """
    left = _not_covered(named, (item.nodeid for item in session.items))
    if not left:
        return []
    files = sorted({test.partition("::")[0] for test in left})
    # The last of our own options would leave the slow proofs out.
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", "-p", "no:cacheprovider", *files]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert collected.returncode == 0, collected.stdout[-3000:] + collected.stderr[-3000:]
    return _not_covered(left, collected.stdout.splitlines())


def _not_covered(named: Iterable[str], nodes: Iterable[str]) -> list[str]:
    by_file: defaultdict[str, list[str]] = defaultdict(list)
    for node in nodes:
        by_file[node.partition("::")[0]].append(node)
    return sorted(test for test in set(named) if not _is_there(test, by_file[test.partition("::")[0]]))


def _is_there(test: str, nodes: list[str]) -> bool:
    """A file is there with any of its tests."""
    return bool(nodes) if "::" not in test else any(covers(test, node) for node in nodes)
