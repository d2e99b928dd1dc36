"""What tests of containers share: one engine, one image, one project that runs, and an account of what was measured."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.testing.faults import VARIABLE
from tests.containers import images as images_
from tests.containers.engine import ROOT, Engine, engine, told
from tests.containers.images import Images
from tests.containers.load import logged_in, uploaded
from tests.containers.project import Project, running, scratch

IMAGE = "postrmagic-container-test:1"
NAME = "postrmagic-container-test"
CANARY = "a-secret-beside-the-sources-5f1c0b3d"
CPUS = {"APP_CPUS": "1.0"}


@pytest.fixture(scope="session")
def measured() -> Iterator[dict[str, Any]]:
    """What tests measure, for a report; written where ``CONTAINER_REPORT`` says."""
    figures: dict[str, Any] = {}
    yield figures
    if target := os.environ.get("CONTAINER_REPORT"):
        Path(target).write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def machine(measured: dict[str, Any]) -> Iterator[Engine]:
    """The machine's engine, or a private one."""
    with engine() as found:
        measured["engine"] = {"version": found.version, "private": found.private, "cores": os.cpu_count()}
        yield found


@pytest.fixture(scope="session")
def images(machine: Engine, measured: dict[str, Any]) -> Images:
    """Every image that the project names, as far as it can be had."""
    named = machine.docker("compose", "--profile", "*", "config", "--images", SECRETS="/nowhere", IMAGE=IMAGE)
    found = images_.obtain(machine, sorted(set(named.split()) - {IMAGE}))
    measured["images"] = {
        "pulled": found.pulled,
        "made": found.made,
        "there": found.there,
        "not run": found.missing,
    }
    return found


@pytest.fixture(scope="session")
def image(machine: Engine, images: Images, measured: dict[str, Any]) -> Iterator[str]:
    """The application's image, built of this checkout, beside whose secrets lies one that nobody may find again."""
    told(f"building {IMAGE}")
    planted = ROOT / "deploy" / "secrets" / "of-container-test"
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(CANARY, encoding="ascii")
    try:
        cold = "CONTAINER_COLD" in os.environ
        if cold and machine.private:  # of another's engine the caches are another's
            machine.docker("builder", "prune", "--all", "--force", "--filter", "type=exec.cachemount")
        seconds = build(machine, images, IMAGE, *(["--no-cache"] if cold else []), release="1")
        made = _identity(machine, IMAGE)
        again = build(machine, images, IMAGE, release="1")
    finally:
        planted.unlink()
    size, base = (int(machine.docker("image", "inspect", "--format", "{{.Size}}", one)) for one in (IMAGE, images.base))
    measured["build"] = {
        "cold_s": round(seconds, 1) if cold else None,
        "packages_from_index": cold and machine.private,
        "again_s": round(again, 1),
        "cached": made == _identity(machine, IMAGE),
        "image_mb": round(size / 1e6),
        "base_mb": round(base / 1e6),
    }
    if VARIABLE in os.environ:
        _disarmed(machine, IMAGE)
    yield IMAGE
    if not machine.private:
        machine.docker("image", "rm", "--force", IMAGE, check=False)


_WITHOUT_ITS_GUARD = """FROM {image}
COPY . /guard
ENV PYTHONPATH=/guard {variable}={value}
"""


def _disarmed(machine: Engine, image: str) -> None:
    """Take the row's guard out of the image as well: what runs in a container has no test kit that would do it."""
    row = os.environ[VARIABLE]
    double = f"{json.loads(row)[1].partition(':')[0].replace('.', '/')}.py"
    with scratch() as directory:
        start = "from postrmagic_core.testing.faults import apply_from_environment\napply_from_environment()\n"
        (directory / "sitecustomize.py").write_text(start, encoding="utf-8")
        if (ROOT / double).exists():  # one of the tests' own
            (directory / double).parent.mkdir(parents=True)
            shutil.copy(ROOT / double, directory / double)
        lines = _WITHOUT_ITS_GUARD.format(image=image, variable=VARIABLE, value=json.dumps(row))
        (directory / "Dockerfile").write_text(lines, encoding="utf-8")
        directory.chmod(0o755)
        machine.docker("build", "--quiet", f"--tag={image}", str(directory))


def _identity(machine: Engine, image: str) -> str:
    return machine.docker("image", "inspect", "--format", "{{.Id}}", image)


def build(machine: Engine, images: Images, tag: str, *options: str, release: str) -> float:
    """The seconds that it took."""
    began = time.monotonic()
    arguments = [f"--build-arg=PYTHON={images.base}", f"--build-arg=RELEASE={release}", f"--tag={tag}", *options]
    machine.docker("build", "--quiet", *arguments, str(ROOT))
    return time.monotonic() - began


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    """Where the run keeps its secrets."""
    with scratch() as made:
        yield made


@pytest.fixture(scope="session")
def project(machine: Engine, images: Images, image: str, directory: Path) -> Iterator[Project]:
    """The production profile, healthy, with two replicas behind the proxy."""
    with running(machine, images, image, name=NAME, secrets=directory / "secrets", RELEASE="1", **CPUS) as made:
        yield made


@pytest.fixture(scope="session")
def token(project: Project) -> str:
    """A token of the demo account, which has some media."""
    made = logged_in(project.address, "demo", "posters-for-everyone")
    uploaded(project.address, made, 30)
    return made
