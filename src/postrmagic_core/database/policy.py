"""Decisions of the database room: what an error means for a unit, and when a failed delivery is tried again."""

from __future__ import annotations

from .._retry import RetryPolicy
from ..errors import (
    BackendError,
    BackendReadOnly,
    BackendRejected,
    ConfigurationError,
    Conflict,
    IntegrityViolation,
    OutOfSpace,
    PostrMagicError,
)

# Twelve tries over some forty minutes: longer than a restart or a failover, shorter than anybody's patience.
DELIVERY_RETRY = RetryPolicy(attempts=12, base=1.0, cap=600.0)
_ERROR_NAME = 64


def ends_unit(error: BaseException) -> bool:
    """Whether the transaction cannot go on after ``error``, even if the caller catches it.

    After a deadlock, a lost connection or a full disk the server has undone the transaction, or part of it: going on
    would commit the rest. A refused statement or row leaves the transaction whole.
    """
    return isinstance(error, BackendError) and not isinstance(error, BackendRejected)


def surely_not_committed(error: PostrMagicError) -> bool:
    """Whether an error at COMMIT says that nothing was committed; any other leaves the outcome unknown."""
    return isinstance(error, Conflict | BackendReadOnly | OutOfSpace | IntegrityViolation)


def single_writer(database_id: str) -> bool:
    """Whether its writers take turns, whoever they are: a SQLite file's."""
    return database_id.startswith("sqlite:")


def next_due_us(
    error: BaseException, failures: int, now_us: int, random: float, retry: RetryPolicy = DELIVERY_RETRY
) -> int | None:
    """When a row is tried again after its ``failures``-th failure (microseconds); ``None``: it is dead.

    A :class:`ConfigurationError` (an event's class or a task that is not included in this process) is no fault of the
    row: it waits, however long, for a process that knows what to do. ``random`` is uniform in [0, 1).
    """
    waits = isinstance(error, ConfigurationError)
    delay = retry.delay(min(failures, retry.attempts - 1) if waits else failures, random)
    return None if delay is None else now_us + round(delay * 1_000_000)


def next_size(size: int, tried: int, left: int, limit: int) -> int:
    """How many rows the relay's next transaction asks for, after one of ``size`` that tried ``tried`` of them in time.

    What is ``left`` was claimed in vain: routes are slow, and rows that are not claimed are free for other relays.
    """
    return max(1, tried) if left else min(limit, size * 2)


def blames_row(error: Exception, *, delivering: bool) -> bool:
    """Whether a transaction that had one row, and was ended by ``error``, failed because of that row.

    ``delivering``: its route was at work. A :class:`Conflict` is nobody's fault; another error of the database, where
    no route was at work, is the database's.
    """
    return not isinstance(error, Conflict) and (delivering or not isinstance(error, BackendError))


def error_name(error: BaseException) -> str:
    """What is kept of a failed delivery's error: its code or type, never its text, which may repeat values."""
    name = error.code if isinstance(error, PostrMagicError) else type(error).__qualname__
    return name.encode("ascii", "replace").decode()[:_ERROR_NAME]
