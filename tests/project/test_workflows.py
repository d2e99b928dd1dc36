"""The workflows are valid, safe by the linters and by rules of our own, and what they run exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from postrmagic_core.testing.servers import require

ROOT = Path(__file__).parents[2]
WORKFLOWS = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
SCRIPTS = sorted((ROOT / "scripts").glob("*.sh"))
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
# They prove nothing: the first two are for a person, the last undoes the others.
NO_PROOF = {"help", "demo", "clean"}

# By commit, with the version beside it; a workflow of this repository at the commit that runs.
PINNED = re.compile(r"uses: (?:[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+|\$/\.github/workflows/\w+\.yml)$")


def document(text: str) -> dict[str, Any]:
    """A workflow as YAML 1.2 reads it, in which `on` is no boolean."""
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return loaded


def steps(workflow: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every step, with its job and the job's name."""
    for name, job in workflow["jobs"].items():
        for step in job.get("steps", []):
            yield name, job, step


def targets(run: str, job: Mapping[str, Any]) -> set[str]:
    """The targets of make in a step, also where the job's matrix names them."""
    named = set(re.findall(r"\bmake (?:--\S+ )*([a-z-]+)", run))
    if '"$TARGET"' in run:
        matrix = job["strategy"]["matrix"]
        named |= {*matrix.get("target", []), *(row["target"] for row in matrix.get("include", []))}
    return named


def complaints(text: str) -> Iterator[str]:
    """What a workflow does that it must not, or leaves out."""
    workflow = document(text)
    if workflow.get("permissions") != {"contents": "read"}:
        yield "what every job may do is more than to read the repository"
    if workflow.get("defaults") != {"run": {"shell": "bash"}}:
        yield "a step's failure in a pipe is lost: the shell is not bash"
    if "concurrency" not in workflow:
        yield "says nothing of two runs at once"
    for line in text.splitlines():
        if "uses:" in line and not PINNED.search(line):
            yield f"is not pinned by a commit with its version: {line.strip()}"
    for name, job in workflow["jobs"].items():
        yield from (f"{name} {told}" for told in _of_job(job))
    for name, job, step in steps(workflow):
        yield from (f"{name} {told}" for told in _of_run(step.get("run", ""), job))


def _of_job(job: Mapping[str, Any]) -> Iterator[str]:
    if "secrets" in job:
        yield "hands secrets on"
    if "secrets." in str(job) and "environment" not in job:
        yield "reads a secret that no environment guards"
    if "uses" in job:
        return
    if not isinstance(job.get("timeout-minutes"), int):
        yield "has no time-out"
    if not re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"]):
        yield "runs on a machine without a version"


def _of_run(run: str, job: Mapping[str, Any]) -> Iterator[str]:
    if "${{" in run:
        yield "fills a text into a script: give it by the environment"
    yield from (f"makes {target}, which is no target" for target in sorted(targets(run, job) - TARGETS))
    for script in re.findall(r"(?:scripts|\.ci)/[\w.]+", run):
        if not os.access(ROOT / script, os.X_OK):
            yield f"runs {script}, which is no program"


def command(name: str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a linter that is installed beside this Python."""
    beside = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    path = require(shutil.which(name, path=beside), f"{name} is not installed")
    return subprocess.run(
        [path, *arguments],
        cwd=cwd,
        env=os.environ | {"PATH": beside},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


HOSTILE = """
on: {issues: {types: [opened]}}
jobs:
  a:
    runs-on: ubuntu-24.04
    steps:
      - run: echo $(ls *.txt) ${{ github.event.issue.title }}
      - uses: actions/checkout@v4
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a workflow that obeys what a stranger writes."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / ".git").mkdir()
    (folder / ".github/workflows").mkdir(parents=True)
    (folder / ".github/workflows/a.yml").write_text(HOSTILE)
    return folder


@pytest.mark.parametrize(
    "linter",
    [
        ("actionlint", "-no-color"),
        ("zizmor", "--offline", "--quiet", "--no-progress", "--persona", "pedantic", ".github"),
    ],
    ids=lambda linter: linter[0],
)
def test_a_linter_finds_nothing_here_and_what_is_planted(hostile: Path, linter: tuple[str, ...]) -> None:
    """actionlint, with shellcheck over each step; zizmor with all its rules."""
    require(shutil.which("shellcheck", path=str(Path(sys.executable).parent)), "shellcheck is not installed")
    done = command(*linter)
    assert done.returncode == 0, done.stdout + done.stderr
    assert command(*linter, cwd=hostile).returncode != 0


@pytest.mark.parametrize(
    ("schema", "files"),
    [("vendor.github-workflows", "workflows/*.yml"), ("vendor.dependabot", "dependabot.yml")],
)
def test_the_schema_of_each_file_holds(schema: str, files: str) -> None:
    """As GitHub publishes them; a word misspelt in a workflow would do nothing there."""
    paths = [str(path) for path in (ROOT / ".github").glob(files)]
    assert paths
    done = command("check-jsonschema", "--builtin-schema", schema, *paths)
    assert done.returncode == 0, done.stdout


def test_the_scripts_are_clean() -> None:
    """shellcheck over every script, and over what CI runs."""
    done = command("shellcheck", *map(str, SCRIPTS), ".ci/run")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_keeps_our_rules(name: str) -> None:
    """Pinned, least privilege, time-outs, no text filled into a script, and all that it runs exists."""
    assert list(complaints(WORKFLOWS[name])) == []


GOOD = """
on: push
permissions: {contents: read}
defaults: {run: {shell: bash}}
concurrency: x
jobs:
  a:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@0123456789012345678901234567890123456789  # v1.2.3
      - run: make lint
"""


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("{contents: read}", "{contents: write}", "may do is more"),
        ("shell: bash", "shell: sh", "is not bash"),
        ("concurrency: x", "name: x", "two runs at once"),
        ("@0123456789012345678901234567890123456789  # v1.2.3", "@v1", "not pinned"),
        ("  # v1.2.3", "  # main", "not pinned"),
        ("timeout-minutes: 5", "name: x", "no time-out"),
        ("ubuntu-24.04", "ubuntu-latest", "without a version"),
        ("make lint", "make money", "is no target"),
        ("make lint", "scripts/absent.sh", "is no program"),
        ("make lint", "echo ${{ github.ref_name }}", "by the environment"),
        ("make lint", "X\n        env: {X: '${{ secrets.X }}'}", "no environment guards"),
        ("timeout-minutes: 5", "secrets: inherit\n    timeout-minutes: 5", "hands secrets on"),
    ],
    ids=lambda value: value[:20],
)
def test_a_broken_rule_is_told(right: str, wrong: str, told: str) -> None:
    """Each rule by itself; a workflow that keeps them all is left alone."""
    assert list(complaints(GOOD)) == []
    assert any(told in complaint for complaint in complaints(GOOD.replace(right, wrong)))


def test_an_action_has_one_version() -> None:
    """Everywhere the same commit, under the same name."""
    lines = {
        (action, pin)
        for text in WORKFLOWS.values()
        for action, pin in re.findall(r"uses: ([\w./-]+)@(\w+  # v.+)", text)
    }
    assert len(lines) > 5
    assert len({action for action, _ in lines}) == len(lines)


def test_every_proof_is_run_somewhere() -> None:
    """A target of make that no workflow runs would rot: directly, by `.ci/run`, or by another target."""
    run = set()
    for text in WORKFLOWS.values():
        for _, job, step in steps(document(text)):
            run |= targets(step.get("run", ""), job)
            if ".ci/run" in step.get("run", ""):
                run |= targets((ROOT / ".ci/run").read_text(encoding="utf-8"), {})
    assert run >= {"test", "soak", "bench", "container-test", "deploy-test"}
    assert TARGETS - NO_PROOF - run == set()


def test_what_is_published_is_what_was_tested() -> None:
    """One job makes the files, each test takes them from it, and a release takes them from nowhere else."""
    makers = [
        (name, job)
        for name, text in WORKFLOWS.items()
        for job, _, step in steps(document(text))
        if "upload-artifact" in step.get("uses", "") and step["with"]["name"] == "dist"
    ]
    assert makers == [("ci.yml", "dist")]
    assert document(WORKFLOWS["ci.yml"])["jobs"]["test"]["needs"] == "dist"
    release = document(WORKFLOWS["release.yml"])["jobs"]
    assert before(release, "pypi") >= {"check", "ci", "attest", "image"}
    assert before(release, "github") >= {"pypi"}
    assert release["pypi"]["environment"]["name"] == "pypi"
    assert release["pypi"]["permissions"] == {"id-token": "write"}


def before(jobs: Mapping[str, Any], name: str) -> set[str]:
    """What must have passed before a job starts."""
    needs = jobs[name].get("needs", [])
    needs = {needs} if isinstance(needs, str) else set(needs)
    return needs.union(*(before(jobs, need) for need in needs))


def test_the_protected_check_waits_for_every_job() -> None:
    """It runs even where one failed: a skipped check would count as passed."""
    jobs = document(WORKFLOWS["ci.yml"])["jobs"]
    assert set(jobs["all"]["needs"]) == jobs.keys() - {"all"}
    assert jobs["all"]["if"] == "always()"


def test_deployments_wait_for_each_other() -> None:
    """One at a time for each environment, and none is stopped half-way."""
    workflow = document(WORKFLOWS["deploy.yml"])
    assert workflow["concurrency"] == {"group": "deploy-${{ inputs.environment }}", "cancel-in-progress": False}
    assert set(workflow["on"]) == {"workflow_dispatch"}
