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

_ENDED = re.compile(r"^(PASSED|FAILED|ERROR) \S+?::Test(\w+)::test_(.+?)(?: - .*)?$", re.M)


def ended(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, text: str, *, apart: bool = False
) -> Mapping[str, Mapping[str, set[str]]]:
    """Run the module ``text``, in a process ``apart`` or here: by outcome and class ``Test<name>`` the tests' names."""
    # A plugin that is there is not one that is needed: some take longer to import than the tests take.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "postrmagic_core.testing.pytest_plugin,pytest_timeout")
    # In continuous integration pytest would compare whole lists, which takes it minutes for the long ones.
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(test_planted=text)
    # What hangs without its guard fails by itself, and not the trial of all of them.
    options = ("-q", "-rA", "--tb=no", "-p", "no:cacheprovider", "-o", "timeout=30")
    if apart:
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'examples'}")
        ran = pytester.runpytest_subprocess(*options, timeout=100)
    else:
        ran = pytester.runpytest_inprocess(*options)
    seen: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for state, name, test in _ENDED.findall(ran.stdout.str()):
        seen[state][name].add(test)
    assert not seen["ERROR"]
    return seen


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
    tests = {name: {f"test_{test.partition('[')[0]}" for test in expected} for name, expected in planted.items()}
    tests[GOOD] = set().union(*tests.values())
    seen = ended(pytester, monkeypatch, text.format(tests=tests, **names), apart=True)
    assert not seen["FAILED"][GOOD]
    for name, expected in planted.items():
        assert expected <= seen["PASSED"][GOOD], name
        assert expected <= seen["FAILED"][name], name
