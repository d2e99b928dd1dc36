"""The image: what is in it, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.containers.engine import ROOT, Engine

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]
# As compose.yaml runs it.
CONFINED = [
    "--rm",
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--network=none",
]


def test_a_second_build_is_cached(image: str, measured: dict[str, Any]) -> None:
    """Given an image that was built, when nothing changed, then it is built in a moment; its size is moderate."""
    assert measured["build"]["cached"]
    assert measured["build"]["image_mb"] - measured["build"]["base_mb"] < 250, "something large came into the image"


def test_it_runs_as_nobody_in_particular_on_what_it_cannot_change(machine: Engine, image: str) -> None:
    """Given the image as it is run, then its user is 10001 and can write to the volume, to /tmp, and nowhere else."""
    assert machine.docker("run", *CONFINED, image, "id", "-u") == "10001"
    script = "find / -xdev -writable ! -type l ! -path '/proc/*' ! -path '/dev/*' 2>/dev/null; true"
    assert set(machine.docker("run", *CONFINED, image, "sh", "-c", script).split()) <= {"/data", "/tmp"}
    written = (
        "for place in / /srv /etc /usr/local; do touch $place/x 2>/dev/null && echo $place; done; touch /tmp/x /data/x"
    )
    assert machine.docker("run", *CONFINED, image, "sh", "-c", written) == ""


def test_there_is_no_compiler_and_no_test_in_it(machine: Engine, image: str) -> None:
    """Given the image, then it has nothing that only building it, or testing it, needs."""
    tools = "for tool in cc gcc g++ c++ make ld git curl; do command -v $tool; done; true"
    assert machine.docker("run", *CONFINED, image, "sh", "-c", tools) == ""
    left = "find /root/.cache /tmp /srv/tests /source /wheels /var/lib/apt/lists -type f 2>/dev/null; true"
    assert machine.docker("run", "--user=0", *CONFINED, image, "sh", "-c", left) == ""
    listed = machine.docker("run", *CONFINED, image, "sh", "-c", "pip list --format freeze 2>/dev/null; true").lower()
    assert not [name for name in ("pytest", "hypothesis", "mypy", "ruff", "tox") if f"{name}==" in listed]


def test_its_modules_are_compiled(machine: Engine, image: str) -> None:
    """Given the image, then no process of the application spends its start on compiling, which it could not keep."""
    script = (
        "import importlib.util as u, pathlib\n"
        "roots = [pathlib.Path(u.find_spec(name).origin).parent for name in "
        "('postrmagic_core', 'media_library', 'sqlalchemy', 'starlette', 'pydantic')]\n"
        "missing = [path for root in roots for path in root.rglob('*.py')\n"
        "           if not pathlib.Path(u.cache_from_source(str(path))).exists()]\n"
        "print(*missing[:5])"
    )
    assert machine.docker("run", *CONFINED, image, "python", "-c", script) == ""


def test_its_release_is_told(machine: Engine, image: str) -> None:
    """Given the image of release 1, then a label says so, and so does its environment."""
    form = '{{index .Config.Labels "org.opencontainers.image.version"}} {{.Config.User}} {{.Config.StopSignal}}'
    assert machine.docker("image", "inspect", "--format", form, image) == "1 10001:10001 SIGTERM"


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "deploy" / "environments").glob("*.env")))
def test_every_environment_is_valid(machine: Engine, name: str, measured: dict[str, Any]) -> None:
    """Given each environment's variables, then compose accepts the file with every profile, Grafana's too."""
    environment = str(ROOT / "deploy" / "environments" / name)
    machine.docker("compose", "--env-file", environment, "--profile", "*", "config", "--quiet")
    measured.setdefault("environments", []).append(name.removesuffix(".env"))
