"""Names and seals: from a cookie to a row's key, from a record to a blob that opens nowhere else."""

from __future__ import annotations

import secrets
from functools import lru_cache
from hmac import compare_digest
from typing import NamedTuple

from .._crypto import KeyRing
from ..errors import DecodeError, SealBroken
from ..stores.keys import Keys
from . import devices, ids, policy
from .devices import Entry
from .ids import Id
from .policy import Record

_ROW = "session"
_GUARD = "sessionuser"
_LIST = "sessionsof"
_REVISION = 8
_NAMES = 4096


class Names(NamedTuple):
    """An id, and the keys to ask for: where its row may be, then that of its owner's generation."""

    id: Id
    keys: list[bytes]


class Vault:
    """One namespace's rows. A row is named by the HMAC of its id: who reads the store can forge no cookie.

    A blob is its revision (8 bytes, big-endian) and the sealed record; revision and row are authenticated with it.
    """

    def __init__(self, ring: KeyRing, namespace: str) -> None:
        self._ring = ring
        self._keys = Keys(namespace)
        # The ids that live here come again and again: their signature is verified and their keys are made once.
        self.names = lru_cache(maxsize=_NAMES)(self._names)

    def new_id(self, user_id: str | None) -> Id:
        """A fresh id: which user (or chance, before login), and 256 random bits."""
        prefix = secrets.token_bytes(ids.PREFIX) if user_id is None else self._prefixes(user_id)[0]
        return Id(prefix, secrets.token_bytes(ids.FAMILY), 0)

    def write(self, session_id: Id) -> str:
        """The cookie of an id, signed: an id that nobody was given is refused without asking the store."""
        return ids.write(session_id, self._ring.mac(ids.body(session_id), purpose="session-tag")[: ids.TAG])

    def read(self, cookie: str | None) -> Id | None:
        """The id in a cookie; ``None`` for whatever this package did not write."""
        found = ids.read(cookie)
        if found is None:
            return None
        session_id, tag = found
        tags = self._ring.macs(ids.body(session_id), purpose="session-tag")
        return session_id if any(compare_digest(made[: ids.TAG], tag) for made in tags) else None

    def _names(self, cookie: str) -> Names | None:
        """What a cookie names; ``None`` for whatever this package did not write."""
        session_id = self.read(cookie)
        return None if session_id is None else Names(session_id, [*self.rows(session_id), self.guard(session_id)])

    def row(self, session_id: Id) -> bytes:
        """The key of a new session's row."""
        return self._keys.build(_ROW, self._ring.mac(session_id.name, purpose="session-id"))

    def rows(self, session_id: Id) -> list[bytes]:
        """The keys under which the row of an id may be, one per key of the ring, newest first."""
        return [self._keys.build(_ROW, mac) for mac in self._ring.macs(session_id.name, purpose="session-id")]

    def guard(self, session_id: Id) -> bytes:
        """The key of the generation of whoever an id belongs to."""
        return self._keys.build(_GUARD, session_id.prefix)

    def guards(self, user_id: str) -> list[bytes]:
        """The keys of a user's generation, one per key of the ring, newest first."""
        return [self._keys.build(_GUARD, prefix) for prefix in self._prefixes(user_id)]

    def lists(self, user_id: str) -> list[bytes]:
        """The keys of a user's list of sessions, one per key of the ring, newest first."""
        return [self._keys.build(_LIST, prefix) for prefix in self._prefixes(user_id)]

    @property
    def all_rows(self) -> bytes:
        """What the key of every row begins with."""
        return self._keys.prefix(_ROW)

    def seal(self, key: bytes, revision: int, record: Record) -> bytes:
        """The blob of ``record`` for the row ``key``."""
        return self._sealed(key, revision, policy.pack(record), "session")

    def open(self, key: bytes, blob: bytes) -> tuple[int, Record]:
        """Revision and record of the row ``key``; :class:`SealBroken` if the blob was not made for it."""
        revision, opened = self._opened(key, blob, "session")
        try:
            return revision, policy.unpack(opened)
        except DecodeError as error:
            raise SealBroken("the sealed value is not a session of this version") from error

    def seal_list(self, key: bytes, revision: int, entries: list[Entry]) -> bytes:
        """The blob of a list of sessions for the row ``key``."""
        return self._sealed(key, revision, devices.pack(entries), "session-list")

    def open_list(self, key: bytes, blob: bytes) -> tuple[int, list[Entry]]:
        """Revision and entries of the list ``key``; :class:`SealBroken` if the blob was not made for it."""
        revision, opened = self._opened(key, blob, "session-list")
        try:
            return revision, devices.unpack(opened)
        except DecodeError as error:
            raise SealBroken("the sealed value is not a list of sessions of this version") from error

    def _sealed(self, key: bytes, revision: int, plaintext: bytes, purpose: str) -> bytes:
        head = revision_bytes(revision)
        return head + self._ring.seal(plaintext, purpose=purpose, context=head + key)

    def _opened(self, key: bytes, blob: bytes, purpose: str) -> tuple[int, bytes]:
        head = blob[:_REVISION]
        opened = self._ring.open(blob[_REVISION:], purpose=purpose, context=head + key)
        return int.from_bytes(head, "big"), opened

    def _prefixes(self, user_id: str) -> list[bytes]:
        return [mac[: ids.PREFIX] for mac in self._ring.macs(user_id.encode(), purpose="session-user")]


def revision_bytes(revision: int) -> bytes:
    """A revision as SWAP compares it."""
    return revision.to_bytes(_REVISION, "big")
