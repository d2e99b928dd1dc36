"""Every command in the guide on slowness is one that there is, with options that it has."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "find-out-why-it-is-slow.md"


def commands(text: str) -> list[list[str]]:
    """What the page has one type, each as its words."""
    shown = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in shown for line in block.splitlines()]
    lines += re.findall(r"`(postrmagic [^`]+)`", text)
    return [words for line in lines if (words := shlex.split(line, comments=True))[:1] == ["postrmagic"]]


def group(name: str) -> typer.Typer:
    """The group of commands called so; of `db` those that have a module of their own."""
    if name != "db":
        found: typer.Typer = getattr(import_module(f"postrmagic_core.cli.{name}"), name)
        return found
    together = typer.Typer()
    for each in ("pool", "analyze"):
        together.command()(getattr(import_module(f"postrmagic_core.cli.{each}"), each))
    return together


def complaint(words: list[str]) -> str | None:
    """What is wrong with a command, as it would say itself; nothing of it is done."""
    _, first, name, *rest = words
    whole: Any = get_command(group(first))
    command = whole.commands.get(name)
    if command is None:
        return f"there is no {first} {name}"
    if "--app" not in rest and any(each.name == "app" for each in command.params):
        rest += ["--app", "shop:stack"]  # left out where only the text speaks of it
    try:
        command.make_context(name, rest)
    except Exception as error:
        return str(getattr(error, "message", error)) or type(error).__name__
    return None


@pytest.mark.parametrize("words", commands(PAGE.read_text(encoding="utf-8")), ids=" ".join)
def test_a_command_of_the_guide_is_understood(words: list[str]) -> None:
    """As it stands there."""
    assert complaint(words) is None


def test_a_wrong_command_is_found() -> None:
    """An option, a state and a command that there are not."""
    assert commands("```bash\npostrmagic jobs list --odd  # so\nls\n```\nand `postrmagic db pool`") == [
        ["postrmagic", "jobs", "list", "--odd"],
        ["postrmagic", "db", "pool"],
    ]
    assert complaint(["postrmagic", "jobs", "list", "--odd"]) is not None
    assert complaint(["postrmagic", "jobs", "list", "--app", "a:b", "--state", "odd"]) is not None
    assert complaint(["postrmagic", "jobs", "lists"]) == "there is no jobs lists"
