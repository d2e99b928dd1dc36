"""Public test kit: private servers, fault injection, contracts, fakes."""

from .clock import FakeClock
from .proxy import FaultProxy
from .spawn import Child, spawn

__all__ = ["FakeClock", "FaultProxy", "spawn", "Child"]
