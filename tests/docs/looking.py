"""The commands of the documentation that only look, and an application for them to look at."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.docs.lines import commands, lines
from tests.docs.playing import pages

LOOKING = {
    "alerts": {"history", "list", "rules", "silences"},
    "cache": {"stats"},
    "config": {"history"},
    "db": {"backups"},
    "errors": {"list"},
    "events": {"list"},
    "experience": {"adoption", "pages", "survey"},
    "flags": {"list"},
    "jobs": {"counts", "list", "workers"},
    "logs": {"histogram", "search", "stats"},
    "metrics": {"dashboard", "rules", "show"},
    "middleware": {""},
    "outbox": {"list"},
    "release": {"list"},
    "roles": {"list"},
    "schedules": {"list"},
    "settings": {""},
    "uptime": {"outages", "status"},
}
"""Those that change nothing, and end by themselves."""
SHOPS = ("shop", "app")
SILENT = ("no record", "no worker", "nothing that is indexed")
"""How a command begins that ends with 1 since there is nothing to be seen."""
SHOP = """
import sys

from postrmagic_core.jobs import every, task
from postrmagic_core.security import Role, Roles
from postrmagic_core.stack import Stack

stack = Stack.from_env()
stack.security.use_roles(Roles([Role("editor", allow=["media:edit"])]))


@task(name="render")
def render(ctx): ...


hourly = every(3600, render.call(), name="hourly")
stack.include(sys.modules[__name__])
"""


def looking() -> list[list[str]]:
    """What the pages have one type of these on their shop, each once."""
    found = [words for page in pages() for line in lines(page) if line.whole for words in commands(line.text)]
    asked = {tuple(words[1:]): None for words in found if words[:1] == ["postrmagic"]}
    return [list(words) for words in asked if _second(words) in LOOKING.get(words[0], ()) and _at_home(words)]


def _second(words: Sequence[str]) -> str:
    return words[1] if len(words) > 1 and not words[1].startswith("-") else ""


def _at_home(words: Sequence[str]) -> bool:
    """Whether the command is about the application that is prepared here."""
    if "--data-dir" in words:
        return False
    return "--app" not in words or words[words.index("--app") + 1] in [f"{name}:stack" for name in SHOPS]


def prepare(directory: Path) -> None:
    """The shop's modules, which have worked once in the working directory."""
    for name in SHOPS:
        (directory / f"{name}.py").write_text(SHOP)
    shop = import_module(SHOPS[0])
    with shop.stack as stack:
        stack.jobs.enqueue(shop.render.call())


def failed(command: Any, asked: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Those of the commands that do not end as they should, and what they say."""
    found = []
    for words in asked:
        for name in SHOPS:
            sys.modules.pop(name, None)
        told = io.StringIO()
        with redirect_stdout(told), redirect_stderr(told):
            status = _status(command, words)
        silent = status == 1 and told.getvalue().startswith(SILENT)
        if status and not silent:
            found.append((" ".join(words), f"{status} {told.getvalue()}"))
    return found


def _status(command: Any, words: Sequence[str]) -> object:
    """What a process would exit with, or the error that ended it."""
    try:
        status = command.main(list(words), prog_name="postrmagic", standalone_mode=False)
    except SystemExit as ended:
        return ended.code
    except Exception as error:
        return error
    return status if isinstance(status, int) else 0
