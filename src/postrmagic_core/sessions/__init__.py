"""Sessions: encrypted, typed, saved field by field, and final when they end."""

from .._crypto import KeyRing
from ..errors import SessionTooLarge
from .binding import Binding, Client
from .cookie import CookieSessions
from .devices import Device
from .incidents import Incident
from .manager import SessionStore
from .session import Flash, Session

__all__ = [
    "Binding",
    "Client",
    "CookieSessions",
    "Device",
    "Flash",
    "Incident",
    "KeyRing",
    "Session",
    "SessionStore",
    "SessionTooLarge",
]
