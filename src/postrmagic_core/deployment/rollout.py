"""A release deployed to one Compose project, and taken back by itself where it does not stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from .._clock import Clock, SystemClock
from ..errors import (
    DataError,
    DeployFailed,
    DeploymentError,
    DeployRefused,
    EngineFailed,
    EngineGone,
)
from .attempt import Attempt, Task
from .compose import check_release, check_variables, layout_of
from .conduct import Conduct
from .engine import Engine
from .interface import Layout, Note, Outcome, Release, Replica, Report, Said, Status, Terms
from .lock import Lock
from .policy import back_from, belongs, previous_of, wanted_of
from .proxy import Answers
from .watching import Watch

_AGAIN: Final = "postrmagic deploy up --release {} --image {}"


def unheard(said: Said) -> None:
    """Tell nobody."""


class Deployment:
    """Deploys to the project that ``engine`` names; see ``docs/explanation/deployment.md``.

    ``report`` is told each step. :meth:`stop` may be called by a signal's handler or another thread.
    """

    def __init__(
        self, engine: Engine, terms: Terms | None = None, *, report: Report = unheard, clock: Clock | None = None
    ) -> None:
        self._engine = engine
        self._terms = terms or Terms()
        self._clock = clock or SystemClock()
        self._conduct = Conduct(report, self._clock)

    def stop(self) -> None:
        """Have the deployment that runs end at its next step and be rolled back."""
        self._conduct.stop()

    def up(self, release: Release, *, again: bool = False) -> Outcome:
        """Deploy a release; ``again`` replaces replicas too that are of it already, as for a changed secret.

        Raises :class:`DeployRefused` where no replica was touched, :class:`DeployLocked`, :class:`DeployFailed` where
        it was rolled back, and :class:`DeployUnfinished` where that did not succeed either.
        """
        check_release(release)
        document = self._engine.document(release)
        layout = layout_of(document)
        check_variables(document, layout, release)
        with self._locked(layout, release) as (lock, target):
            return self._deployed(layout, lock, target, again=again)

    def rollback(self) -> Outcome:
        """Go back to the release that the running one's labels name as the one before; the database stays as it is.

        Raises what :meth:`up` does; :class:`DeployRefused` where no release before is known.
        """
        layout = layout_of(self._engine.document())
        before = self._before(layout)
        check_release(before)
        document = self._engine.document(before)
        check_variables(document, layout, before)
        with self._locked(layout, before) as (lock, target):
            return self._deployed(layout, lock, target, back=True)

    def status(self) -> Status:
        """What runs, and what is known of it."""
        layout = layout_of(self._engine.document())
        lock, watch = self._lock(layout), self._watch(layout)
        replicas, problem, words = watch.replicas(), "", dict[str, str]()
        if layout.proxy and replicas:
            try:
                words = {one.host: one.status for one in watch.servers(replicas) if one.host}
            except DataError as error:
                problem = str(error)
        return Status(layout.project, tuple(replicas), words, problem, lock.told(), lock.note())

    def unlock(self) -> dict[str, str] | None:
        """Take the lock away from whoever has it, and say from whom; ``None`` where nobody had it."""
        return self._lock(layout_of(self._engine.document())).break_open()

    def _before(self, layout: Layout) -> Release:
        note = self._lock(layout).note()
        before = back_from(self._watch(layout).replicas(), note)
        if before is None:
            raise DeployRefused(
                f"no release before this one is known: name it yourself, as in `{_AGAIN.format('1.0', 'name:1.0')}`"
            )
        if before.image_id and self._engine.image_id(before.image) != before.image_id:
            return replace(before, image=before.image_id)
        return before

    def _lock(self, layout: Layout) -> Lock:
        return Lock(self._engine, layout.project, self._clock)

    def _watch(self, layout: Layout) -> Watch:
        return Watch(self._engine, layout, self._terms, self._conduct)

    @contextmanager
    def _locked(self, layout: Layout, release: Release) -> Iterator[tuple[Lock, Release]]:
        """The lock, and the release with its image's id; both given back in the end as far as the engine answers."""
        target, lock = replace(release, image_id=self._resolved(release)), self._lock(layout)
        lock.take(release.image)
        try:
            yield lock, target
        finally:
            try:
                lock.release()
            except EngineFailed:
                self._conduct.say("unlock", "the lock stays, as the engine does not answer: postrmagic deploy unlock")

    def _resolved(self, release: Release) -> str:
        if found := self._engine.image_id(release.image):
            return found
        self._conduct.say("pull", f"{release.image} is not here and is fetched")
        try:
            self._engine.pull(release.image)
        except EngineGone:
            raise
        except EngineFailed as error:
            raise DeployRefused(
                f"there is no image {release.image}, neither here nor in its registry: build and push it first"
            ) from error
        return self._engine.image_id(release.image)

    def _deployed(
        self, layout: Layout, lock: Lock, target: Release, *, again: bool = False, back: bool = False
    ) -> Outcome:
        watch, say = self._watch(layout), self._conduct.say
        stood, noted = watch.replicas(), lock.note()
        previous = self._identified(previous_of(target, stood, noted))
        wanted = self._wanted(layout, stood, target, noted)
        if not again and self._stands(layout, stood, target, wanted):
            lock.clear()
            say("unchanged", f"release {target.version} runs already: {_counted(wanted)}")
            return Outcome("unchanged", target, previous, wanted, self._conduct.seconds())
        replaced = noted is not None or not all(belongs(one, target) for one in stood)
        task = Task(target, previous, wanted, stood, again, previous if replaced or not stood else target)
        attempt = Attempt(self._engine, layout, self._terms, self._conduct, watch, task)
        lock.write(Note(target, previous, wanted, self._clock.now_us()), target.image)
        say(
            "begin",
            f"release {target.version} in place of {previous.version if previous else 'nothing'}: {_counted(wanted)}",
        )
        if not back:
            with self._untouched(lock, noted):
                attempt.prepare()
        try:
            answers = attempt.carry_out()
        except DeployFailed:
            lock.clear()
            raise
        doubts = [*self._unknown(layout, answers), *([] if back else attempt.mark())]
        lock.clear()
        say("deployed", f"release {target.version} runs: {_counted(wanted)}")
        seconds = self._conduct.seconds()
        return Outcome("deployed", target, previous, wanted, seconds, answers.asked, answers.failed, tuple(doubts))

    def _unknown(self, layout: Layout, answers: Answers) -> list[str]:
        if not layout.proxy:
            return ["no proxy is named in the Compose file: nobody knows what the new replicas answer"]
        if not answers.asked:
            return ["nobody asked the new replicas anything while they were watched: their error rate is not known"]
        return []

    @contextmanager
    def _untouched(self, lock: Lock, noted: Note | None) -> Iterator[None]:
        """What fails in here has touched no replica: what was noted before is what is still unfinished."""
        try:
            yield
        except DeployFailed as error:
            self._forget(lock, noted)
            raise DeployRefused(f"{error}: no replica was touched") from error
        except BaseException:
            self._forget(lock, noted)
            raise

    def _forget(self, lock: Lock, noted: Note | None) -> None:
        try:
            lock.clear()
            if noted is not None:
                lock.write(noted, noted.target.image)
        except DeploymentError:
            self._conduct.say("note", "what was begun stays noted: the next run looks for itself")

    def _wanted(
        self, layout: Layout, replicas: Sequence[Replica], target: Release, noted: Note | None
    ) -> dict[str, int]:
        wanted = {}
        for service in layout.rolled:
            there = [one for one in replicas if one.service == service and one.state not in {"created", "dead"}]
            new = sum(belongs(one, target) for one in there)
            known = None if noted is None else noted.wanted.get(service)
            wanted[service] = wanted_of(known, len(there) - new, new, layout.replicas.get(service, 1))
        return wanted

    def _stands(self, layout: Layout, replicas: Sequence[Replica], target: Release, wanted: dict[str, int]) -> bool:
        """Whether the release runs already, whole and alone."""
        return all(one.serving and belongs(one, target) for one in replicas) and all(
            sum(one.service == service for one in replicas) == wanted[service] for service in layout.rolled
        )

    def _identified(self, release: Release | None) -> Release | None:
        """A release with its image's id, and by a name that leads there; ``None`` where its image is gone."""
        if release is None:
            return None
        found = self._engine.image_id(release.image)
        if not release.image_id:
            return replace(release, image_id=found) if found else None
        return release if found == release.image_id else replace(release, image=release.image_id)


def _counted(wanted: dict[str, int]) -> str:
    return ", ".join(f"{many} {service}" for service, many in wanted.items())
