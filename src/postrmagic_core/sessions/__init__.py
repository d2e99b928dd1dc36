"""Sessions: encrypted, typed, saved field by field, and final when they end."""

from .._crypto import KeyRing
from .manager import SessionStore
from .session import Session

__all__ = ["KeyRing", "Session", "SessionStore"]
