"""Public test kit: private servers, fault injection, contracts, fakes."""

from .clock import FakeClock
from .spawn import Child, spawn

__all__ = ["FakeClock", "spawn", "Child"]
