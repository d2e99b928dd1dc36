"""Contracts run on what is broken on purpose: which of their tests notice."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

GOOD = "Good"
"""What is not broken is run under this name."""


def expect_red(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    planted: Mapping[str, set[str]],
    **names: str,
) -> None:
    """Run the module ``text``, formatted with ``names`` and ``tests``, by name: each plant's are red, the good's green.

    It makes a class ``Test<name>`` for each of ``tests``.
    """
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'examples'}")
    tests = {name: {f"test_{test.partition('[')[0]}" for test in expected} for name, expected in planted.items()}
    tests[GOOD] = set().union(*tests.values())
    pytester.makepyfile(text.format(tests=tests, **names))
    ran = pytester.runpytest_subprocess("-q", "-rA", "--tb=no", timeout=100)
    seen: defaultdict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for state, name, test in re.findall(r"^(PASSED|FAILED|ERROR) \S+?::Test(\w+)::test_(\S+)", ran.stdout.str(), re.M):
        seen[state][name].add(test)
    assert not seen["FAILED"][GOOD]
    assert not seen["ERROR"]
    for name, expected in planted.items():
        assert expected <= seen["PASSED"][GOOD], name
        assert expected <= seen["FAILED"][name], name
