"""An exception in the place of a value: only by the caller's wish, and only of the types the caller names."""

from __future__ import annotations

from .._codec import decode, encode
from ..errors import DecodeError

# In the place of a schema, which is empty or eight bytes.
FAILED = b"error"


def packed(error: Exception, kinds: tuple[type[Exception], ...]) -> bytes:
    """The first of ``kinds`` that ``error`` is one of, and its text."""
    kind = next(kind for kind in kinds if isinstance(error, kind))
    return encode([_name(kind), str(error)])


def restored(payload: bytes, kinds: tuple[type[Exception], ...]) -> Exception | None:
    """An exception of the type that :func:`packed` noted, if it is among ``kinds``: nothing is looked up by name.

    It is made without its ``__init__``, which may want more than the text. Other bytes raise :class:`DecodeError`.
    """
    match decode(payload):
        case [str() as name, str() as text]:
            found = next((kind for kind in kinds if _name(kind) == name), None)
            return None if found is None else found.__new__(found, text)
    raise DecodeError("the stored bytes are not an exception")


def _name(kind: type[Exception]) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
