"""What the workflows run for a release, an image and a deployment does what they rely on."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from postrmagic_core.cli.deploy import deploy as command
from postrmagic_core.testing.servers import require

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"

CHANGELOG = """# Changelog

## Unreleased

## [1.2.0] - 2026-12-01

### Added

- A thing,
  and more of it.

## 1.1.0 - 2026-11-01

## 1.1.0rc1 - 2026-10-01

- First.

[1.2.0]: https://example.org
"""


def script(name: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a workflow does, with only what is given of the variables it reads."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "DEPLOY_", "SSH_"))}
    return subprocess.run(
        [str(SCRIPTS / name), *arguments], env=kept | env, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of version 1.2.0 whose changelog tells of it."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "thing"\nversion = "1.2.0"\n')
    reference = tmp_path / "docs" / "reference"
    reference.mkdir(parents=True)
    for name in ("public-api.txt", "public-api-released.txt"):
        (reference / name).write_text("[thing]\nfirst() -> None\n")
    return tmp_path


def test_the_notes_of_a_version_are_its_part_of_the_changelog(root: Path) -> None:
    """Without its heading, its neighbours and the links; in brackets or not; a version is not its release candidate."""
    changelog = str(root / "CHANGELOG.md")
    assert script("release_notes.sh", "1.2.0", changelog).stdout == "### Added\n\n- A thing,\n  and more of it.\n"
    assert script("release_notes.sh", "1.1.0rc1", changelog).stdout == "- First.\n"


@pytest.mark.parametrize(
    ("version", "told"),
    [("9.9.9", "no heading for 9.9.9"), ("1.1.0", "says nothing of 1.1.0"), ("1x2.0", "no heading")],
)
def test_a_version_without_notes_fails(root: Path, version: str, told: str) -> None:
    """Not there, or empty: a release is not made with a blank page."""
    done = script("release_notes.sh", version, str(root / "CHANGELOG.md"))
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr


def test_a_tag_that_everything_agrees_with_may_be_released(root: Path) -> None:
    """The tag, the package's version and a dated heading of the changelog."""
    done = script("release_check.sh", "v1.2.0", str(root))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("tag", "change", "told"),
    [
        ("1.2.0", ("", ""), "a tag is v1.2.3"),
        ("v1.2", ("", ""), "a tag is v1.2.3"),
        ("v1.2.0\nv", ("", ""), "a tag is v1.2.3"),
        ("v1.1.0", ("", ""), "in pyproject.toml is 1.2.0"),
        ("v1.2.0", (" - 2026-12-01", ""), "no heading '## 1.2.0 - YYYY-MM-DD'"),
        ("v1.2.0", ("[1.2.0] -", "[1x2.0] -"), "no heading '## 1.2.0 - YYYY-MM-DD'"),
        ("v1.2.0", ("### Added\n\n- A thing,\n  and more of it.\n", ""), "says nothing of 1.2.0"),
    ],
    ids=["no-v", "short", "two-lines", "other-version", "no-date", "dot-is-a-dot", "empty"],
)
def test_a_tag_that_something_disagrees_with_is_refused(
    root: Path, tag: str, change: tuple[str, str], told: str
) -> None:
    """Whatever is wrong is named."""
    changelog = root / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(*change))
    done = script("release_check.sh", tag, str(root))
    assert done.returncode == 1
    assert told in done.stderr


@pytest.mark.parametrize("change", ["[thing]\n", ""])
def test_a_tag_whose_public_api_is_not_written_down_is_refused(root: Path, change: str) -> None:
    """Another one than is released, or none: the next version would be held to nothing."""
    released = root / "docs" / "reference" / "public-api-released.txt"
    released.write_text(change) if change else released.unlink()
    done = script("release_check.sh", "v1.2.0", str(root))
    assert done.returncode == 1
    assert "python -m tests.project.breaking --release" in done.stderr


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["a>=1.2", 'b[x,y]>=0.3,<2; python_version < "4"', "thing[all]", "a>=1.2"], "a==1.2\nb==0.3\n"),
        (["a>=1", "b"], "'b' has no lower bound"),
        (["a>=1", "a>=2"], "a has two lower bounds"),
    ],
)
def test_the_lowest_versions_are_those_of_pyproject(tmp_path: Path, lines: list[str], told: str) -> None:
    """Of the package and each extra, whatever else stands on the line; without one, or with two, nobody knows."""
    text = f'[project]\nname = "thing"\ndependencies = {json.dumps(lines[:1])}\n'
    text += f"[project.optional-dependencies]\nmore = {json.dumps(lines[1:])}\n"
    (tmp_path / "pyproject.toml").write_text(text)
    command = [sys.executable, str(SCRIPTS / "lowest.py"), str(tmp_path / "pyproject.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert told in done.stdout + done.stderr
    assert done.returncode == (0 if "==" in told else 1)


def test_both_ends_of_the_bounds_are_tried_each_night() -> None:
    """By the commands that a further Python runs."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    assert "lowest.sh" in tox["testenv:lowest"]["install_command"]
    assert "--upgrade-strategy eager" in tox["testenv:newest"]["install_command"]
    assert {"commands", "extras", "dependency_groups"} & {*tox["testenv:lowest"], *tox["testenv:newest"]} == set()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_each_extra_does_alone_what_it_is_for() -> None:
    """And is named where it is missing; the table has a line for each of pyproject.toml."""
    done = subprocess.run(
        [SCRIPTS / "extras.sh"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
        timeout=3500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    told = dict(line.split()[:2] for line in done.stdout.splitlines())
    assert told == dict.fromkeys(extras, "ok")


def test_an_image_is_called_by_its_version_or_its_commit() -> None:
    """A tag gives the version, a branch the whole commit, and nothing is called latest."""
    run = {"GITHUB_REPOSITORY": "Some/Thing", "GITHUB_SHA": "0123456789ab" + "c" * 28}
    done = script("image_tags.sh", GITHUB_REF_TYPE="tag", GITHUB_REF_NAME="v1.2.0", **run)
    assert done.stdout.splitlines() == [
        "image=ghcr.io/some/thing",
        "release=1.2.0",
        "tags=ghcr.io/some/thing:1.2.0",
    ]
    done = script("image_tags.sh", GITHUB_REF_TYPE="branch", GITHUB_REF_NAME="main", **run)
    assert done.stdout.splitlines() == [
        "image=ghcr.io/some/thing",
        "release=0123456789ab",
        f"tags=ghcr.io/some/thing:sha-{run['GITHUB_SHA']}",
    ]


@pytest.mark.parametrize("tag", ["v1.2.0\nlatest", "v1.2.0+x", "v", "v-1"])
def test_a_tag_that_is_no_name_makes_no_image(tag: str) -> None:
    """A second line would be an output of its own."""
    run = {"GITHUB_REPOSITORY": "some/thing", "GITHUB_SHA": "0" * 40, "GITHUB_REF_TYPE": "tag"}
    done = script("image_tags.sh", GITHUB_REF_NAME=tag, **run)
    assert (done.returncode, done.stdout) == (1, "")


# The other side: keeps what it was called with and what it was sent. `-O exit` comes in the end.
SSH = """#!/bin/bash
[[ " $* " == *" -O "* ]] && exit
printf '%s\\n' "$@" >"$SEEN/ssh"
cp "$2" "$SEEN/config"
tar -tf - >"$SEEN/files"
"""
POSTRMAGIC = """#!/bin/bash
printf '%s\\n' "$@" >"$SEEN/arguments"
env >"$SEEN/env"
ssh-add -L >"$SEEN/agent"
folder=$(dirname "$SSH_AUTH_SOCK")
echo "$folder" >"$SEEN/scratch"
grep -rls PRIVATE "$folder" >"$SEEN/leaks" || true
cat "$folder/known_hosts" >"$SEEN/known_hosts"
exit "${CODE:-0}"
"""


@pytest.fixture
def over(tmp_path: Path) -> dict[str, str]:
    """The variables of a deployment to a host that a stand-in for ssh plays, with a key made for it."""
    keygen = require(shutil.which("ssh-keygen"), "openssh-client is not installed")
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True, timeout=30)
    (tmp_path / "bin").mkdir()
    for name, text in (("ssh", SSH), ("postrmagic", POSTRMAGIC)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "there").mkdir()
    return {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
        "SEEN": str(tmp_path),
        "DEPLOY_HOST": "ssh://deploy@example.org:2222",
        "DEPLOY_KNOWN_HOSTS": "[example.org]:2222 ssh-ed25519 AAAA",
        "DEPLOY_SSH_KEY": (tmp_path / "key").read_text(),
        "DEPLOY_PATH": str(tmp_path / "there"),
        "RELEASE": "1.2",
        "IMAGE": "some/thing@sha256:00",
    }


def test_a_deployment_over_ssh_is_given_a_key_and_leaves_none(over: dict[str, str], tmp_path: Path) -> None:
    """An agent holds the key while it runs; no file, no child's environment and no process has it before or after."""
    done = script("deploy_over_ssh.sh", "staging", "up", **over)
    assert done.returncode == 0, done.stderr
    seen = {name: (tmp_path / name).read_text() for name in ("env", "agent", "leaks", "known_hosts", "config")}
    assert seen["agent"].split()[1] == (tmp_path / "key.pub").read_text().split()[1]
    assert (seen["leaks"], "PRIVATE" in seen["env"], "DEPLOY_SSH_KEY" in seen["env"]) == ("", False, False)
    assert "DOCKER_HOST=ssh://deploy@example.org:2222\n" in seen["env"]
    assert seen["known_hosts"] == over["DEPLOY_KNOWN_HOSTS"] + "\n"
    assert "StrictHostKeyChecking yes\n" in seen["config"]
    assert not Path((tmp_path / "scratch").read_text().strip()).exists()
    assert over["DEPLOY_SSH_KEY"] not in done.stdout + done.stderr
    left = subprocess.run(["pgrep", "-f", (tmp_path / "scratch").read_text().strip()], check=False, capture_output=True)
    assert left.stdout == b""


def test_a_deployment_over_ssh_puts_its_files_there_and_no_secret(over: dict[str, str], tmp_path: Path) -> None:
    """On both sides, at the same path: compose gives the engine the paths that it sees here."""
    assert script("deploy_over_ssh.sh", "staging", "up", **over).returncode == 0
    sent = (tmp_path / "files").read_text().splitlines()
    here = [path.relative_to(tmp_path / "there").as_posix() for path in (tmp_path / "there").rglob("*")]
    assert {name for name in sent if not name.endswith("/")} <= set(here)
    assert {"compose.yaml", "deploy/environments/staging.env"} | mounted() <= set(here) & set(sent)
    assert [name for name in sent if name.startswith("deploy/secrets/")] == []
    assert (tmp_path / "ssh").read_text().splitlines()[2:] == [
        over["DEPLOY_HOST"],
        f"mkdir -p {tmp_path}/there && tar -C {tmp_path}/there -xf -",
    ]


def mounted() -> set[str]:
    """The files of the checkout that compose.yaml mounts where it is deployed, secrets apart."""
    compose = YAML(typ="safe", pure=True).load(ROOT / "compose.yaml")
    services = [service for service in compose["services"].values() if service["profiles"] != ["development"]]
    sources = [one["file"] for one in compose["configs"].values()]
    sources += [volume for service in services for volume in service.get("volumes", []) if volume.startswith(".")]
    assert len(sources) > 5
    return {source.removeprefix("./").partition(":")[0] for source in sources}


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("up", ["--release", "1.2", "--image", "some/thing@sha256:00", "--yes", "--watch", "60"]),
        ("rollback", ["--yes", "--watch", "60"]),
        ("status", []),
        ("unlock", []),
    ],
)
def test_a_deployment_over_ssh_calls_the_command(
    over: dict[str, str], tmp_path: Path, action: str, more: list[str]
) -> None:
    """With the environment's file, what the action needs and what was added; its exit status is the script's."""
    further = more[-2:] if "--watch" in more else []
    assert script("deploy_over_ssh.sh", "staging", action, *further, CODE="3", **over).returncode == 3
    said = (tmp_path / "arguments").read_text().splitlines()
    there = over["DEPLOY_PATH"]
    files = ["--file", f"{there}/compose.yaml", "--env-file", f"{there}/deploy/environments/staging.env"]
    assert said == ["deploy", action, *files, *more]
    # The real one knows these: it shows its help, and would have told a word that it does not know.
    shown = CliRunner().invoke(command, [*said[1:], "--help"])
    assert shown.exit_code == 0, shown.output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"DEPLOY_HOST": "tcp://example.org:2375"}, "DEPLOY_HOST is ssh://"),
        ({"DEPLOY_HOST": ""}, "DEPLOY_HOST"),
        ({"DEPLOY_KNOWN_HOSTS": ""}, "DEPLOY_KNOWN_HOSTS"),
        ({"DEPLOY_SSH_KEY": "no key"}, "is no private key"),
        ({"DEPLOY_PATH": "/srv/a; rm -rf /"}, "absolute path of plain letters"),
        ({"DEPLOY_PATH": "/absent/folder"}, "must be a folder here too"),
        ({"IMAGE": ""}, "IMAGE"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_deployment_over_ssh_is_refused(
    over: dict[str, str], tmp_path: Path, change: dict[str, str], told: str
) -> None:
    """What is missing or not of its form is named, and nothing was called."""
    done = script("deploy_over_ssh.sh", "staging", "up", **over | change)
    assert done.returncode == 1
    assert told in done.stderr
    assert not (tmp_path / "arguments").exists()
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("arguments", [("moon", "up"), ("../../etc", "up"), ("staging", "destroy")])
def test_a_deployment_over_ssh_knows_its_environments_and_actions(
    over: dict[str, str], tmp_path: Path, arguments: tuple[str, str]
) -> None:
    """Neither is a path nor a text that something runs."""
    assert script("deploy_over_ssh.sh", *arguments, **over).returncode == 1
    assert not (tmp_path / "files").exists()


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_wheel_is_the_same_whoever_builds_it(tmp_path: Path) -> None:
    """Built twice from clones of the last commit, installed and started by the script; its parts are listed."""
    built = []
    for name in ("one", "two"):
        subprocess.run(["git", "clone", "-q", ROOT, tmp_path / name], check=True, timeout=60)
        for path in ("dist.sh", "sbom.sh"):
            shutil.copy(SCRIPTS / path, tmp_path / name / "scripts")
        done = subprocess.run(
            [tmp_path / name / "scripts/dist.sh", tmp_path / name / "out"],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        built.append({path.name: path.read_bytes() for path in (tmp_path / name / "out").iterdir()})
    assert len(built[0]) == 2
    assert built[0] == built[1]
    bill = tmp_path / "bill.json"
    assert script("sbom.sh", str(tmp_path / "one/out"), str(bill)).returncode == 0
    names = {part["name"] for part in json.loads(bill.read_text())["components"]}
    (wheel,) = (tmp_path / "one/out").glob("*.whl")
    assert zipfile.ZipFile(wheel).testzip() is None
    assert "postrmagic-core" in names
    assert "pip" not in names
