"""Deployments on a real engine that go wrong: the release, the deployer, the engine, the proxy."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from postrmagic_core.deployment import Deployment, Release, Terms
from postrmagic_core.errors import DeployFailed, DeployLocked, DeployRefused, DeployUnfinished, EngineFailed, EngineGone
from tests.containers.deploy_kit import PREFIX, LocalEngine, Stage, built, cleared, killed, staged
from tests.containers.engine import Engine, told
from tests.containers.images import obtain
from tests.containers.project import until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

WHOLE = Counter({("app", "1"): 2, ("worker", "1"): 1})
FAULTS = {
    "never": "is not ready|health check says",
    "crash": "exit code|restarted",
    "errors": "requests to new replicas failed",
    "hidden": "proxy does not send",
    "worker": "exit code|restarted",
    "dies": "exit code|restarted|gone|requests to new replicas failed",
}


@pytest.fixture(scope="session")
def proxy(machine: Engine) -> Iterator[str]:
    """The proxy's image, and those of the application, of each kind."""
    found = obtain(machine, ["haproxy:2.6"])
    told("building what is deployed")
    for kind in ("1", "2"):
        built(machine, found.base, kind)
    for kind in FAULTS:
        built(machine, found.base, kind, FAULT=kind)
    for kind in ("contracts", "fails"):
        built(machine, found.base, kind, MIGRATION=kind)
    built(machine, found.base, "expands", MIGRATION="expands", FAULT="crash")
    built(machine, found.base, "unmarked", MARK="fails")
    yield found.variables.get("HAPROXY_IMAGE", "haproxy:2.6")
    if not machine.private:
        machine.docker("image", "rm", "--force", *(f"{PREFIX}:{kind}" for kind in ("1", "2", *FAULTS)), check=False)


@pytest.fixture(scope="session")
def project(machine: Engine, proxy: str) -> Iterator[Stage]:
    """One project for all."""
    with staged(machine, proxy, "postrmagic-deploy-faults") as made:
        yield made


@pytest.fixture
def stage(project: Stage) -> Stage:
    """Release 1 runs, whole, and nothing is left over."""
    project.said.clear()
    if project.versions() != WHOLE or len(project.replicas()) != 3 or project.left():
        cleared(project)
        project.up("1", terms=Terms(watch=0))
    until(lambda: project.versions() == WHOLE, "release 1 is healthy")  # a gate that is taken out is no matter here
    return project


def is_as_before(stage: Stage) -> None:
    """Release 1 runs whole and alone, and nobody has the lock."""
    assert stage.versions() == WHOLE
    assert len(stage.replicas()) == 3
    assert stage.left() == []


@pytest.mark.parametrize("kind", FAULTS)
def test_a_bad_release_is_rolled_back(stage: Stage, kind: str) -> None:
    """Given a release with a fault, when it is deployed under load, then what ran before runs, and why is told."""
    terms = Terms(watch=6, ready_timeout=12 if kind in {"never", "hidden"} else 60)
    with stage.asked() as asked, pytest.raises(DeployFailed, match=FAULTS[kind]) as failed:
        stage.up("9", kind, terms=terms)
    assert "rolled back to 1" in str(failed.value)
    if kind in {"crash", "worker"}:
        assert "the fault of this image" in failed.value.log
    if kind not in {"errors", "dies"}:
        assert asked.failed == []
    is_as_before(stage)


def test_a_good_release_is_deployed_and_taken_back(stage: Stage) -> None:
    """Given load, when a release is deployed, rolled back, and that rolled back, then not one request fails."""
    with stage.asked() as asked:
        outcome = stage.up("2")
        assert (outcome.ending, outcome.failed, outcome.asked > 0) == ("deployed", 0, True)
        assert stage.up("2").ending == "unchanged"
        assert stage.deployment(Terms(watch=0)).rollback().release.version == "1"
        assert stage.deployment(Terms(watch=0)).rollback().release.version == "2"
    assert asked.failed == [], [f"{one.seconds:.1f} {one.text}" for one in stage.said]
    assert asked.answers[200, "2"] > 0
    assert stage.versions() == Counter({("app", "2"): 2, ("worker", "2"): 1})


def test_the_number_of_replicas_stays(stage: Stage) -> None:
    """Given one that was scaled by hand, when it is deployed two at once, then there are as many as before."""
    compose = ("up", "--detach", "--no-deps", "--no-recreate", "--scale", "app=3", "app")
    stage.engine().compose(*compose, release=Release("1", f"{PREFIX}:1"))
    stage.deployment(Terms(at_once=2, watch=0)).up(Release("2", f"{PREFIX}:2"))
    assert stage.versions() == Counter({("app", "2"): 3, ("worker", "2"): 1})


@pytest.mark.parametrize(("kind", "said"), [("contracts", "nothing was changed"), ("fails", "could not be upgraded")])
def test_a_migration_that_is_refused_changes_nothing(stage: Stage, kind: str, said: str) -> None:
    """Given revisions that would break the running release, or that fail, then no replica is another one."""
    before = [one.id for one in stage.replicas()]
    with pytest.raises(DeployRefused, match=said):
        stage.up("9", kind)
    assert [one.id for one in stage.replicas()] == before
    assert any("drop-column" in one.text for one in stage.said) or kind == "fails"
    is_as_before(stage)


def test_a_database_that_stays_expanded_is_told(stage: Stage) -> None:
    """Given revisions that ran, and a release that then fails, then it is said that the schema stays."""
    with pytest.raises(DeployFailed, match="stays expanded"):
        stage.up("9", "expands")
    is_as_before(stage)


def test_what_cannot_be_found_or_judged(stage: Stage) -> None:
    """Given no such image, then it is refused; given nobody who asks, or no mark, then that is told of a release."""
    with pytest.raises(DeployRefused, match="no image"):
        stage.up("9", "missing")
    is_as_before(stage)
    outcome = stage.up("2", "unmarked", terms=Terms(watch=0.5))
    assert [doubt for doubt in outcome.doubts if "nobody asked" in doubt]
    assert [doubt for doubt in outcome.doubts if "not marked" in doubt and "does not answer" in doubt]


def test_the_same_release_again(stage: Stage) -> None:
    """Given a release that runs, when it is deployed again for a changed secret, then every replica is a new one."""
    before = {one.id for one in stage.replicas()}
    with stage.asked() as asked:
        assert stage.up("1", again=True, terms=Terms(watch=0)).ending == "deployed"
    assert asked.failed == []
    assert not before & {one.id for one in stage.replicas()}
    is_as_before(stage)


def test_two_deployers(stage: Stage) -> None:
    """Given one who deploys, then another is refused and told who; the first goes on undisturbed."""
    first = threading.Thread(target=lambda: stage.up("2", terms=Terms(watch=0)))
    first.start()
    try:
        while f"{stage.name}-deploy-lock" not in stage.left():
            time.sleep(0.05)
        with pytest.raises(DeployLocked, match=r"deploys from .* unlock"):
            stage.up("1")
    finally:
        first.join()
    assert stage.versions() == Counter({("app", "2"): 2, ("worker", "2"): 1})


def test_the_lock_of_another_machine(stage: Stage) -> None:
    """Given a lock whose holder nobody can see, then it stays until somebody takes it away."""
    stage.engine().run("create", "--name", f"{stage.name}-deploy-lock", f"{PREFIX}:1", "true")
    with pytest.raises(DeployLocked, match="unlock"):
        stage.up("2")
    assert stage.deployment().unlock() is not None
    assert stage.deployment().unlock() is None
    is_as_before(stage)


STEPS = ["upgraded in a", "worker: 1 of", r"worker-\d+ is ready", "app: 1 of", "watched", "drains and ends", "all new"]


@pytest.mark.parametrize("step", range(len(STEPS)))
def test_a_deployer_that_is_killed(stage: Stage, step: int) -> None:
    """Given SIGKILL at a step, when the command is run again, then the release runs, whole and alone."""
    words = ("--release", "2", "--image", f"{PREFIX}:2", "--watch", "1", "--yes")
    _until_said(stage, ("up", *words), STEPS[step], signal.SIGKILL)
    assert f"{stage.name}-deploy-lock" in stage.left()
    with stage.command("up", *words) as second:
        assert second.stdout is not None
        said = second.stdout.read()
    assert second.returncode == 0, said
    assert stage.versions() == Counter({("app", "2"): 2, ("worker", "2"): 1})
    assert len(stage.replicas()) == 3
    assert stage.left() == []


def test_a_deployer_that_is_killed_is_rolled_back_by_hand(stage: Stage) -> None:
    """Given SIGKILL after some replicas were replaced, when a person rolls back, then release 1 runs whole."""
    words = ("--release", "2", "--image", f"{PREFIX}:2", "--watch", "1", "--yes")
    _until_said(stage, ("up", *words), r"app-\d+ of release 1 drains", signal.SIGKILL)
    assert stage.deployment().status().note is not None
    stage.deployment().rollback()
    is_as_before(stage)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_rolls_back(stage: Stage, number: int) -> None:
    """Given Ctrl-C, or a job that is cancelled, then what ran before runs, and the exit status is 1."""
    words = ("--release", "2", "--image", f"{PREFIX}:2", "--watch", "1", "--yes")
    status, said = _until_said(stage, ("up", *words), "app: 1 of", number)
    assert (status, "interrupted" in said, "rolled back to 1" in said) == (1, True, True), said
    is_as_before(stage)


def test_a_second_interrupt_says_what_is_left(stage: Stage) -> None:
    """Given Ctrl-C while it is rolled back, then it ends at once with exit status 3, and the next run finishes."""
    words = ("--release", "2", "--image", f"{PREFIX}:2", "--watch", "30", "--yes")
    status, said = _until_said(stage, ("up", *words), "watched", signal.SIGINT, "rolling back")
    assert (status, "What was last seen" in said, "deploy rollback" in said) == (3, True, True), said
    stage.deployment().rollback()
    is_as_before(stage)


def _until_said(stage: Stage, words: Sequence[str], said: str, number: int, again: str = "") -> tuple[int, str]:
    """Start the command and send it the signal at a line, and once more at another; its end and what it said."""
    lines = []
    with stage.command(*words) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if said and re.search(said, line):
                killed(process, number)
                said, again = again, ""
        process.wait(120)
    return process.returncode, "".join(lines)


class Broken(LocalEngine):
    """One that fails from a certain command on; as if there were no daemon, or for that command alone."""

    def arm(self, words: Sequence[str], error: EngineFailed, *, once: bool = False) -> Broken:
        """At the first command with all these words."""
        self._words, self._error, self._once, self._armed = words, error, once, True
        self._broken = False
        return self

    def before(self, words: Sequence[str]) -> None:
        """Fail where it is time."""
        if self._broken or (self._armed and all(word in words for word in self._words)):
            self._armed = False
            self._broken = not self._once
            raise self._error


def broken(stage: Stage, words: Sequence[str], error: EngineFailed, *, once: bool = False) -> Deployment:
    """A deployment on such an engine."""
    engine = Broken(stage.options, stage.environment).arm(words, error, once=once)
    return stage.deployment(Terms(watch=0), engine)


def test_an_engine_that_goes_away(stage: Stage) -> None:
    """Given no daemon from the first retired replica on, then what stands and what to run is said."""
    gone = broken(stage, ["stop"], EngineGone("the container engine does not answer"))
    with pytest.raises(DeployUnfinished, match=r"What was last seen: .*1 worker of .*postrmagic deploy up --release 2"):
        gone.up(Release("2", f"{PREFIX}:2"))
    assert stage.deployment().unlock() is not None  # the lock could not be given back, and its holder lives: this test
    assert stage.up("2", terms=Terms(watch=0)).ending == "deployed"
    assert stage.left() == []


def test_no_room_for_a_replica(stage: Stage) -> None:
    """Given an engine whose disk is full when a replica is made, then it is rolled back, and why is told."""
    full = broken(stage, ["app=3"], EngineFailed("write /layer: no space left on device"), once=True)
    with pytest.raises(DeployFailed, match="no space left on device"):
        full.up(Release("2", f"{PREFIX}:2"))
    is_as_before(stage)


def test_a_proxy_that_says_nothing(stage: Stage, tmp_path: Path) -> None:
    """Given statistics that cannot be read, then no replica passes the gate, and the address is named."""
    text = stage.file.read_text().replace("http://proxy:8404/stats;csv", "http://proxy:8405/stats;csv")
    wrong = stage.file.with_name("compose.unreachable.yaml")
    wrong.write_text(text)
    try:
        engine = LocalEngine(["--file", str(wrong), "--project-name", stage.name], stage.environment)
        with pytest.raises(DeployFailed, match=r"8405.*cannot be read"):
            stage.deployment(Terms(watch=0, ready_timeout=5), engine).up(Release("2", f"{PREFIX}:2"))
    finally:
        wrong.unlink()
    is_as_before(stage)


def test_a_first_release_that_fails(stage: Stage) -> None:
    """Given a project where nothing runs, when its first release fails, then none of its replicas stays."""
    cleared(stage)
    with pytest.raises(DeployFailed, match="nothing ran before"):
        stage.up("9", "crash")
    assert stage.replicas() == []
    with pytest.raises(DeployRefused, match="no release before"):
        stage.deployment().rollback()
