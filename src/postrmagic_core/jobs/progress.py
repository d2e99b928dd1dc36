"""How far a job says it has come: kept as bytes by every broker, read by whoever asks."""

from __future__ import annotations

from .. import _codec
from ..errors import DecodeError
from .interface import Progress


def written(progress: Progress) -> bytes:
    """What a broker keeps."""
    return _codec.encode([progress.done, progress.total, progress.note])


def told(data: bytes | None) -> Progress | None:
    """What a task told last; ``None`` if it told nothing, or what cannot be read."""
    if data is None:
        return None
    try:
        done, total, note = _codec.decode(data)
        return Progress(done, total, note)
    except (DecodeError, TypeError, ValueError):
        return None
