"""How a value becomes an entry's payload: lossless for plain values, by its type for models and dataclasses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._codec import TypedCodec, decode, encode
from .._crypto import fingerprint


@dataclass(frozen=True, slots=True)
class Codec:
    """``encode`` and ``decode`` of one ``kind`` of value; ``schema`` names its shape, empty for plain values."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    schema: bytes
    kind: Any = None


PLAIN = Codec(encode, decode, b"")


class Codecs:
    """One codec per type, built at first use: a pydantic adapter costs about 85 µs."""

    def __init__(self) -> None:
        self._built: dict[Any, Codec] = {}

    def of(self, kind: Any | None) -> Codec:
        """The codec of ``kind`` (any type pydantic understands); ``None`` is plain values."""
        if kind is None:
            return PLAIN
        codec = self._built.get(kind)
        if codec is None:
            typed: TypedCodec[Any] = TypedCodec(kind)
            codec = self._built[kind] = Codec(typed.encode, typed.decode, _schema(kind), kind)
        return codec


def _schema(kind: Any) -> bytes:
    """A digest of the type's shape: an entry of another shape is a miss, though its bytes might decode."""
    from pydantic import PydanticInvalidForJsonSchema, TypeAdapter

    try:
        shape = json.dumps(TypeAdapter(kind).json_schema(), sort_keys=True)
    except PydanticInvalidForJsonSchema:
        shape = repr(kind)
    return bytes.fromhex(fingerprint(shape.encode()))[:8]
