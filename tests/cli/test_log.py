"""`postrmagic log level`: the levels of loggers in running processes, changed from outside."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from postrmagic_core._clock import SystemClock
from postrmagic_core.cli.log import log as command
from postrmagic_core.log import configure
from postrmagic_core.log.levels import LEVELS_FILE, Override, changing, read_levels
from postrmagic_core.testing import until

NAME = "tests.cli.chatty"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory that the command and the processes share."""
    monkeypatch.setenv("POSTRMAGIC_STACK__DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def run(*arguments: str, status: int = 0) -> Result:
    """The command's end."""
    done = CliRunner().invoke(command, ["level", *arguments])
    assert done.exit_code == status, done.output
    return done


def listed() -> Any:
    """What it answers programs."""
    return json.loads(run("--json").stdout)


def test_a_running_process_hears_of_it(directory: Path) -> None:
    """And when it is taken back."""
    logger = logging.getLogger(NAME)
    with configure(stream=io.StringIO(), levels_file=directory / LEVELS_FILE):
        run(NAME, "debug", "--for", "10m")
        until(lambda: logger.level == logging.DEBUG)
        run(NAME, "--reset")
        until(lambda: logger.level == logging.NOTSET)


def test_what_is_given_is_listed_until_its_time_is_over(directory: Path) -> None:
    """An hour, if nothing is said; what is over is not listed, and goes with the next change."""
    now = SystemClock().now_us()
    assert "configured" in run().output
    run(NAME, "DEBUG")
    run("root", "WARNING", "--for", "2h")
    with changing(directory / LEVELS_FILE) as overrides:
        assert now + 3600e6 <= (overrides[NAME].until or 0) <= SystemClock().now_us() + 3600e6
        overrides["past"] = Override("DEBUG", now - 1)
        overrides["ever"] = Override("INFO")
    assert {name: one["level"] for name, one in listed().items()} == {NAME: "DEBUG", "root": "WARNING", "ever": "INFO"}
    assert "it is reset" in run().output
    run(NAME, "ERROR")
    assert set(read_levels(directory / LEVELS_FILE)) == {NAME, "root", "ever"}
    run("--reset")
    assert listed() == {}


@pytest.mark.parametrize(
    "wrong", [[NAME, "LOUD"], [NAME, "DEBUG", "--for", "soon"], [NAME, "DEBUG", "--reset"], ["--reset", "--for", "1h"]]
)
def test_what_cannot_be_meant_is_a_usage_error(wrong: list[str], directory: Path) -> None:
    """And changes nothing."""
    run(*wrong, status=2)
    assert not (directory / LEVELS_FILE).exists()


def test_a_broken_file_is_told(directory: Path) -> None:
    """It is not overwritten."""
    directory.mkdir()
    (directory / LEVELS_FILE).write_text("{")
    run(NAME, "DEBUG", status=1)
    run(status=1)
    assert (directory / LEVELS_FILE).read_text() == "{"


def test_a_logger_alone_shows_what_it_has(directory: Path) -> None:
    """As without one."""
    run(NAME, "DEBUG")
    assert NAME in run(NAME).output
