"""Every decision about jobs: what to claim, when to give up, when to try again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from .._retry import RetryPolicy
from ..errors import UsageError
from .interface import DEAD, ENDED, LIVE, PRIORITIES, Change, Outcome, Priority, Scope, Selection, Settlement, State

T = TypeVar("T")

# A namespace or queue outside these lists would be a glob to Redis' KEYS, on which dramatiq's recovery relies.
_NAMESPACE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_QUEUE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_TASK = re.compile(r"[A-Za-z_][A-Za-z0-9_.<>:-]{0,199}")

CHANGEABLE: Mapping[Change, frozenset[State]] = {
    "cancel": LIVE,
    "replay": DEAD | frozenset[State]({"cancelled"}),
    "forget": ENDED,
}
"""In which states a job can be changed so."""

_AGAIN = ("queued", "retrying")

SHORT = 0.005
_AHEAD = 4
OFFER = 1.0
"""Seconds for which a worker keeps a thread free for a unit that may give it a job."""
SWEEP_LEAST = 0.01
SWEEP_FIRST = 0.2
SWEEP_LAST = 1.0


def checked_states(states: Collection[State]) -> frozenset[State]:
    """The same; :class:`UsageError` where one is no state of a job, as a misspelt one would find nothing for ever."""
    if unknown := set(states) - (LIVE | ENDED):
        known = ", ".join(sorted(LIVE | ENDED))
        raise UsageError(f"no such state of a job: {', '.join(sorted(map(str, unknown)))}; there are {known}")
    return frozenset(states)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may be due. ``abandoned``: it was running, and its lease ran out; ``cancelled``: nobody wants it."""

    id: str
    deliveries: int
    retries: int
    abandoned: bool
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows to ``take``, ``bury`` as poison, ``drop`` as cancelled; ``alone``: the taken one runs by itself."""

    take: tuple[str, ...] = ()
    bury: tuple[str, ...] = ()
    alone: bool = False
    drop: tuple[str, ...] = ()


def choose(candidates: Sequence[Candidate], *, free: int, busy: bool) -> Choice:
    """Decide about due rows, oldest first, with ``free`` threads idle and others ``busy`` or not.

    A job whose worker vanished as often as it may be delivered is poison. Its last delivery before that runs alone in
    its process, so that a job which only shared a process with a killer is not taken for one. While such a job is the
    oldest, a busy process takes nothing more and comes to rest.
    """
    drop = tuple(row.id for row in candidates if row.abandoned and row.cancelled)
    lost = [row for row in candidates if row.abandoned and not row.cancelled]
    bury = tuple(row.id for row in lost if row.deliveries > row.retries)
    take: list[str] = []
    for row in candidates:
        if row.id in bury or row.id in drop:
            continue
        if row.abandoned and row.deliveries == row.retries:
            if take or busy:
                break
            return Choice((row.id,), bury, alone=True, drop=drop)
        if len(take) == free:
            break
        take.append(row.id)
    return Choice(tuple(take), bury, drop=drop)


def after_failure(attempt: int, retries: int, backoff: RetryPolicy, random: float, error: tuple[str, str]) -> Outcome:
    """What follows a failed delivery: another try after a back-off with full jitter, or the dead letters.

    ``attempt`` counts from 1; ``error`` is the code and the fingerprint; ``random`` is uniform in [0, 1).
    """
    code, fingerprint = error
    if attempt > retries:
        return Outcome("failed", reason="failed", error=code, fingerprint=fingerprint)
    delay = backoff.delay(attempt, random)
    return Outcome("retrying", error=code, fingerprint=fingerprint, delay=backoff.cap if delay is None else delay)


def heeding(outcome: Outcome, *, cancelled: bool) -> Outcome:
    """``outcome``, or its end where it would come again though somebody cancelled the job."""
    return Outcome("cancelled", progress=outcome.progress) if cancelled and outcome.state in _AGAIN else outcome


def worth_a_try(
    error: BaseException, retry_for: tuple[type[BaseException], ...], give_up_on: tuple[type[BaseException], ...]
) -> bool:
    """Whether an error may be cured by another try: one of ``retry_for`` (empty: any), and none of ``give_up_on``."""
    return (not retry_for or isinstance(error, retry_for)) and not isinstance(error, give_up_on)


def appetite(threads: int, mean: float | None) -> int:
    """How many jobs a worker may hold beyond those it runs, when one takes ``mean`` seconds (``None``: unknown).

    As many as its threads end within 5 ms, four to a thread at the most: where jobs are as short as that, fetching them
    one by one would take longer than running them. What takes longer would only wait here while other workers are idle.
    """
    return 0 if mean is None else min(_AHEAD * threads, int(threads * SHORT / max(mean, 1e-6)))


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


def earliest(left: float | None, settlements: Sequence[Settlement]) -> float | None:
    """Seconds until something is due: ``left``, or sooner where one of the settlements has its job come again."""
    again = [each.outcome.delay for each in settlements if each.outcome.state in _AGAIN]
    return min(again, default=left) if left is None else min([left, *again])


def in_turn(queues: Sequence[str], turn: int) -> list[str]:
    """``queues``, beginning with another one each turn, so that none has to wait for the others to run empty."""
    start = turn % len(queues) if queues else 0
    return [*queues[start:], *queues[:start]]


def shared(found: Sequence[Sequence[T]], most: int) -> list[T]:
    """At most ``most`` of what was found, taken from each sequence in its order, one by one in turn."""
    taken: list[T] = []
    for place in range(max(map(len, found), default=0)):
        taken += [each[place] for each in found if place < len(each)]
    return taken[:most]


def changeable(change: Change, selection: Selection) -> Selection:
    """Of the jobs selected by their states, those in one that can be changed so."""
    return replace(selection, states=CHANGEABLE[change].intersection(selection.states))


def replayed(ids: Sequence[str], queue: str | None, task: str | None, limit: int, *, everything: bool) -> Selection:
    """The jobs to replay: by ids, or the dead letters of a queue, of a task or all; :class:`UsageError` unless one."""
    of_some = queue is not None or task is not None
    if bool(ids) + of_some + everything != 1:
        raise UsageError("replay which jobs? Give either ids, at least one, or queue= or task=, or everything=True")
    return Selection(ids) if ids else Selection(None, DEAD, queue, task, None, limit)


def checked_priority(priority: str) -> Priority:
    """``priority``, or :class:`ValueError` naming those there are."""
    if priority not in PRIORITIES:
        raise ValueError(f"a priority is one of {', '.join(PRIORITIES)}, got {priority!r}")
    return priority


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


def checked_schedule(name: str) -> str:
    """``name``, or :class:`ValueError` saying how a schedule may be called."""
    if not _TASK.fullmatch(name):
        raise ValueError(f"a schedule's name is a letter or _, then up to 199 of A-Z a-z 0-9 _ . < > : -, got {name!r}")
    return name


def unique_key(task: str, key: str, payload: bytes) -> str:
    """The name under which a job is unique: the task's and its own, at most 200 bytes; without one, its arguments'."""
    name = f"{task}:{key}"
    if key and len(name.encode()) <= 200:
        return name
    digest = hashlib.sha256(key.encode() if key else payload).hexdigest()
    return f"{task[:130]}#{digest}"


def is_free(state: State | None, scope: Scope, *, started: bool, over: bool) -> bool:
    """Whether a unique key may be taken from the job that has it.

    ``state``: the job's, ``None`` if it is unknown. ``started``: it was delivered. ``over``: its window has passed.
    """
    if scope == "window":
        return over
    return state not in LIVE or (scope == "until_start" and started)
