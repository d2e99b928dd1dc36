"""A configured logger whose lines can be read back."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from postrmagic_core.log import LogHandle, configure


class Written:
    """What a configuration wrote, as text and as parsed lines."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.handle: LogHandle | None = None

    @property
    def text(self) -> str:
        """Everything, once the writer is done with it."""
        assert self.handle is None or self.handle.flush()
        return self.stream.getvalue()

    @property
    def lines(self) -> list[str]:
        """The lines as ``splitlines`` of any reader may see them: it also cuts at U+2028 and its like."""
        return self.text.splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every line parsed."""
        return [json.loads(line) for line in self.lines]

    @property
    def last(self) -> dict[str, Any]:
        """The last line parsed."""
        return self.events[-1]


@pytest.fixture
def configured() -> Iterator[Callable[..., tuple[Written, LogHandle]]]:
    """A factory: ``configured(format="json")`` configures logging for this test."""
    handles: list[LogHandle] = []

    def make(**options: Any) -> tuple[Written, LogHandle]:
        written = Written()
        handle = configure(**{"stream": written.stream, "format": "json", "level": "DEBUG", **options})
        handles.append(handle)
        written.handle = handle
        return written, handle

    yield make
    for handle in handles:
        handle.close()


@contextmanager
def _alone() -> Iterator[None]:
    elsewhere = [handler for handler in logging.root.handlers if type(handler).__module__ == "_pytest.logging"]
    for handler in elsewhere:
        logging.root.removeHandler(handler)
    yield
    for handler in elsewhere:
        logging.root.addHandler(handler)


@pytest.fixture
def alone() -> Callable[[], AbstractContextManager[None]]:
    """``with alone():`` pytest's own handlers are away: they re-raise what a record raises when it is shown."""
    return _alone


@pytest.fixture
def written(configured: Callable[..., tuple[Written, LogHandle]]) -> Written:
    """JSON lines of this test."""
    return configured()[0]
