"""Exceptions as data: types, messages and places, never a local variable."""

from __future__ import annotations

import hashlib
from itertools import islice
from traceback import walk_tb
from types import TracebackType
from typing import Any

FRAMES = 30
CHAIN = 5
MEMBERS = 5


def describe(error: BaseException, depth: int = CHAIN) -> dict[str, Any]:
    """``error`` as ``type``, ``message``, ``frames`` (the innermost 30, outermost first), ``notes``, ``cause``.

    The cause is ``__cause__``, or ``__context__`` unless suppressed (PEP 409), five deep; an exception group shows
    its first five members under ``errors``. A ``__str__`` that raises is told as such.
    """
    told: dict[str, Any] = {"type": type(error).__qualname__, "message": _message(error)}
    told["frames"] = _frames(error.__traceback__)
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, list):
        told["notes"] = notes[:MEMBERS]
    if depth <= 1:
        return told
    if isinstance(error, BaseExceptionGroup):
        told["errors"] = [describe(member, depth - 1) for member in islice(error.exceptions, MEMBERS)]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["cause"] = describe(cause, depth - 1)
    return told


def fingerprint(error: BaseException) -> str:
    """Sixteen hexadecimal characters that stay the same for the same error at the same place.

    Made of the exception's type and the functions it passed; neither message nor line numbers, which change with
    input and edits.
    """
    places = [f"{frame['file'].rpartition('/')[2]}:{frame['function']}" for frame in _frames(error.__traceback__)]
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    return hashlib.sha256("\n".join([name, *places]).encode("utf-8", "replace")).hexdigest()[:16]


def _frames(tb: TracebackType | None) -> list[dict[str, Any]]:
    frames = [
        {"file": frame.f_code.co_filename, "line": line, "function": frame.f_code.co_qualname}
        for frame, line in walk_tb(tb)
    ]
    return frames[-FRAMES:]


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # whatever a foreign __str__ raises must not hide the error itself
        return f"[unprintable: {type(failure).__name__}]"
