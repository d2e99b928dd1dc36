"""Public test kit: private servers, fault injection, contracts, fakes. Lazy, since the pytest plugin lives here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily

if TYPE_CHECKING:
    from .clock import FakeClock
    from .process import Child, spawn
    from .proxy import FaultProxy
    from .queries import assert_queries
    from .waiting import until
else:
    __getattr__ = lazily(
        __name__,
        {
            "FakeClock": "clock",
            "FaultProxy": "proxy",
            "spawn": "process",
            "Child": "process",
            "assert_queries": "queries",
            "until": "waiting",
        },
    )

__all__ = ["FakeClock", "FaultProxy", "assert_queries", "spawn", "Child", "until"]
