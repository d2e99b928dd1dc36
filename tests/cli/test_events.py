"""`postrmagic events`: what it shows of durable events, and how it delivers them again."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from postrmagic_core.cli.events import events as command
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings
from tests.cli.in_process import InProcess

APPLICATION = """
import sys

from postrmagic_core.events import Event, on
from postrmagic_core.stack import Stack

stack = Stack.from_env()


class Uploaded(Event):
    event_type = "poster.uploaded"
    number: int


class Shown(Event):
    event_type = "poster.shown"


@on(Uploaded, phase="durable", name="show")
def show(event, ctx):
    with ctx.write() as tx:
        ctx.events.emit(Shown(), tx=tx)


@on(Uploaded, phase="durable", name="[broken]", on_error="log")
def broken(event, ctx):
    raise ValueError(event.number)


@on(Shown, phase="durable", name="count")
def count(event, ctx): ...


stack.include(sys.modules[__name__])
"""


class House(InProcess):
    """The command where an application has emitted one event, which caused another; ``first`` is its id."""

    def __init__(self, first: str) -> None:
        super().__init__(command, "event_application:stack")
        self.first = first


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A directory to copy, and its first event."""
    directory = tmp_path_factory.mktemp("furnished")
    (directory / "event_application.py").write_text(APPLICATION)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(directory))
        patch.chdir(directory)
        sys.modules.pop("event_application", None)
        import event_application  # type: ignore[import-not-found]  # written above

        with Stack(embedded_settings(directory / "var"), configure_logging=False) as stack:
            stack.include(event_application)
            first = stack.events.emit(event_application.Uploaded(number=7)).event_id
            with stack.relay(), stack.worker(threads=1):
                stack.events.drain(20)
        sys.modules.pop("event_application", None)
    return directory, first


@pytest.fixture
def house(furnished: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house of this test's own."""
    shutil.copytree(furnished[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    here = House(furnished[1])
    yield here
    here.forget()


def test_list_shows_the_newest_first(house: House) -> None:
    """With how many deliveries are in which state."""
    lines = [line for line in house.run("list").stdout.splitlines() if "poster." in line]
    assert ["poster.shown" in lines[0], "1 done" in lines[0]] == [True, True]
    assert "1 dead, 1 done" in lines[1]
    assert [record["type"] for record in house.json("list", "--type", "poster.shown")] == ["poster.shown"]
    assert datetime.fromisoformat(house.json("list")[0]["occurred_at"]).tzinfo is not None
    assert [record["id"] for record in house.json("list", "--dead")] == [house.first]
    assert len(house.json("list", "--since", "1h")) == 2
    assert house.json("list", "--dead", "--since", "0s") == []
    assert "no such event" in house.run("list", "--type", "never").stdout


def test_show_tells_what_is_confidential_only_when_asked(house: House) -> None:
    """And each delivery, with its job and what ended it."""
    shown = house.run("show", house.first).stdout
    assert "[broken]: dead" in shown
    assert "builtins.ValueError" in shown
    assert "show: done" in shown
    assert "number" not in shown
    assert "number = 7" in house.run("show", house.first, "--fields").stdout
    assert house.json("show", house.first, "--fields")["fields"] == {"number": 7}


def test_tree_shows_each_event_below_its_cause(house: House) -> None:
    """From whichever of the chain."""
    last = house.json("list", "--type", "poster.shown")[0]["id"]
    above, below = house.run("tree", last).stdout.rstrip().splitlines()
    assert "poster.uploaded" in above
    assert below.startswith(("└── poster.shown", "`-- poster.shown"))
    assert [record["id"] for record in house.json("tree", house.first)] == [house.first, last]


@pytest.mark.parametrize("name", ["show", "tree"])
def test_an_unknown_event_is_told_clearly(house: House, name: str) -> None:
    """On standard error, with the places where it may be."""
    done = house.run(name, "no-such-event")
    assert done.exit_code == 1
    assert "is still in the outbox" in done.stderr


def test_replay_delivers_again(house: House) -> None:
    """By id at once; many after a question."""
    assert house.json("replay", house.first) == {"deliveries": 2}
    assert house.json("replay", house.first, "--listener", "show") == {"deliveries": 1}
    assert house.run("replay", "--type", "poster.shown", answer="n\n").exit_code == 1
    assert "1 delivery is made again" in house.run("replay", "--type", "poster.shown", answer="y\n").stdout
    assert house.run("replay", "--dead", "--yes").exit_code == 1, "the dead one was replayed above"
    assert house.run("replay").exit_code == 2
