"""The reference application deployed under load on a real engine: a good release, bad ones, the way back by hand."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.deployment import Deployment, Release, Replica, Said, Terms
from postrmagic_core.errors import DeployFailed, DeployRefused
from tests.containers.deploy_kit import LocalEngine
from tests.containers.deploy_releases import FAULTS, PREFIX, made
from tests.containers.engine import Engine
from tests.containers.images import Images
from tests.containers.load import load, logged_in, uploaded
from tests.containers.project import Project, running

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

TERMS = Terms(watch=8.0, ready_timeout=240.0)
SERVICES = {"app": 2, "worker": 1, "relay": 1}


class Site:
    """The project and what is deployed to it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.engine = LocalEngine(project.options, {**project.engine.environment, **project.environment})
        self.said: list[Said] = []

    def deployment(self, terms: Terms = TERMS) -> Deployment:
        """One, that tells ``said``."""
        self.said = []
        return Deployment(self.engine, terms, report=self.said.append)

    def replicas(self) -> list[Replica]:
        """Those that are deployed."""
        return [one for one in self.engine.replicas(self.project.name) if one.service in SERVICES]

    def runs(self, version: str) -> bool:
        """Whether this release alone runs, whole."""
        found = self.replicas()
        expected = {(service, version): many for service, many in SERVICES.items()}
        return len(found) == sum(SERVICES.values()) and Counter(
            (one.service, one.release.version) for one in found if one.serving
        ) == Counter(expected)

    def marked(self, version: str) -> bool:
        """Whether the application knows of the deployment."""
        words = ("postrmagic", "release", "list", "--app", "media_library.worker:stack", "--json")
        return any(
            one["version"] == version and one["marked_at"] for one in json.loads(self.project.inside("app", *words))
        )

    def retried(self) -> int:
        """How often the proxy tried another server, since it began."""
        return sum(one.retried for one in self.project.statistics())

    def took(self, step: str) -> float:
        """Seconds from the first line of a step to the last line of all."""
        return self.said[-1].seconds - next(one.seconds for one in self.said if one.step == step)


@pytest.fixture(scope="module")
def site(machine: Engine, images: Images, image: str, directory: Path) -> Iterator[Site]:
    """Release 1 runs, whole."""
    second = made(machine, image, "2")
    for release in ("contracts", *FAULTS):
        made(machine, second, release)
    with running(machine, images, image, name=PREFIX, secrets=directory / "deploy-secrets", RELEASE="1") as project:
        yield Site(project)


@pytest.fixture(scope="module")
def media(site: Site) -> str:
    """A token of an account that has some media."""
    token = logged_in(site.project.address, "demo", "posters-for-everyone")
    uploaded(site.project.address, token, 3)
    return token


def test_a_release_is_deployed_under_load(site: Site, media: str, measured: dict[str, Any]) -> None:
    """Given load, when a release with an expanding revision is deployed, then no request fails."""
    before = site.retried()
    with load(site.project.address, clients=4, writes=0.1, token=media) as account:
        outcome = site.deployment().up(Release("2", f"{PREFIX}:2"))
    assert account.failed() == []
    assert account.refused() == []
    assert (outcome.ending, outcome.failed, outcome.asked > 0) == ("deployed", 0, True)
    assert site.runs("2")
    assert site.marked("2")
    measured["deploy"] = {
        "requests": len(account.requests),
        "failed": len(account.failed()),
        "retried_at_the_proxy": max(0, site.retried() - before),
        "seconds": outcome.seconds,
    }


def test_a_contracting_release_is_refused(site: Site, measured: dict[str, Any]) -> None:
    """Given a release that drops a column which the running one uses, then it is refused, and no replica is touched."""
    before = [one.id for one in site.replicas()]
    with pytest.raises(DeployRefused, match="nothing was changed"):
        site.deployment().up(Release("contracts", f"{PREFIX}:contracts"))
    assert [one.id for one in site.replicas()] == before
    assert any("filename" in one.text for one in site.said), [one.text for one in site.said]
    measured["contracts"] = {"seconds": site.said[-1].seconds}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_release_is_rolled_back(site: Site, media: str, measured: dict[str, Any], fault: str) -> None:
    """Given a release that never is ready, crashes, or fails three of ten requests, then the one before runs again."""
    terms = Terms(watch=8.0, ready_timeout=40.0 if fault == "never" else 240.0)
    stood = site.replicas()[0].release.version
    with load(site.project.address, clients=4, writes=0.1, token=media) as account:
        with pytest.raises(DeployFailed, match=f"rolled back to {stood}") as failed:
            site.deployment(terms).up(Release(fault, f"{PREFIX}:{fault}"))
        time.sleep(2)
    assert site.runs(stood)
    if fault == "errors":
        assert {one.status for one in account.failed()} == {500}
        assert max(one.began for one in account.failed()) < time.time() - 1
    else:
        assert account.failed() == []
    if fault == "crashes":
        assert "the fault of this image" in failed.value.log
    times = [one.began for one in account.failed()]
    measured[fault] = {
        "requests": len(account.requests),
        "failed": len(account.failed()),
        "users_saw_it_s": max(times) - min(times) if times else 0.0,
        "recovery_s": site.took("failed"),
        "seconds": site.said[-1].seconds,
    }


def test_a_release_is_rolled_back_by_hand(site: Site, media: str, measured: dict[str, Any]) -> None:
    """Given load, when a person rolls back, then the release before runs on the database that stays, and none fails."""
    with load(site.project.address, clients=4, writes=0.1, token=media) as account:
        outcome = site.deployment(Terms(watch=0, ready_timeout=240.0)).rollback()
    assert account.failed() == []
    assert (outcome.release.version, site.runs("1")) == ("1", True)
    measured["rollback"] = {
        "requests": len(account.requests),
        "failed": len(account.failed()),
        "seconds": outcome.seconds,
    }
