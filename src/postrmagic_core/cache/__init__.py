"""The cache: values computed once however many ask, and never served past an invalidation of their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .interface import CacheStats, Unavailable
from .manager import CacheManager
from .warming import WarmReport

if TYPE_CHECKING:
    from .queries import QueryCache

__all__ = ["CacheManager", "CacheStats", "QueryCache", "Unavailable", "WarmReport"]


def __getattr__(name: str) -> Any:
    """Load what brings SQLAlchemy on first use."""
    if name != "QueryCache":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .queries import QueryCache

    return QueryCache
