"""The frame agrees with itself: the same Pythons everywhere, each dependency explained, each script fit to run."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted([*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"])


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The `[project]` table of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def machine(tmp_path: Path, **commands: str) -> dict[str, str]:
    """The environment of a machine that has these commands, scripts of the given text, and no others on its PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for command, text in commands.items():
        (folder / command).write_text(f"#!/bin/bash\n{text}\n")
        (folder / command).chmod(0o755)
    return {"PATH": str(folder), "HOME": str(tmp_path)}


def run(script: str, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one of the project's scripts and capture what it says."""
    command = ["/bin/bash", str(ROOT / "scripts" / script), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=30)


def test_the_promised_pythons_are_the_tested_ones(project: dict[str, Any]) -> None:
    """Classifiers, tox and the workflow name the same ones; a merge needs the oldest and newest, a soak the newer."""
    versions = [found[1] for line in project["classifiers"] if (found := re.search(r":: (3\.\d+)$", line))]
    tox = re.search(r"^env_list = (.*)$", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    stages = re.search(r"^for version in (.*); do$", (ROOT / "scripts/pythons.sh").read_text(), re.MULTILINE)
    workflow = re.search(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text())
    assert tox
    assert stages
    assert workflow
    assert re.findall(r"py3(\d+)", tox[1]) == [version.removeprefix("3.") for version in versions]
    assert stages[1].split() == [versions[0], versions[-1]]
    soak = re.search(r"for version in (.*); do if python3", (ROOT / "Makefile").read_text())
    assert soak
    assert soak[1].split() == [version.removeprefix("3.") for version in versions[1:]]
    assert re.findall(r'"([^"]*)"', workflow[1]) == versions
    assert project["requires-python"] == f">={versions[0]}"


def test_every_core_dependency_is_explained(project: dict[str, Any]) -> None:
    """The page on dependencies has a paragraph for each of them, in the same order, and a line for each extra."""
    page = (ROOT / "docs/explanation/dependencies.md").read_text(encoding="utf-8")
    names = [re.split(r"[\[<>=!~ ]", line, maxsplit=1)[0] for line in project["dependencies"]]
    assert [heading.lower() for heading in re.findall(r"^### (.+)$", page, re.MULTILINE)] == names
    extras = set(re.findall(r"^\| `([a-z]+)` \|", page, re.MULTILINE))
    assert extras == project["optional-dependencies"].keys() - {"all"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_run_and_stops_at_mistakes(script: Path) -> None:
    """Each script is executable, parses, and treats an unset name as a mistake."""
    assert os.access(script, os.X_OK)
    assert re.search(r"^set -e?uo pipefail$", script.read_text(), re.MULTILINE)
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=10)


def test_help_is_what_make_does_alone() -> None:
    """`make` without a target lists every target that is for people, and runs none of them."""
    said = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True, timeout=10).stdout
    listed = re.findall(r"^  make (\w+) ", said, re.MULTILINE)
    checks = ["test", "lint", "audit", "guards", "pythons", "bounds", "bench", "counters", "soak"]
    assert listed == ["help", "demo", "smoke", *checks, "docs", "clean"]


def test_without_root_the_missing_servers_are_named(tmp_path: Path) -> None:
    """Who may not install is told what to install; nothing is tried."""
    done = run("need.sh", "servers", env=machine(tmp_path, id="echo 1000", **{"apt-get": "echo tried; exit 9"}))
    assert done.returncode == 1
    assert re.search(r"sudo apt-get install --no-install-recommends redis-server .*chromium strace", done.stderr)
    assert "tried" not in done.stdout + done.stderr


def test_an_old_python_is_named(tmp_path: Path) -> None:
    """A python3 before 3.11 is refused with its version."""
    env = machine(tmp_path, python3='[[ $1 == --version ]] && echo "Python 3.9.2" || exit 1')
    done = run("need.sh", "venv", env=env)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed as python3; found: Python 3.9.2" in done.stderr


def test_no_example_is_not_success(tmp_path: Path) -> None:
    """The stage for single components fails where no example is left to run, and names it."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "standalone.sh").write_text((ROOT / "scripts/standalone.sh").read_text())
    command = ["bash", str(folder / "standalone.sh"), "python3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    assert (done.returncode, done.stderr) == (1, "examples/standalone holds no example\n")
