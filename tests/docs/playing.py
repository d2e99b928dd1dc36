"""The Python of a page of the documentation, executed block by block, as it stands there.

A page is executed in an empty folder and in one namespace, as somebody would who copies one block after the other.
What it takes for granted (a table, an application, a server) is given by ``play`` of ``tests/docs/pages/<page>.py``, if
there is one: that adds names beside those of the page, and never takes a line of it away.
"""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import linecache
import re
import sys
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Mapping
from importlib import import_module
from os import O_CREAT, O_RDWR, O_WRONLY
from pathlib import Path
from tempfile import gettempdir
from types import CodeType, ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
PLAYED = ROOT / "tests" / "docs" / "pages"
PATIENCE = 30
"""Seconds for one page; then its process says where it hangs, and ends."""
ADDRESS = re.compile(r"\A(\w[\w+]*://|/)\S+\Z")


class Block(NamedTuple):
    """A block of a page: its language, the number of its first line in the page, and what stands in it."""

    language: str
    line: int
    text: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page in these languages, or all of them, in their order."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^( *)(```+)([^\s`]*)[^\n]*\n(.*?)^\1\2 *$", text, re.MULTILINE | re.DOTALL)
    return [
        Block(each[3], text.count("\n", 0, each.start(4)) + 1, inspect.cleandoc(each[4]) + "\n" if each[1] else each[4])
        for each in found
        if not languages or each[3] in languages
    ]


def pages() -> list[Path]:
    """Every page that a reader may copy from."""
    found = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in found if "_build" not in page.parts)


class Page:
    """A page that is being executed: ``names`` are those that its blocks see, and leave behind."""

    def __init__(self, file: Path, urls: Mapping[str, str]) -> None:
        self.file = file
        self.urls = urls
        """Of servers of the kit, by the fixture's name."""
        self.instead: dict[str, str] = {}
        """Addresses that the page names, and what is in their place: a server of the kit, a file of this folder."""
        self._module = ModuleType("shown")
        sys.modules["shown"] = self._module
        self.names: dict[str, Any] = self._module.__dict__
        self._blocks = blocks(file, "python")
        self.count = len(self._blocks)

    def run(self, count: int | None = None) -> dict[str, Any]:
        """Execute so many further blocks, or all that are left; answers the names there are then."""
        for block in self._blocks[: len(self._blocks) if count is None else count]:
            self._blocks.remove(block)
            self._execute(block)
        return self.names

    @property
    def left(self) -> int:
        """How many blocks were not executed."""
        return len(self._blocks)

    def _execute(self, block: Block) -> None:
        name = re.match(r"# (\w+)\.py\n", block.text)
        where = str(self.file.relative_to(ROOT) if self.file.is_relative_to(ROOT) else self.file)
        # The empty lines have a traceback name the line of the page.
        text = "\n" * (block.line - 1) + self._placed(block.text)
        linecache.cache[where] = (len(text), None, self.file.read_text(encoding="utf-8").splitlines(True), where)
        code = compile(text, where, "exec", PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        if name is None:
            _done(code, self.names)
            return
        Path(f"{name[1]}.py").write_text(block.text, encoding="utf-8")
        module = sys.modules[name[1]] = ModuleType(name[1])
        module.__dict__.update({given: value for given, value in self.names.items() if not given.startswith("__")})
        module.__file__ = f"{name[1]}.py"
        _done(code, module.__dict__)
        self.names.update({made: value for made, value in module.__dict__.items() if not made.startswith("__")})

    def _placed(self, text: str) -> str:
        for address, other in self.instead.items():
            if not ADDRESS.match(address) or address not in self.file.read_text(encoding="utf-8"):
                raise AssertionError(f"{address} is no address that {self.file.name} names")
            text = text.replace(address, other)
        return text


def _done(code: CodeType, names: dict[str, Any]) -> None:
    waiting = eval(code, names)  # noqa: S307 - the documentation's own lines
    if inspect.iscoroutine(waiting):
        asyncio.run(waiting)


def preamble(file: Path) -> Path:
    """Where it is said what the page takes for granted; it need not be there."""
    return PLAYED / f"{file.stem.replace('-', '_').lower()}.py"


def _stay() -> None:
    """Refuse from now on what leaves the folder, or this machine: such an address needs another in its place."""
    inside = (Path.cwd(), Path(gettempdir()), Path("/dev"))
    writing = O_WRONLY | O_RDWR | O_CREAT

    def look(event: str, given: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(given[0], str) and given[2] & writing:
            if not any(Path(given[0]).absolute().is_relative_to(folder) for folder in inside):
                raise AssertionError(f"the page writes to {given[0]}")
        elif event == "socket.getaddrinfo" and given[0] not in ("127.0.0.1", "localhost", "::1", None):
            raise AssertionError(f"the page asks for {given[0]}")

    sys.addaudithook(look)


def servers(file: Path) -> set[str]:
    """Of which servers of the kit what is given to a page takes a database."""
    given = preamble(file)
    return set(re.findall(r'page\.urls\["(\w+)"\]', given.read_text(encoding="utf-8"))) if given.exists() else set()


def play(name: str, urls: Mapping[str, str]) -> None:
    """Execute a page in the working directory, and print how many blocks of Python it has."""
    file = Path(name)
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    # What it imports from beside this file is compiled, and the compiled form is no writing of the page's.
    sys.dont_write_bytecode = True
    _stay()
    page = Page(file, urls)
    given = preamble(file)
    if given.exists():
        import_module(f"tests.docs.pages.{given.stem}").play(page)
    else:
        page.run()
    assert page.left == 0, f"{page.left} blocks of {file.name} were not executed"
    print(f"{page.count} blocks of Python")  # noqa: T201 - what the test reads
