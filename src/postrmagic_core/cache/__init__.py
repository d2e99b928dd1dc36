"""The cache: values computed once however many ask, and never served past an invalidation of their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily
from .interface import CacheStats, Unavailable
from .manager import CacheManager
from .warming import WarmReport

if TYPE_CHECKING:
    from .queries import QueryCache
else:  # it brings SQLAlchemy
    __getattr__ = lazily(__name__, {"QueryCache": "queries"})

__all__ = ["CacheManager", "CacheStats", "QueryCache", "Unavailable", "WarmReport"]
