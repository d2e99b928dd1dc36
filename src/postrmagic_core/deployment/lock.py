"""One deployer at a time, and what an unfinished deployment leaves behind: two containers that are never started.

A container's name is unique in an engine, whoever asks: so it is a lock for every machine that reaches the engine.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from .._clock import Clock, from_us
from ..errors import DeployLocked, EngineFailed
from .engine import Engine
from .interface import Note, Release

_LABEL: Final = "org.postrmagic.deploy."
_CONFLICT = "is already in use by container"


class Lock:
    """The lock of one project; ``image`` is any image that is here, which the container is made of."""

    def __init__(self, engine: Engine, project: str, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self.name = f"{project}-deploy-lock"
        self._note = f"{project}-deploy-note"
        self._held = ""

    def take(self, image: str) -> None:
        """Take it, or raise :class:`DeployLocked` with who has it; a deployer of this machine that is dead has not."""
        said = self._create(self.name, image, {**holder(), "began": str(self._clock.now_us())})
        if not said and (held := self.told()) is not None:
            if not abandoned(held):
                raise DeployLocked(f"{described(held)}: wait, or run `postrmagic deploy unlock` if it is gone")
            self._engine.remove(held["id"])
            said = self._create(self.name, image, {**holder(), "began": str(self._clock.now_us())})
        if not said:
            raise DeployLocked("somebody else has just begun to deploy: wait, and run the command again")
        self._held = said

    def release(self) -> None:
        """Give it back, if it is held."""
        held, self._held = self._held, ""
        if held:
            self._engine.remove(held)

    def told(self) -> dict[str, str] | None:
        """Who has it: ``user``, ``host``, ``pid``, ``began`` and the container's ``id``; ``None`` for nobody."""
        return self._labels(self.name)

    def break_open(self) -> dict[str, str] | None:
        """Take it away from whoever has it, and say from whom."""
        held = self.told()
        if held is not None:
            self._engine.remove(held["id"])
        return held

    def write(self, note: Note, image: str) -> None:
        """Note what is begun, in place of what was noted before."""
        before = note.previous
        self._engine.remove(self._note)
        labels = {
            "target": json.dumps([note.target.version, note.target.image, note.target.image_id]),
            "previous": json.dumps(None if before is None else [before.version, before.image, before.image_id]),
            "wanted": json.dumps(dict(note.wanted)),
            "began": str(note.began_us),
        }
        if not self._create(self._note, image, labels):
            raise DeployLocked("somebody else has just begun to deploy: wait, and run the command again")

    def note(self) -> Note | None:
        """What was begun and not ended; ``None`` too where it cannot be read."""
        labels = self._labels(self._note)
        if labels is None:
            return None
        try:
            previous = json.loads(labels["previous"])
            return Note(
                target=Release(*map(str, json.loads(labels["target"]))),
                previous=None if previous is None else Release(*map(str, previous)),
                wanted={str(name): max(1, int(many)) for name, many in json.loads(labels["wanted"]).items()},
                began_us=int(labels["began"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def clear(self) -> None:
        """Forget what was noted."""
        self._engine.remove(self._note)

    def _create(self, name: str, image: str, labels: Mapping[str, str]) -> str:
        """The id of the container, or nothing if there is one of this name."""
        words = [word for key, value in labels.items() for word in ("--label", f"{_LABEL}{key}={value}")]
        done = self._engine.run(
            "create", "--pull", "never", "--name", name, "--network", "none", *words, image, "true", check=False
        )
        if done.status and _CONFLICT not in done.err:
            raise EngineFailed(f"the lock {name} could not be made: {done.err.strip()}", said=done.said)
        return "" if done.status else done.out.strip()

    def _labels(self, name: str) -> dict[str, str] | None:
        found: list[dict[str, Any]] = self._engine.inspected([name])
        if not found:
            return None
        labels = (found[0].get("Config") or {}).get("Labels") or {}
        ours = {key.removeprefix(_LABEL): str(value) for key, value in labels.items() if key.startswith(_LABEL)}
        return {**ours, "id": str(found[0].get("Id"))}


def holder() -> dict[str, str]:
    """Who this process is, so that another can tell whether it still lives."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    here = {"user": user, "host": socket.gethostname(), "pid": str(os.getpid())}
    return {**here, "machine": _machine(), "started": _started(os.getpid())}


def abandoned(held: Mapping[str, str]) -> bool:
    """Whether the holder ran on this machine, and runs no longer; of other machines nobody knows."""
    if not _machine() or held.get("machine") != _machine() or not held.get("pid", "").isdigit():
        return False
    return _started(int(held["pid"])) != held.get("started")


def described(held: Mapping[str, str]) -> str:
    """Who deploys, in words."""
    began = held.get("began", "")
    since = f" since {from_us(int(began)):%Y-%m-%d %H:%M:%S} UTC" if began.isdigit() else ""
    return (
        f"{held.get('user', 'somebody')} deploys from {held.get('host', 'somewhere')}, process {held.get('pid')}{since}"
    )


def _machine() -> str:
    """This boot of this machine and its view of processes; empty where nobody can tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began, in ticks since the boot; empty for one that is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
