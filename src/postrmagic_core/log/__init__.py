"""Logging: structured, redacted before it is rendered, one line a record, written by a thread of its own.

::

    with configure(level="INFO", service="media"):
        log = get_logger(__name__)
        with bind(request_id="…"):
            log.info("uploaded", media_id=7)

Nothing happens on import. Library code logs by the standard library; :func:`configure` gives everyone the same chain:
record, context, redaction, one line of JSON (or of colour, on a terminal), a bounded backlog, one write.
"""

from __future__ import annotations

from .interface import Rotation, Sampling, Sink, Tap
from .logger import Logger, bind, carried, get_logger
from .manager import LogHandle, configure, is_configured

__all__ = [
    "LogHandle",
    "Logger",
    "Rotation",
    "Sampling",
    "Sink",
    "Tap",
    "bind",
    "carried",
    "configure",
    "get_logger",
    "is_configured",
]
