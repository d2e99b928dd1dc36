"""An application that is watched, and its dashboard behind a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser

from postrmagic_core.observability.dashboard import Dashboard
from postrmagic_core.stack import Stack
from tests.chromium import launched
from tests.observability.dashboard.made_up import QuickStack, settings, watch


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """An open Stack of which everything is watched, and nothing happened yet."""
    with QuickStack(settings(tmp_path), configure_logging=False) as opened:
        watch(opened)
        yield opened


@pytest.fixture
def house(stack: Stack) -> Dashboard:
    """Its dashboard, for anybody who says who they are in the header ``x-user``."""
    made = Dashboard(stack, allows=lambda request: request.headers.get("x-user"))
    stack.add(made)
    return made


@contextmanager
def served(app: Any, root_path: str = "") -> Iterator[str]:
    """The address of a server of ``app``; it has ended once the block has."""
    config = uvicorn.Config(app, port=0, log_level="critical", root_path=root_path, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def serve() -> Callable[..., Any]:
    """:func:`served`."""
    return served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    with launched() as running:
        yield running
