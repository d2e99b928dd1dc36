"""A plugin of pytest: of the files given to it, only the tests that a list names, one a line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postrmagic_core.testing.asvs import covers

VARIABLE = "BENCHMARK_NAMED_TESTS"
"""Names the file with the list; ``path::*::test`` is that method in every class."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the others."""
    names = Path(os.environ[VARIABLE]).read_text(encoding="utf-8").splitlines()
    by_file: dict[str, list[str]] = {}
    for name in names:
        by_file.setdefault(name.partition("::")[0], []).append(name)
    named, others = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        asked = any(covers(name, item.nodeid) for name in by_file.get(item.nodeid.partition("::")[0], ()))
        (named if asked else others).append(item)
    items[:] = named
    config.hook.pytest_deselected(items=others)
