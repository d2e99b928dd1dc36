"""What a hash costs, what a verification found, and how hashes of an older scheme are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Argon2id's parameters: memory in KiB, passes over it, and lanes computed in parallel.

    The defaults are the second recommended option of RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes.
    """

    memory_kib: int = 65_536
    passes: int = 3
    lanes: int = 4

    def within(self, limit: Argon2Cost) -> bool:
        """Whether no parameter is above ``limit``'s."""
        return self.memory_kib <= limit.memory_kib and self.passes <= limit.passes and self.lanes <= limit.lanes


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether the password is right; ``rehash`` is then the hash to store in place of the old one, if it is outdated.

    True in a condition if ``ok`` is.
    """

    ok: bool
    rehash: str | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        return self.ok


class LegacyHasher(Protocol):
    """Reads hashes of an older scheme; what pwdlib calls a hasher is one.

    It must look at the whole password: one that cuts it (bcrypt before 5.0 does, after 72 bytes) would let the rest be
    anything, and the new hash would keep it so.
    """

    def identify(self, hash: str) -> bool:
        """Whether ``hash`` is of this scheme."""
        ...

    def verify(self, password: str, hash: str) -> bool:
        """Whether ``hash`` was made of ``password``."""
        ...
