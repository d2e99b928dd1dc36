"""The cache: values computed once however many ask, and never served past an invalidation of their tags."""

from .interface import CacheStats, Unavailable
from .manager import CacheManager

__all__ = ["CacheManager", "CacheStats", "Unavailable"]
