"""Key names: injective, bounded, and placed so that Redis Cluster can come."""

from __future__ import annotations

import re
from hashlib import blake2b

# _rooms.NAMESPACE, which importing would load pydantic for; a test holds the two equal.
NAMESPACE = r"^[A-Za-z0-9_.:-]{1,64}$"

_KIND = re.compile(r"^[a-z][a-z0-9_-]{0,31}$")
_LONGEST = 240  # of the 255 bytes a key may have: the rest is for the suffix of a key's companions
_ESCAPED = re.compile(rb"[%:#]")


class Keys:
    """The keys of one namespace: ``b"{namespace}:kind:part:part"``.

    Different arguments never build the same key: ``%``, ``:`` and ``#`` inside a part are percent-encoded, and parts
    too long together are replaced by their BLAKE2b digest (32 bytes). A ``str`` part is its UTF-8. The braces are Redis
    Cluster's hash tag: all keys of a namespace share a slot, so that one Script may use several.
    """

    __slots__ = ("_base", "_prefixes", "namespace")

    namespace: str

    def __init__(self, namespace: str) -> None:
        if not re.fullmatch(NAMESPACE, namespace):
            raise ValueError(f"a namespace has 1 to 64 of A-Z a-z 0-9 _ . : -, got {namespace!r}")
        self.namespace = namespace
        self._base = b"{%s}:" % namespace.encode()
        self._prefixes: dict[str, bytes] = {}

    def build(self, kind: str, *parts: str | bytes) -> bytes:
        """The key of ``kind`` (lower case, at most 32 characters) for these parts, at most 240 bytes."""
        start = self.prefix(kind)
        if not parts:
            return start + b"#"
        rest = b":".join(_escape(part) for part in parts)
        if len(start) + len(rest) > _LONGEST:
            rest = b"#" + blake2b(rest, digest_size=32).hexdigest().encode()
        return start + rest

    def prefix(self, kind: str | None = None) -> bytes:
        """What all keys of ``kind``, or of the namespace, begin with, and no others: for ``clear()``."""
        if kind is None:
            return self._base
        prefix = self._prefixes.get(kind)
        if prefix is None:
            if not _KIND.match(kind):
                raise ValueError(f"a kind has 1 to 32 of a-z 0-9 _ - and begins with a letter, got {kind!r}")
            prefix = self._prefixes[kind] = self._base + kind.encode() + b":"
        return prefix


def companion(key: bytes, name: bytes) -> bytes:
    """The key of something that belongs to ``key``, in its slot: no :class:`Keys` builds it, ``#`` being escaped."""
    return key + b"#" + name


def _escape(part: str | bytes) -> bytes:
    if not isinstance(part, str | bytes):
        raise TypeError(f"a part of a key is str or bytes, got {type(part).__name__}: str() it where that is meant")
    raw = part.encode() if isinstance(part, str) else part
    return _ESCAPED.sub(lambda match: b"%%%02X" % match[0][0], raw)
