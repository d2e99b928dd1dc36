"""One service from one release to another, replica by replica."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from ..errors import DeployFailed, EngineFailed, EngineGone
from .engine import Engine
from .interface import Release, Replica
from .policy import Standing, belongs, next_move
from .watching import Watch

# What a run makes and retires in one service is bounded by what is there; more moves than this are a circle.
_MOVES = 1000


@dataclass(frozen=True, slots=True)
class Way:
    """Where a service goes: to ``wanted`` replicas of ``target``, whose labels name ``previous``.

    Those in ``outdated`` are old whatever their labels say. ``canary``: seconds that the first is watched. ``trusted``
    have stood before, and are not judged anew: the way back.
    """

    target: Release
    previous: Release | None
    wanted: int
    at_once: int = 1
    canary: float = 0.0
    outdated: frozenset[str] = frozenset()
    trusted: frozenset[str] | None = None


class Rolling:
    """Moves services; ``say(step, text)`` is told, ``check()`` raises where the deployment is to end."""

    def __init__(
        self, engine: Engine, watch: Watch, say: Callable[[str, str], None], check: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._watch = watch
        self._say = say
        self._check = check

    def of(self, service: str) -> list[Replica]:
        """The service's containers."""
        return [one for one in self._watch.replicas() if one.service == service]

    def roll(self, service: str, way: Way) -> list[str]:
        """Go all the way, and give the ids of what runs then; :class:`DeployFailed` where a new replica fails."""
        passed = set(way.trusted or ())
        watched = False
        for _ in range(_MOVES):
            self._check()
            found = self.of(service)
            new = [one for one in found if belongs(one, way.target, way.outdated)]
            old = [one for one in found if not belongs(one, way.target, way.outdated)]
            old.sort(key=lambda one: one.serving)  # what does not serve well goes first
            move = next_move(
                [Standing(one.id, one.state == "running") for one in old],
                [Standing(one.id, one.id in passed) for one in new],
                way.wanted,
                way.at_once,
            )
            if move.word == "done":
                return [one.id for one in new]
            if move.word == "start":
                self._start(service, way, found, move.many)
            elif move.word == "await":
                self._watch.until_ready(move.ids, patient=way.trusted is not None)
                passed.update(move.ids)
                self._say("ready", f"{service}: {_named(new, move.ids)} ready")
                if way.canary and not watched:
                    watched = True
                    self._look(service, passed, way.canary)
            else:
                self._retire([one for one in found if one.id in move.ids])
        raise DeployFailed(f"{service}: its replicas come and go without end")

    def retire_all(self, service: str, target: Release, outdated: Collection[str]) -> None:
        """End every replica of a release: there is none to put in its place."""
        self._retire([one for one in self.of(service) if belongs(one, target) and one.id not in outdated])

    def _start(self, service: str, way: Way, found: list[Replica], many: int) -> None:
        idle = [one for one in found if one.state in {"created", "exited", "dead"}]
        for one in idle:  # it would be started with the new ones
            self._say("clear", f"{service}: {one.name} does not run ({one.state}) and is removed")
            self._engine.remove(one.id)
        before = {one.id for one in found}
        self._say("start", f"{service}: {many} of release {way.target.version} begin{'s' if many == 1 else ''}")
        try:
            self._engine.scale(service, len(found) - len(idle) + many, way.target, way.previous)
        except EngineGone:
            raise
        except EngineFailed as error:
            raise DeployFailed(f"{service}: a replica could not be started: {error}", log=error.said) from error
        made = [one for one in self.of(service) if one.id not in before]
        if wrong := [one for one in made if not belongs(one, way.target)]:
            raise DeployFailed(
                f"{wrong[0].name} is not of the image and release that were asked for: was the tag moved meanwhile?"
            )
        if not made:
            raise DeployFailed(f"{service}: no replica was made, though {many} were asked for")

    def _look(self, service: str, ids: Collection[str], seconds: float) -> None:
        self._say("watch", f"{service}: the first is watched for {seconds:g} s")
        self._watch.for_a_while(ids, seconds)

    def _retire(self, replicas: list[Replica]) -> None:
        for one in replicas:
            self._say("retire", f"{one.service}: {one.name} of release {one.release.version or '?'} drains and ends")
        self._engine.retire(replicas)
        for one in replicas:
            self._watch.forget(one)


def _named(replicas: list[Replica], ids: Collection[str]) -> str:
    names = [one.name for one in replicas if one.id in ids]
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"
