"""What a test logs, through the real chain."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from postrmagic_core.log import LogHandle, configure


class Records:
    """Log records as written."""

    def __init__(self, stream: io.StringIO, handle: LogHandle) -> None:
        self._stream, self._handle = stream, handle

    @property
    def text(self) -> str:
        """All lines."""
        assert self._handle.flush()
        return self._stream.getvalue()

    @property
    def all(self) -> list[dict[str, Any]]:
        """Every record."""
        return [json.loads(line) for line in self.text.splitlines()]

    def named(self, event: str) -> list[dict[str, Any]]:
        """The records of one event."""
        return [record for record in self.all if record["event"] == event]

    def at_least(self, *levels: str) -> list[dict[str, Any]]:
        """The records of these levels."""
        return [record for record in self.all if record["level"] in levels]


@pytest.fixture
def records() -> Iterator[Records]:
    """What the test logs."""
    stream = io.StringIO()
    with configure(format="json", stream=stream) as handle:
        yield Records(stream, handle)
