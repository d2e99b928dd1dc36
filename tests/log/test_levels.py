"""A level for each logger: as configured, as set while the process runs, as a file says to all processes."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.log import get_logger
from postrmagic_core.log.levels import Asked, Levels, LevelsFile, Override, changing, read_levels
from postrmagic_core.testing import FakeClock, until

NAME = "tests.levels.chatty"
log = get_logger(NAME)


def debugged() -> bool:
    """Whether the logger tells everything now."""
    return logging.getLogger(NAME).isEnabledFor(logging.DEBUG)


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Every test leaves the loggers as they were."""
    names = ("root", NAME, "sqlalchemy", "tests.levels")
    before = [logging.getLogger(name).level for name in names]
    yield
    assert [logging.getLogger(name).level for name in names] == before


def test_a_logger_has_the_level_that_is_configured(configured: Callable[..., Any]) -> None:
    """Lower or higher than the rest, also one that is kept quiet otherwise, until the configuration ends."""
    before = logging.getLogger("sqlalchemy").level
    written, handle = configured(level="INFO", levels={NAME: "DEBUG", "sqlalchemy": "INFO", "tests.levels": "ERROR"})
    log.debug("wanted")
    logging.getLogger("sqlalchemy.engine").info("wanted, too")
    get_logger("tests.levels.other").warning("too low")
    assert [event["event"] for event in written.events] == ["wanted", "wanted, too"]
    handle.close()
    assert logging.getLogger("sqlalchemy").level == before


def test_a_level_can_be_set_while_the_process_runs(configured: Callable[..., Any]) -> None:
    """And taken back: then it is as configured; at the end as it was before."""
    _, handle = configured(level="WARNING", levels={NAME: "INFO"})
    handle.set_level(NAME, "DEBUG")
    assert debugged()
    handle.set_level(NAME, None)
    assert logging.getLogger(NAME).level == logging.INFO
    handle.set_level("", logging.DEBUG)
    assert logging.getLogger("anything").isEnabledFor(logging.DEBUG)
    handle.set_level("", None)
    assert logging.root.level == logging.WARNING
    handle.set_level(NAME, "ERROR")
    handle.close()
    handle.set_level(NAME, "DEBUG")
    assert not debugged()


@pytest.mark.parametrize("wrong", ["LOUD", "", None, True, 1.5])
def test_a_level_that_nobody_knows_is_refused(wrong: Any, configured: Callable[..., Any]) -> None:
    """When it is set, and when it is configured: then nothing is changed."""
    before = set(logging.root.handlers)
    with pytest.raises(ConfigurationError, match="unknown log level"):
        configured(levels={NAME: wrong})
    assert set(logging.root.handlers) == before
    _, handle = configured()
    if wrong is not None:
        with pytest.raises(ConfigurationError, match="unknown log level"):
            handle.set_level(NAME, wrong)


def test_of_two_who_ask_the_later_kind_wins() -> None:
    """The file over what was set, that over the configuration; when nobody asks, the application's holds again."""
    target = logging.getLogger(NAME)
    target.setLevel(logging.CRITICAL)
    levels = Levels()
    try:
        for asked, level in ((Asked.FILE, 30), (Asked.CONFIGURED, 10), (Asked.SET, 20)):
            levels.put(asked, {NAME: level})
            assert target.level == 30
        for asked, left in ((Asked.FILE, 20), (Asked.SET, 10), (Asked.CONFIGURED, logging.CRITICAL)):
            levels.put(asked, {})
            assert target.level == left
    finally:
        target.setLevel(logging.NOTSET)


def test_a_file_says_it_to_a_running_process(tmp_path: Path, configured: Callable[..., Any]) -> None:
    """Within seconds, without a record being made; and the log tells that somebody did."""
    path = tmp_path / "log-levels.json"
    written, _ = configured(level="WARNING", levels_file=path)
    assert not debugged()
    with changing(path) as overrides:
        overrides[NAME] = Override("DEBUG")
    until(debugged)
    log.debug("heard")
    with changing(path) as overrides:
        overrides.clear()
    until(lambda: not debugged())
    told = [event["event"] for event in written.events]
    assert told == [
        f"the levels of loggers changed from outside: {NAME} DEBUG",
        "heard",
        "the levels of loggers changed from outside: none is given any more",
    ]


def test_what_the_file_says_ends_in_time(tmp_path: Path) -> None:
    """An override that has an end is over then, though nobody touches the file."""
    clock, levels, path = FakeClock(), Levels(), tmp_path / "levels.json"
    file = LevelsFile(path, levels, clock)
    with changing(path) as overrides:
        overrides[NAME] = Override("DEBUG", clock.now_us() + 600_000_000)
    file.look()
    assert debugged()
    clock.advance(599)
    file.look()
    assert debugged()
    clock.advance(1)
    file.look()
    assert not debugged()


BROKEN = {
    "cut": '{"x": {"level": "DE',
    "no object": "[1]",
    "no level": '{"x": {"until": 1}}',
    "unknown level": '{"x": {"level": "LOUD"}}',
    "odd level": '{"x": {"level": ["DEBUG"]}}',
    "odd end": '{"x": {"level": "DEBUG", "until": "tomorrow"}}',
    "nanoseconds": '{"x": {"level": "DEBUG", "until": 1799999999000000000}}',
    "no text": b"\xff\xfe",
    "deep": "[" * 50_000,
    "large": '{"x": "' + "y" * 100_000 + '"}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_changes_nothing_and_is_told_once(
    text: str | bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What held before holds on."""
    levels, path = Levels(), tmp_path / "levels.json"
    file = LevelsFile(path, levels, FakeClock())
    with changing(path) as overrides:
        overrides[NAME] = Override("DEBUG")
    file.look()
    caplog.clear()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for _ in range(3):
        file.look()
    assert debugged()
    assert len(caplog.records) == 1
    levels.restore()


@pytest.mark.parametrize("what", ["directory", "symbolic link", "pipe"])
def test_what_is_no_file_is_not_read(what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody leads the process elsewhere, nor keeps it waiting."""
    path = tmp_path / "levels.json"
    if what == "directory":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        (tmp_path / "other").write_text(json.dumps({NAME: {"level": "DEBUG"}}))
        path.symlink_to(tmp_path / "other")
    LevelsFile(path, Levels(), FakeClock()).look()
    assert not debugged()
    assert len(caplog.records) == 1


def test_many_who_change_the_file_lose_nothing(tmp_path: Path) -> None:
    """Each reads what the one before has written, and a reader sees whole files alone."""
    path = tmp_path / "levels.json"

    def change(number: int) -> None:
        with changing(path) as overrides:
            overrides[f"logger.{number}"] = Override("INFO", number)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        read_levels(path)
    assert {one.until for one in read_levels(path).values()} == set(range(16))
    assert [entry.name for entry in tmp_path.iterdir()] == ["levels.json"]
