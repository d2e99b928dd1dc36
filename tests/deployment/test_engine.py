"""The engine by its command: what is told where it is missing, fails, hangs or answers nonsense."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postrmagic_core.deployment import Deployment, Engine, Release
from postrmagic_core.deployment.engine import last_lines
from postrmagic_core.deployment.lock import abandoned, described, holder
from postrmagic_core.errors import DeployRefused, EngineFailed, EngineGone


def command(directory: Path, text: str) -> Engine:
    """An engine whose command is this shell text."""
    program = directory / "docker"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return Engine(program=str(program))


def test_without_the_command_it_is_said(tmp_path: Path) -> None:
    """Given no program, then what is to be installed is named."""
    with pytest.raises(EngineGone, match="install the docker command"):
        Deployment(Engine(program=str(tmp_path / "docker"))).up(Release("1", "app:1"))


def test_without_a_daemon_it_is_said(tmp_path: Path) -> None:
    """Given a command that reaches no daemon, then that is told apart from a command that failed."""
    gone = "echo 'Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?' >&2; exit 1"
    with pytest.raises(EngineGone, match="DOCKER_HOST"):
        command(tmp_path, gone).replicas("shop")


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    """Given a failure, then the end of what it said comes with it."""
    with pytest.raises(EngineFailed, match="no space left on device") as failed:
        command(tmp_path, "seq 100; echo 'no space left on device' >&2; exit 1").pull("app:1")
    assert failed.value.said.splitlines()[-1] == "no space left on device"
    assert last_lines("a\nb\nc\n", 2) == "b\nc"


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    """Given no end within the time-out, then that is the error."""
    with pytest.raises(EngineFailed, match="did not end within"):
        command(tmp_path, "exec sleep 60").run("ps", timeout=0.2)


def test_an_old_plugin_is_named(tmp_path: Path) -> None:
    """Given a compose plugin that answers no JSON, then its version is what is to change."""
    with pytest.raises(EngineFailed, match="version 2 or newer"):
        command(tmp_path, "echo services:").document()


def test_a_missing_plugin_is_named(tmp_path: Path) -> None:
    """Given a docker command without compose, then that is what is to be installed."""
    with pytest.raises(EngineFailed, match="no compose plugin"):
        command(tmp_path, "echo 'unknown flag: --progress' >&2; exit 125").document()


def test_a_name_that_would_be_an_option_is_not_run(tmp_path: Path) -> None:
    """Given such an image, then no command is run at all."""
    engine = command(tmp_path, f"touch {tmp_path}/ran")
    with pytest.raises(DeployRefused):
        Deployment(engine).up(Release("1", "--privileged"))
    assert not (tmp_path / "ran").exists()


def test_whose_lock_is_abandoned() -> None:
    """Given a holder of this machine that lives, or one of another, then it is kept; given a dead one, it is free."""
    here = holder()
    assert not abandoned(here)
    assert abandoned({**here, "started": "1"})
    assert abandoned({**here, "pid": "4194304999"})
    assert not abandoned({**here, "machine": "another"})
    assert not abandoned({})
    assert f"process {os.getpid()}" in described(here)
