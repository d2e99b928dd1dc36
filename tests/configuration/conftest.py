"""An empty place to have settings in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.configuration.place import FIRST, Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty directory, an environment with one key and nothing else of ours."""
    for name in list(os.environ):
        if name.startswith("POSTRMAGIC_") and not name.startswith("POSTRMAGIC_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    made = Place(tmp_path, monkeypatch)
    made.environment(SECURITY__KEYS=f'["{FIRST}"]')
    return made
