"""Warnings that repeat are told once in a while."""

from __future__ import annotations

import re
import threading

from ..._lifecycle import after_fork

# Seconds between two warnings of the same kind, and how many kinds of work are told of one statement in that time.
INTERVAL = 60.0
_KINDS = 10

# What names one thing: in a path, and in other words.
_LONGEST = 32
_ID = re.compile(r"\d+|(?=.*\d)\S{8,}|[0-9a-fA-F]{8,}|.*[^\w.:-].*", re.ASCII)
_ALONE = re.compile(r"\d+|[0-9a-fA-F-]{16,}", re.ASCII)


class Throttle:
    """Lets a pair of statement and kind pass once an interval; a statement, whatever the kind, a few times."""

    def __init__(self) -> None:
        self._forget()
        after_fork(self._forget)

    def allows(self, fingerprint: str, kind: str, now: float) -> bool:
        """Whether to tell, at ``now`` (seconds of a clock that does not jump)."""
        with self._lock:
            told = self._told.setdefault(fingerprint, {})
            for other in [name for name, at in told.items() if now - at >= INTERVAL]:
                del told[other]
            if kind in told or len(told) >= _KINDS:
                return False
            told[kind] = now
            return True

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[str, dict[str, float]] = {}


def kind_of(label: str) -> str:
    """``GET /media/17?page=2`` is a ``GET /media/*``: what names one thing, and may be a secret, is left out."""
    return re.sub(r"(/?)([^\s/]+)", _masked, label.partition("?")[0][:200])


def _masked(part: re.Match[str]) -> str:
    slash, text = part.groups()
    names_one = len(text) > _LONGEST or _ID.fullmatch(text) if slash else _ALONE.fullmatch(text)
    return f"{slash}*" if names_one else part.group()
