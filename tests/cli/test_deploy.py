"""`postrmagic deploy`: its options, and what it says where there is no engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from postrmagic_core.cli.deploy import deploy
from postrmagic_core.errors import EngineGone

FAKE = """#!/bin/sh
case "$*" in
*config*) /bin/cat <<'END'
{"name": "shop", "x-postrmagic-deploy": {"app": "shop:stack", "web": ["app"]}, "services": {"app": {}}}
END
;;
*inspect*) echo '[]'; echo 'Error: No such container' >&2; exit 1;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "docker").write_text(FAKE)
    (tmp_path / "docker").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("command", ["up", "rollback", "status", "unlock"])
def test_every_option_is_explained(command: str) -> None:
    """Given --help, then the options of a project are there, whichever the command."""
    told = CliRunner().invoke(deploy, [command, "--help"]).output
    assert "--env-file" in told
    assert ("--max-error-rate" in told) == (command in {"up", "rollback"})


def test_what_is_no_number_is_a_wrong_command() -> None:
    """Given an impossible rate, then it is exit status 2, as for a missing option."""
    for wrong in (["--max-error-rate", "2"], ["--at-once", "0"], ["--watch", "nan"], []):
        words = ["up", "--release", "1", *(["--image", "app:1"] if wrong else []), *wrong]
        assert CliRunner().invoke(deploy, words).exit_code == 2


def test_without_docker_the_fix_is_named(docker: Path) -> None:
    """Given a machine without the command, then the error says what to install."""
    (docker / "docker").unlink()
    done = CliRunner().invoke(deploy, ["status"])
    assert isinstance(done.exception, EngineGone)
    assert "install the docker command" in str(done.exception)


def test_where_nothing_runs_it_says_so(docker: Path) -> None:
    """Given a project without containers, then the table's place is taken by a sentence, and programs get none."""
    assert "shop: nothing runs" in CliRunner().invoke(deploy, ["status", "--file", "compose.yaml"]).output
    told = json.loads(CliRunner().invoke(deploy, ["status", "--json"]).stdout)
    assert (told["project"], told["replicas"], told["lock"], told["unfinished"]) == ("shop", [], None, None)


def test_a_lock_that_nobody_has(docker: Path) -> None:
    """Given no lock, then there is nothing to take away."""
    assert "nobody had the lock" in CliRunner().invoke(deploy, ["unlock", "--yes"]).output
