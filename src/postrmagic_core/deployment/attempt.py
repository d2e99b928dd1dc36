"""One attempt to deploy a release, from the database to the last watch, and the way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn

from ..errors import DeployFailed, DeploymentError, DeployRefused, DeployUnfinished, EngineFailed, EngineGone
from .conduct import Conduct
from .engine import Engine
from .interface import Layout, Release, Replica, Terms
from .policy import belongs
from .proxy import Answers
from .rolling import Rolling, Way
from .watching import Watch

# What `postrmagic db upgrade --compatible` says where it refuses, before anything runs.
_INCOMPATIBLE: Final = "config.incompatible_change"
_PAUSE = 0.5


@dataclass(frozen=True)
class Task:
    """What is to be done: ``target`` in place of ``previous``, so many replicas of each service.

    ``stood`` are the replicas that were there before. ``again`` replaces those of ``target`` too. ``back`` is what a
    failure leads back to: ``target`` itself where nothing else ran.
    """

    target: Release
    previous: Release | None
    wanted: Mapping[str, int]
    stood: Sequence[Replica] = ()
    again: bool = False
    back: Release | None = None


@dataclass
class Attempt:
    """Does a task with these tools."""

    engine: Engine
    layout: Layout
    terms: Terms
    conduct: Conduct
    watch: Watch
    task: Task
    expanded: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._rolling = Rolling(self.engine, self.watch, self.conduct.say, self.conduct.check)

    def prepare(self) -> None:
        """Start the services that are missing, and bring the database to where both releases can use it.

        Raises :class:`DeployRefused` where that cannot be done; no replica has been touched then.
        """
        self._start_missing(self.layout.before, with_needed=True)
        self.conduct.check()
        self._upgrade()
        self.conduct.check()
        self._start_missing(self.layout.after, with_needed=False)

    def _start_missing(self, services: Sequence[str], *, with_needed: bool) -> None:
        running = {one.service for one in self._around() if one.state == "running"}
        if not (missing := [name for name in services if name not in running]):
            return
        self.conduct.say("services", f"not running, and started: {', '.join(missing)}")
        alone = () if with_needed else ("--no-deps",)
        words = ("up", "--detach", "--no-recreate", "--no-build", *alone, *missing)
        try:
            self.engine.compose(*words, release=self.task.target, previous=self.task.previous)
        except EngineGone:
            raise
        except EngineFailed as error:
            raise DeployRefused(f"services that the application needs could not be started: {error}") from error
        until = self.conduct.clock.monotonic() + self.terms.ready_timeout
        while waits := [one.name for one in self._around() if one.service in missing and one.health == "starting"]:
            if self.conduct.clock.monotonic() > until:
                raise DeployRefused(f"{', '.join(waits)}: not healthy within {self.terms.ready_timeout:g} s")
            self.conduct.pause(_PAUSE)

    def _around(self) -> list[Replica]:
        return self.engine.replicas(self.layout.project)

    def _upgrade(self) -> None:
        self.conduct.say(
            "database", "upgraded in a container of the new image, as far as the running release can live with it"
        )
        words = ("postrmagic", "db", "upgrade", "--compatible", "--app", self.layout.app)
        done = self.engine.once(self.layout.rolled[0], words, self.task.target, self.task.previous)
        for line in done.said.splitlines():
            self.conduct.say("database", line)
        if _INCOMPATIBLE in done.err:
            raise DeployRefused(
                "the running release could not live with this one's revisions, so nothing was changed: see "
                "`postrmagic db compatible`, and bring what breaks it a release later"
            )
        if done.status:
            raise DeployRefused(
                f"the database could not be upgraded (status {done.status}); no replica was touched, revisions that "
                "had run by then remain: mend what is said above and run the command again"
            )
        self.expanded = "up to date already" not in done.out

    def carry_out(self) -> Answers:
        """Replace every replica, workers first, and watch; rolled back where one fails (:class:`DeployFailed`)."""
        touched: list[str] = []
        ids: list[str] = []
        try:
            self.watch.begin()
            for service in self.layout.rolled:
                touched.append(service)
                ids += self._rolling.roll(service, self._way(service))
            if self.terms.watch:
                self.conduct.say("watch", f"all new replicas are watched for {self.terms.watch:g} s")
            return self.watch.for_a_while(ids, self.terms.watch)
        except EngineGone as error:
            self._unfinished(f"{error}", None)
        except KeyboardInterrupt:
            self._unfinished("interrupted", None)
        except DeploymentError as error:
            self._roll_back(touched, error)

    def _way(self, service: str) -> Way:
        task = self.task
        outdated = frozenset(one.id for one in task.stood) if task.again else frozenset[str]()
        canary = self.terms.watch if service in self.layout.web else 0.0
        return Way(task.target, task.previous, task.wanted[service], self.terms.at_once, canary, outdated)

    def _roll_back(self, touched: Sequence[str], why: DeploymentError) -> NoReturn:
        back, log = self.task.back, getattr(why, "log", "") or getattr(why, "said", "")
        began = self.conduct.seconds()
        try:
            self.conduct.resume()
            self.conduct.say("failed", str(why))
            self.conduct.say(
                "rollback", f"rolling back to {back.version}" if back else "nothing ran before: the new replicas end"
            )
            for service in reversed(touched):
                self._return(service, back)
        except DeploymentError as error:
            self._unfinished(f"{why}; and rolling back failed: {error}", why)
        except KeyboardInterrupt:
            self._unfinished(f"{why}; and rolling back was interrupted", why)
        took = self.conduct.seconds() - began
        self.conduct.say("rolled-back", f"{back.version if back else 'nothing'} runs as before, after {took:.1f} s")
        kept = f" The database stays expanded, which {back.version} can use." if self.expanded and back else ""
        ran = f"It was rolled back to {back.version}." if back else "Its replicas were ended, as nothing ran before."
        raise DeployFailed(f"{self.task.target.version} was not deployed: {why}. {ran}{kept}", log=log) from why

    def _return(self, service: str, back: Release | None) -> None:
        stood = [one for one in self.task.stood if one.service == service]
        if back is None:
            self._rolling.retire_all(service, self.task.target, ())
            return
        made = frozenset(one.id for one in self._rolling.of(service)) - {one.id for one in stood}
        same = belongs(Replica("", "", "", back, ""), self.task.target)
        running = frozenset(one.id for one in stood if one.state == "running")
        wanted = len(running) if same else self.task.wanted[service]
        labels = next((one.previous for one in self.task.stood if belongs(one, back)), None)
        outdated = made if same else frozenset[str]()
        self._rolling.roll(service, Way(back, labels, max(1, wanted), self.terms.at_once, 0.0, outdated, running))

    def _unfinished(self, why: str, cause: DeploymentError | None) -> NoReturn:
        target = self.task.target
        commands = (
            f"`postrmagic deploy up --release {target.version} --image {target.image}` or `postrmagic deploy rollback`"
        )
        kept = " The database is expanded already, which both releases can use." if self.expanded else ""
        raise DeployUnfinished(
            f"{why}. What was last seen: {self._standing()}.{kept} Mend it, then run {commands}",
            log=getattr(cause, "log", ""),
        ) from cause

    def _standing(self) -> str:
        counts = Counter((one.service, one.release.version, one.serving) for one in self.watch.seen)
        told = [
            f"{many} {service} of {version or 'no release'}{'' if serving else ' not serving'}"
            for (service, version, serving), many in sorted(counts.items())
        ]
        return ", ".join(told) or "no replica"

    def mark(self) -> list[str]:
        """Mark the release in the application's database; what hinders it is no reason to roll back, and is told."""
        words = ("postrmagic", "release", "mark", self.task.target.version, "--app", self.layout.app)
        problem = ""
        try:
            done = self.engine.once(self.layout.web[0], words, self.task.target, self.task.previous)
            problem = done.said if done.status else ""
        except EngineFailed as error:
            problem = str(error)
        if not problem:
            self.conduct.say("mark", f"{self.task.target.version} is marked as deployed")
            return []
        return [f"the release was not marked, run `postrmagic release mark` there: {problem}"]
