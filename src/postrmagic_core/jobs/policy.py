"""Every decision about jobs: what to claim, when to give up, when to try again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .._retry import RetryPolicy
from .interface import Outcome

# A namespace or queue outside these lists would be a glob to Redis' KEYS, on which dramatiq's recovery relies.
_NAMESPACE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_QUEUE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_TASK = re.compile(r"[A-Za-z_][A-Za-z0-9_.<>:-]{0,199}")

SWEEP_LEAST = 0.01
SWEEP_FIRST = 0.2
SWEEP_LAST = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may be due. ``abandoned``: it was running, and its lease ran out."""

    id: str
    deliveries: int
    retries: int
    abandoned: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows to ``take`` and which to ``bury`` as poison; ``alone``: the one taken runs by itself."""

    take: tuple[str, ...] = ()
    bury: tuple[str, ...] = ()
    alone: bool = False


def choose(candidates: Sequence[Candidate], *, free: int, busy: bool) -> Choice:
    """Decide about due rows, oldest first, with ``free`` threads idle and others ``busy`` or not.

    A job whose worker vanished as often as it may be delivered is poison. Its last delivery before that runs alone in
    its process, so that a job which only shared a process with a killer is not taken for one. While such a job is the
    oldest, a busy process takes nothing more and comes to rest.
    """
    bury = tuple(row.id for row in candidates if row.abandoned and row.deliveries > row.retries)
    take: list[str] = []
    for row in candidates:
        if row.id in bury:
            continue
        if row.abandoned and row.deliveries == row.retries:
            if take or busy:
                break
            return Choice((row.id,), bury, alone=True)
        if len(take) == free:
            break
        take.append(row.id)
    return Choice(tuple(take), bury)


def after_failure(attempt: int, retries: int, backoff: RetryPolicy, random: float, error: tuple[str, str]) -> Outcome:
    """What follows a failed delivery: another try after a back-off with full jitter, or the dead letters.

    ``attempt`` counts from 1; ``error`` is the code and the fingerprint; ``random`` is uniform in [0, 1).
    """
    code, fingerprint = error
    if attempt > retries:
        return Outcome("dead", reason="failed", error=code, fingerprint=fingerprint)
    delay = backoff.delay(attempt, random)
    return Outcome("waiting", error=code, fingerprint=fingerprint, delay=backoff.cap if delay is None else delay)


def fingerprint_of(error_type: str, frames: Sequence[tuple[str, str]]) -> str:
    """16 hexadecimal characters, the same for errors of one type raised along the same (file, function) frames."""
    text = "\n".join([error_type, *(f"{file}:{function}" for file, function in frames)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sweep_delay(idle_sweeps: int, next_due: float | None = None) -> float:
    """Seconds until the next look into the table after so many that found nothing: 0.2, doubling to 1.

    ``next_due``: seconds until a row is due, for which to look in time; a due one has just been left to others.
    """
    pause = min(SWEEP_LAST, SWEEP_FIRST * 2.0 ** min(idle_sweeps, 8))
    return pause if next_due is None or next_due <= 0 else min(pause, max(SWEEP_LEAST, next_due))


def polls() -> Iterator[float]:
    """Seconds between looks at a job that is waited for: 10 ms, growing to 0.25 s, without end."""
    pause = 0.01
    while True:
        yield pause
        pause = min(0.25, pause * 1.5)


def checked_namespace(namespace: str) -> str:
    """``namespace``, or :class:`ValueError` saying which characters it may have."""
    if not _NAMESPACE.fullmatch(namespace):
        raise ValueError(f"a jobs namespace is 1 to 64 characters of A-Z a-z 0-9 _ . : -, got {namespace!r}")
    return namespace


def checked_queue(queue: str) -> str:
    """``queue``, or :class:`ValueError` saying which names dramatiq's brokers can keep apart."""
    if not _QUEUE.fullmatch(queue) or queue.endswith((".DQ", ".XQ", ".msgs")):
        raise ValueError(
            "a queue name is a letter or _, then up to 63 of A-Z a-z 0-9 _ . -, and does not end in .DQ, .XQ or .msgs; "
            f"got {queue!r}"
        )
    return queue


def checked_task(name: str) -> str:
    """``name``, or :class:`ValueError` saying how a task may be called."""
    if not _TASK.fullmatch(name):
        raise ValueError(f"a task name is a letter or _, then up to 199 of A-Z a-z 0-9 _ . < > : -, got {name!r}")
    return name
