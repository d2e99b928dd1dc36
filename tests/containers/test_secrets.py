"""Secrets reach the processes that need them, and nothing else: no layer, log, list of processes or description."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.containers.conftest import CANARY
from tests.containers.engine import Engine, told
from tests.containers.project import Project

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]


@pytest.fixture
def secrets(project: Project, token: str) -> list[str]:
    """Every secret of the project, a user's token among them: what is long and random in its files."""
    files = Path(project.environment["SECRETS"]).iterdir()
    words = {word for file in files for word in file.read_text(encoding="utf-8").replace("@", " ").split()}
    words = {part.strip('[]",>') for word in words for part in (word, word.rpartition(":")[2])}
    random = sorted(word for word in words if len(word) == 64)
    assert len(random) >= 8
    return [*random, token]


def test_no_layer_of_the_image_has_what_lay_beside_the_sources(machine: Engine, image: str) -> None:
    """Given a secret in the checkout while the image was built, then no layer of it, and no step, has it."""
    told("searching the image for secrets")
    assert _found(["docker", "save", image], machine, [CANARY, *planted()]) == []
    assert CANARY not in machine.docker("history", "--no-trunc", image)


def planted() -> Iterator[str]:
    """Names of files that have no business in an image."""
    yield "deploy/secrets/of-container-test"
    yield "srv/tests/"


def _found(command: list[str], machine: Engine, wanted: list[str]) -> list[str]:
    """Which of them occur in what a command prints: layers come uncompressed."""
    longest, rest, found = max(map(len, wanted)), b"", set()
    with subprocess.Popen(command, env=machine.environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(1 << 22):
            window = rest + piece
            found |= {one for one in wanted if one.encode() in window}
            rest = window[-longest:]
    assert process.returncode == 0
    return sorted(found)


def test_the_search_finds_what_is_there(machine: Engine, image: str) -> None:
    """Given what the image has for certain, then the search finds it: its silence means something."""
    assert _found(["docker", "save", image], machine, ["media_library", CANARY]) == ["media_library"]


def test_no_log_has_them(project: Project, machine: Engine, secrets: list[str], measured: dict[str, Any]) -> None:
    """Given the logs of all containers since the start, then no secret stands there."""
    names = ["docker", "compose", *project.options, "logs", "--no-color"]
    beside = Engine({**machine.environment, **project.environment}, "", "", private=False)
    assert _found(names, beside, secrets) == []
    measured["secrets"] = {"values": len(secrets), "found": 0}


def test_no_description_of_a_container_has_them(project: Project, machine: Engine, secrets: list[str]) -> None:
    """Given everything the engine tells of each container, its environment too, then no secret stands there."""
    described = json.dumps(json.loads(machine.docker("inspect", *_containers(project))))
    assert [one for one in secrets if one in described] == []


def test_no_list_of_processes_has_them(project: Project, machine: Engine, secrets: list[str]) -> None:
    """Given every process in each container, then neither its command line nor its environment has a secret."""
    for container in project.compose("ps", "--quiet").split():
        shown = machine.docker("top", container, "-eo", "pid,args")
        shown += machine.docker(
            "exec", container, "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; true"
        )
        assert [one for one in secrets if one in shown] == [], machine.docker(
            "inspect", "--format", "{{.Name}}", container
        )


def test_the_application_has_them_nevertheless(project: Project) -> None:
    """Given a replica, then the URL of its database is there: the searches above had something to find."""
    assert "mysql://" in project.inside("app", "cat", "/run/secrets/database__url")


def _containers(project: Project) -> list[str]:
    return project.compose("ps", "--all", "--quiet").split()
