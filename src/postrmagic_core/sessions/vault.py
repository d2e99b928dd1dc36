"""Names and seals: from a cookie to a row's key, from a record to a blob that opens nowhere else."""

from __future__ import annotations

import secrets

from .._crypto import KeyRing
from ..errors import DecodeError, SealBroken
from ..stores.keys import Keys
from . import policy
from .policy import Record

_ROW = "session"
_GUARD = "sessionuser"
_REVISION = 8


class Vault:
    """One namespace's rows. A row is named by the HMAC of its id: who reads the store can forge no cookie.

    A blob is its revision (8 bytes, big-endian) and the sealed record; revision and row are authenticated with it.
    """

    def __init__(self, ring: KeyRing, namespace: str) -> None:
        self._ring = ring
        self._keys = Keys(namespace)

    def new_id(self, user_id: str | None) -> bytes:
        """A fresh id: which user (or chance, before login), and 256 random bits."""
        prefix = secrets.token_bytes(policy.PREFIX) if user_id is None else self._prefixes(user_id)[0]
        return prefix + secrets.token_bytes(policy.SECRET)

    def row(self, raw_id: bytes) -> bytes:
        """The key of a new session's row."""
        return self._keys.build(_ROW, self._ring.mac(raw_id, purpose="session-id"))

    def rows(self, raw_id: bytes) -> list[bytes]:
        """The keys under which the row of ``raw_id`` may be, one per key of the ring, newest first."""
        return [self._keys.build(_ROW, mac) for mac in self._ring.macs(raw_id, purpose="session-id")]

    def guard(self, raw_id: bytes) -> bytes:
        """The key of the generation of whoever ``raw_id`` belongs to."""
        return self._keys.build(_GUARD, raw_id[: policy.PREFIX])

    def guards(self, user_id: str) -> list[bytes]:
        """The keys of a user's generation, one per key of the ring."""
        return [self._keys.build(_GUARD, prefix) for prefix in self._prefixes(user_id)]

    def seal(self, key: bytes, revision: int, record: Record) -> bytes:
        """The blob of ``record`` for the row ``key``."""
        head = revision.to_bytes(_REVISION, "big")
        return head + self._ring.seal(policy.pack(record), purpose="session", context=head + key)

    def open(self, key: bytes, blob: bytes) -> tuple[int, Record]:
        """Revision and record of the row ``key``; :class:`SealBroken` if the blob was not made for it."""
        head = blob[:_REVISION]
        opened = self._ring.open(blob[_REVISION:], purpose="session", context=head + key)
        try:
            return int.from_bytes(head, "big"), policy.unpack(opened)
        except DecodeError as error:
            raise SealBroken("the sealed value is not a session of this version") from error

    def _prefixes(self, user_id: str) -> list[bytes]:
        return [mac[: policy.PREFIX] for mac in self._ring.macs(user_id.encode(), purpose="session-user")]


def revision_bytes(revision: int) -> bytes:
    """A revision as SWAP compares it."""
    return revision.to_bytes(_REVISION, "big")
