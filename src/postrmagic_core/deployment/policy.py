"""Every decision of a deployment: what is replaced next, when a replica is ready, when errors are too many."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Literal, TypeAlias

from .interface import Note, Release, Replica

Word: TypeAlias = Literal["start", "await", "retire", "done"]
Gate: TypeAlias = Literal["ready", "waiting", "failed"]

# One-sided 95 per cent of the normal distribution.
_SURE = 1.645
_UNHEALTHY = "its health check says unhealthy"


@dataclass(frozen=True, slots=True)
class Move:
    """The next thing to do to a service: ``start`` so ``many``, ``await`` or ``retire`` those, or nothing: ``done``."""

    word: Word
    ids: tuple[str, ...] = ()
    many: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """A replica as far as the order of steps is concerned: ``good`` runs if it is old, and has passed the gate if new.

    An old one that is called unhealthy may still be one of those that bear the load: only one that has ended is broken.
    """

    id: str
    good: bool


def next_move(old: Sequence[Standing], new: Sequence[Standing], wanted: int, at_once: int) -> Move:
    """What leads from any state to ``wanted`` new replicas and no old one, never with fewer good ones than now.

    It remembers nothing: a deployment that was killed goes on from what it finds. Old replicas that do not run are
    retired as soon as one new is good, those that run only as far as the others are enough without them.
    """
    if unready := tuple(one.id for one in new if not one.good):
        return Move("await", unready)
    serving = [one.id for one in old if one.good]
    if new:
        if broken := tuple(one.id for one in old if not one.good):
            return Move("retire", broken)
        if serving and (surplus := len(serving) + len(new) - wanted) > 0:
            return Move("retire", tuple(serving[: min(surplus, at_once)]))
    if len(new) < wanted:  # where nothing runs there is nobody to spare
        return Move("start", many=min(at_once if old else wanted, wanted - len(new)))
    if len(new) > wanted:
        return Move("retire", tuple(one.id for one in new[wanted:]))
    return Move("done")


def belongs(replica: Replica, target: Release, outdated: Collection[str] = ()) -> bool:
    """Whether a replica is of the release: its version and its image, by id; those in ``outdated`` never are."""
    return (replica.release.version, replica.release.image_id) == (target.version, target.image_id) and (
        replica.id not in outdated
    )


def gate(replica: Replica | None, up: bool | None, settled: bool, patient: bool = False) -> tuple[Gate, str]:
    """Whether a new replica may be relied on, and why not.

    ``up``: what the proxy says of it; ``None`` where no proxy is asked. ``settled``: it has run long enough to be
    believed without a health check. ``patient``: one that is unhealthy may still recover.
    """
    if (wrong := broken(replica)) and not (patient and wrong == _UNHEALTHY):
        return "failed", wrong
    if replica is None or replica.state != "running":
        return "waiting", "the engine has not started it yet"
    if replica.health not in {"", "healthy"}:
        return "waiting", f"its health check says {replica.health}"
    if not replica.health and not settled:
        return "waiting", "it has no health check, and has run for a moment only"
    if up is False:
        return "waiting", "the proxy does not send it requests yet"
    return "ready", ""


def broken(replica: Replica | None) -> str:
    """Why a new replica is not to be waited for any longer; empty while there is hope."""
    if replica is None:
        return "the container is gone"
    if replica.state in {"exited", "dead", "removing"}:
        return f"the container ended with exit code {replica.exit_code}"
    if replica.restarts or replica.state == "restarting":
        return f"the container ended and was restarted (exit code {replica.exit_code})"
    if replica.health == "unhealthy":
        return _UNHEALTHY
    return ""


def too_many_errors(asked: int, failed: int, max_rate: float) -> bool:
    """Whether it is sure, at 95 per cent, that more than ``max_rate`` of all requests fail.

    The lower bound of Wilson's interval (E. B. Wilson, JASA 22 (1927), 209-212): of three requests one may fail by
    chance, of three hundred not a hundred.
    """
    if failed <= 0 or asked <= 0:
        return False
    square, share = _SURE**2, min(1.0, failed / asked)
    middle = share + square / (2 * asked)
    spread = _SURE * sqrt(share * (1 - share) / asked + square / (4 * asked**2))
    return (middle - spread) / (1 + square / asked) > max_rate


def wanted_of(noted: int | None, old: int, new: int, configured: int) -> int:
    """How many replicas a service shall have: as many as it had, which an unfinished deployment has noted.

    Where some are replaced and nothing is noted, one may be there above that number; what is configured decides.
    """
    if noted:
        return noted
    if old and new:
        total = old + new
        return configured if total - 1 <= configured <= total else max(old, new, total - 1)
    return old or new or max(1, configured)


def previous_of(target: Release, replicas: Sequence[Replica], note: Note | None) -> Release | None:
    """The release to go back to from ``target``: what it replaces, or what the replaced ones' labels named.

    ``None`` where nothing else has run.
    """
    noted = [] if note is None else [note.previous, note.target]
    serving = sorted(replicas, key=lambda one: not one.serving)
    told = [one.previous for one in replicas if belongs(one, target)]
    found = [*noted[:1], *(one.release for one in serving), *told, *noted[1:]]
    return next((one for one in found if one is not None and not _same(one, target)), None)


def back_from(replicas: Sequence[Replica], note: Note | None) -> Release | None:
    """What a rollback by hand leads to: the release before the one that runs, or before the one that was begun."""
    if note is not None:
        return note.previous
    return next((one.previous for one in replicas if one.previous is not None), None)


def _same(one: Release, other: Release) -> bool:
    """Of the same version and, as far as both are known, of the same image."""
    if one.version != other.version:
        return False
    if one.image_id and other.image_id:
        return one.image_id == other.image_id
    return one.image == other.image
