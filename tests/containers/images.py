"""The images that containers are made of: pulled where a registry answers, made of Debian's packages where none does.

What is made here stands in for an image and says so by its label. It obeys what ``compose.yaml`` uses of the original's
entry point, and nothing else: ``stand_ins/NAME``.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.containers.engine import CACHE, HERE, Engine, told

LABEL = "org.postrmagic.stands-in-for"
# The image that the application's own is made of, and what it is made of where there is no registry: Debian's
# Python 3.13 instead of one that is compiled for the image.
BASE = "python:3.13-slim-bookworm"
# By the variable that compose.yaml takes an image from: what Debian has, under the tag that is true of it.
STAND_INS = {
    "PYTHON": "python:3.13-slim-trixie",
    "MARIADB_IMAGE": "mariadb:10.11",
    "REDIS_IMAGE": "redis:7.0-bookworm",
    "HAPROXY_IMAGE": "haproxy:2.6",
    "RABBITMQ_IMAGE": "rabbitmq:3.10",
    "PROMETHEUS_IMAGE": "prom/prometheus:v2.42.0",
    "ALERTMANAGER_IMAGE": "prom/alertmanager:v0.25.0",
}
_DEBIAN = {"python": "trixie"}
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass
class Images:
    """Which image came from where. ``missing``: neither pulled nor made, so what needs them is not run."""

    base: str = BASE
    pulled: list[str] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    there: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """Of ``compose.yaml``, where it is to use another image than it names."""
        variables = {_name(image): image for image in STAND_INS.values()}
        known = {_name(stand_in): variable for variable, stand_in in STAND_INS.items()}
        return {known[_name(image)]: variables[_name(image)] for image in self.made}


def obtain(engine: Engine, wanted: Iterable[str]) -> Images:
    """Have each image, and the application's base, as far as they can be had."""
    images, rest = Images(), []
    for image in dict.fromkeys([BASE, *wanted]):
        if _there(engine, image):
            images.there.append(image)
        else:
            rest.append(image)
    if rest and _pulls(engine, rest[0]):
        told(f"pulling {', '.join(rest)}")
        for image in rest:
            (images.pulled if _pulls(engine, image, patience=600) else images.missing).append(image)
        return images
    stand_ins = {_name(image): image for image in STAND_INS.values()}
    images.made = {image: stand_ins[_name(image)] for image in rest if _name(image) in stand_ins}
    images.missing = [image for image in rest if image not in images.made]
    images.base = images.made.get(BASE, BASE)
    _make(engine, list(images.made.values()))
    return images


def _name(image: str) -> str:
    return image.rpartition(":")[0]


def _folder(image: str) -> Path:
    return HERE / "stand_ins" / _name(image).rpartition("/")[2]


def _there(engine: Engine, image: str) -> bool:
    form = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    done = engine.run(["docker", "image", "inspect", "--format", form, image])
    return done.returncode == 0 and done.stdout.strip() != image


def _pulls(engine: Engine, image: str, patience: float = 60) -> bool:
    try:
        return engine.run(["docker", "pull", "-q", image], timeout=patience).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _make(engine: Engine, images: list[str]) -> None:
    if not images:
        return
    told(f"no registry answers: making {', '.join(images)} of Debian's packages")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(_debian, engine), sorted({_suite(image) for image in images})))
        list(pool.map(partial(_build, engine), images))


def _suite(image: str) -> str:
    return _DEBIAN.get(_folder(image).name, "bookworm")


def _build(engine: Engine, image: str) -> None:
    base = f"--build-arg=DEBIAN=postrmagic/debian:{_suite(image)}"
    engine.docker("build", "-q", base, f"--label={LABEL}={image}", f"--tag={image}", str(_folder(image)))


def _debian(engine: Engine, suite: str) -> None:
    """A root of Debian as an image, with this machine's certificates: a build inside trusts its package index."""
    name = f"postrmagic/debian:{suite}"
    if engine.run(["docker", "image", "inspect", name]).returncode == 0:
        return
    archive = CACHE / f"{suite}.tar"
    archive.parent.mkdir(parents=True, exist_ok=True)
    if not archive.exists():
        with _scratch() as scratch:
            _bootstrap(engine, suite, scratch / "root.tar")
            (scratch / "root.tar").rename(archive)
    changes = ["ENV LANG=C.UTF-8", f"ENV PIP_CERT={_CERTIFICATES}", f"ENV SSL_CERT_FILE={_CERTIFICATES}"]
    engine.docker("import", *(f"--change={change}" for change in changes), str(archive), name)


def _bootstrap(engine: Engine, suite: str, target: Path) -> None:
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    targets = engine.run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
    mirrors = [line for line in targets.stdout.split() if "security" not in line]
    if not mirrors or not shutil.which("mmdebstrap"):
        raise AssertionError(
            "no registry answers, and no image can be made: mmdebstrap and a mirror of Debian are needed"
        )
    kept = (f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale"))
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include=ca-certificates", *kept]
    # A mirror may be frozen at a date: an index that is old, or dated after this machine's clock, is still signed.
    command += ['--aptopt=Acquire::Check-Valid-Until "false"', '--aptopt=Acquire::Check-Date "false"']
    command += ['--aptopt=Acquire::Languages "none"']
    if _CERTIFICATES.exists():
        command += [f"--customize-hook=upload {_CERTIFICATES} {_CERTIFICATES}"]
    done = engine.run([*command, suite, str(target), f"deb [signed-by={keys}] {mirrors[0]} {suite} main"])
    if done.returncode != 0:
        raise AssertionError(f"mmdebstrap {suite}: {done.stderr}")


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="root-") as scratch:
        yield Path(scratch)
