"""Authenticated encryption and keyed hashes under a ring of keys that can be rotated.

AES-256-GCM with a random 96-bit nonce (NIST SP 800-38D); one sub-key per purpose by HKDF-SHA256 (RFC 5869), so that the
2**32 messages a random nonce allows are counted per purpose, and a blob of one purpose never opens as another. The
additional data holds purpose, key id and the caller's context: a blob moved to another row does not open.

Layout of a sealed blob: version (1 byte) | key id (4) | nonce (12) | ciphertext and tag (16 more than the plaintext).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING

from .errors import ConfigurationError, SealBroken

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM as _AESGCM

_VERSION = b"\x01"
_HEAD = 1 + 4 + 12
_WEAK = {"secret", "changeme", "password", "postrmagic", "development"}


class KeyRing:
    """Seals with the first key, opens with any of them: put a new key first to rotate.

    ``keys`` are master secrets, each at least 32 characters or bytes (256 bits when made by
    ``python -c "import secrets; print(secrets.token_urlsafe(32))"``). Shorter or well-known ones raise
    :class:`ConfigurationError`. A callable instead of a sequence is asked at first use, so that wiring does no I/O.
    """

    def __init__(self, keys: Sequence[str | bytes] | Callable[[], Sequence[str | bytes]]) -> None:
        self._load = keys if callable(keys) else lambda: keys
        if not callable(keys):
            self._keys  # noqa: B018 - wrong keys fail here, not at the first request

    def __repr__(self) -> str:
        return "KeyRing(…)"

    @cached_property
    def _keys(self) -> list[_Key]:
        keys = [_Key(_checked(key)) for key in self._load()]
        if not keys:
            raise ConfigurationError("no encryption key: expected at least one secret of 32 or more characters")
        return keys

    @cached_property
    def _by_id(self) -> dict[bytes, _Key]:
        return {key.id: key for key in self._keys}

    @cached_property
    def _invalid(self) -> type[Exception]:
        from cryptography.exceptions import InvalidTag

        return InvalidTag

    def seal(self, plaintext: bytes, *, purpose: str, context: bytes = b"") -> bytes:
        """Encrypt ``plaintext`` for ``purpose``; only the same purpose and ``context`` open it again."""
        key = self._keys[0]
        nonce = secrets.token_bytes(12)
        sealed = key.cipher(purpose).encrypt(nonce, plaintext, _additional(purpose, key.id, context))
        return _VERSION + key.id + nonce + sealed

    def open(self, sealed: bytes, *, purpose: str, context: bytes = b"") -> bytes:
        """Decrypt what :meth:`seal` made; anything else raises :class:`SealBroken`, always with the same text."""
        key = self._by_id.get(sealed[1:5])
        if key is None or sealed[:1] != _VERSION or len(sealed) < _HEAD + 16:
            raise SealBroken("the sealed value cannot be opened")
        try:
            additional = _additional(purpose, key.id, context)
            return key.cipher(purpose).decrypt(sealed[5:_HEAD], sealed[_HEAD:], additional)
        except self._invalid:
            raise SealBroken("the sealed value cannot be opened") from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether ``sealed`` was made with the first key; if not, seal it anew at the next write."""
        return sealed[1:5] == self._keys[0].id

    @property
    def key_id(self) -> bytes:
        """The four bytes that name the first key: what a sealed blob has after its version."""
        return self._keys[0].id

    def knows(self, key_id: bytes) -> bool:
        """Whether a key of this id is in the ring: what tells a key that is missing from a blob that is damaged."""
        return key_id in self._by_id

    def mac(self, message: bytes, *, purpose: str) -> bytes:
        """HMAC-SHA256 (32 bytes) of ``message`` under the first key's sub-key for ``purpose``."""
        return hmac.digest(self._keys[0].derive("mac:" + purpose), message, "sha256")

    def macs(self, message: bytes, *, purpose: str) -> list[bytes]:
        """:meth:`mac` under every key, newest first: how to look up what an older key named."""
        return [hmac.digest(key.derive("mac:" + purpose), message, "sha256") for key in self._keys]


class _Key:
    def __init__(self, master: bytes) -> None:
        self._master = master
        self._subkeys: dict[str, bytes] = {}
        self._ciphers: dict[str, _AESGCM] = {}

    @cached_property
    def id(self) -> bytes:
        """Four bytes that name the key and say nothing about it."""
        return self.derive("key-id")[:4]

    def derive(self, purpose: str) -> bytes:
        """The 256-bit sub-key for ``purpose`` (HKDF-SHA256, empty salt)."""
        subkey = self._subkeys.get(purpose)
        if subkey is None:
            pseudorandom = hmac.digest(b"\x00" * 32, self._master, "sha256")
            info = b"postrmagic-core/" + purpose.encode()
            subkey = self._subkeys[purpose] = hmac.digest(pseudorandom, info + b"\x01", "sha256")
        return subkey

    def cipher(self, purpose: str) -> _AESGCM:
        cipher = self._ciphers.get(purpose)
        if cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            cipher = self._ciphers[purpose] = AESGCM(self.derive("seal:" + purpose))
        return cipher


def _additional(purpose: str, key_id: bytes, context: bytes) -> bytes:
    return _named(purpose) + key_id + context


@cache
def _named(purpose: str) -> bytes:
    name = purpose.encode()
    return len(name).to_bytes(2, "big") + name


def _checked(key: str | bytes) -> bytes:
    raw = key.encode() if isinstance(key, str) else bytes(key)
    if len(raw) < 32:
        raise ConfigurationError(f"an encryption key needs at least 32 characters, got {len(raw)}")
    if len(set(raw)) < 8 or any(word in raw.decode("latin-1").lower() for word in _WEAK):
        raise ConfigurationError("an encryption key looks like a placeholder: make one with secrets.token_urlsafe(32)")
    return raw


def fingerprint(data: bytes) -> str:
    """SHA-256 of ``data`` as 64 hexadecimal characters: names content, keeps no secret."""
    return hashlib.sha256(data).hexdigest()
