"""SIGTERM before there is anything to end."""

from __future__ import annotations

import os
import signal
from types import FrameType


def end_before_it_begins() -> None:
    """Have SIGTERM end this process with status 0 until whoever runs it handles the signal itself.

    The first process of a container is not ended by a signal that it does not handle (pid_namespaces(7)): one that
    comes while an application is imported would be lost.
    """
    signal.signal(signal.SIGTERM, _end)


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(0)  # an exception could be caught by whatever is being imported
