"""Passwords: hashed by argon2id, verified in equal time whoever is asked for, and refused when others would guess them.

::

    passwords = Passwords().open()
    passwords.require(given, context=[name, "PostrMagic"])  # ValidationFailed lists every problem
    stored = passwords.hash(given)

    found = passwords.verify(given, stored)  # stored=None where there is no such user: as slow, and never right
    if found.ok and found.rehash is not None:
        store(found.rehash)
"""

from .interface import Argon2Cost, LegacyHasher, Verified
from .manager import Passwords
from .policy import PasswordRules

__all__ = ["Argon2Cost", "LegacyHasher", "PasswordRules", "Passwords", "Verified"]
