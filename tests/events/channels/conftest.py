"""Channels on real servers; in a soak on Valkey too."""

from __future__ import annotations

import os

import pytest

from postrmagic_core.testing import waiting
from postrmagic_core.testing.contracts import channel_rig
from postrmagic_core.testing.faults import VARIABLE
from tests.redis_kinds import (  # noqa: F401 - pytest looks for fixtures and hooks here
    own_redis_server,
    pytest_generate_tests,
    redis_kind,
    redis_url,
    replicated,
    valkey_server,
    valkey_url,
)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test whose guard is taken away is to fail anyway."""
    if VARIABLE in os.environ:
        for module in (channel_rig, waiting):
            monkeypatch.setattr(module, "SOON", 8.0)
