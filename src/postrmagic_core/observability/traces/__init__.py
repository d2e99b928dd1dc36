"""Traces: what one request did, and what it caused, across HTTP, SQL, cache, events and jobs, by OpenTelemetry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .manager import Tracing
else:  # nothing of OpenTelemetry is loaded before a Tracing opens
    __getattr__ = lazily(__name__, {"Tracing": "manager"})

__all__ = ["Tracing"]
