"""Sessions: encrypted, typed, saved field by field, and final when they end."""

from .manager import SessionStore
from .session import Session

__all__ = ["Session", "SessionStore"]
