"""A page that is followed word by word: its files are written, its changes made, its commands typed.

What a machine reads of it, a person sees:

- a block of code whose first line is a comment with a path is that file, whole;
- a ``diff`` names its file between ``@@`` and has the lines that stay, go (``-``) and come (``+``);
- a ``console`` has commands after ``$`` and, beneath each, what they print: ``…`` is anything, on a line of its own any
  number of lines, and ids, times and sizes are others each time. ``# In a second terminal`` as its first line says
  where: what still runs there is interrupted first, and the last command is left running once it printed what stands
  beneath.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"(?:#|<!--|\{#) (\S+\.\w+)(?: -->| #\})?\n")
_HUNK = re.compile(r"^@@ (\S+) @@\n((?:[ +-].*\n|\n)+)", re.MULTILINE)
_WHERE = re.compile(r"# In a (second|third) terminal\n")
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
# What is another each time: identifiers, instants, revisions, spans and sizes.
_VARIES = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?|\b20\d{12}\b"
    r"|\b\d+(?:\.\d+)? ?(?:s|ms|MiB|kB|MB)\b"
)
# What only looks may look again, as a person does who was told to wait a moment.
_LOOKS = re.compile(
    r"(?:curl (?!.*(?: -F | --json | -X ))|postrmagic (?:jobs (?:list|counts|show|workers)|logs|cache|deploy status))"
)
_PATIENCE = 60.0
# Of a run in the background, a shell inherits that interrupts are ignored, and cannot change it.
_SHELL = "import os, signal; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp('bash', ['bash', '--norc'])"
_END = "the-end-of-a-command"


@dataclass(frozen=True)
class Block:
    """A block of a page: its language, its text, and where it stands."""

    language: str
    text: str
    place: str


def blocks(pages: Iterable[Path]) -> Iterator[Block]:
    """Those of all pages, in their order."""
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            yield Block(found[1], found[2], f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}")


def agrees(expected: str, printed: str) -> bool:
    """Whether this is what the page says is printed."""
    pattern = ""
    for line in _lines(_VARIES.sub("…", expected)):
        said = re.escape(line).replace(r"\ …\ ", r"\ (?:.*\ )?").replace("…", ".*")
        pattern += r"(?:.*\n)*?" if line == "…" else said + "\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(printed))) is not None


def _lines(text: str) -> list[str]:
    """The lines that say something, whatever the width of a table is."""
    lines = (re.sub(r"[━─]+", "━", re.sub(r" +", " ", line)).strip() for line in text.splitlines())
    return [line for line in lines if line]


class Terminal:
    """A shell; what is typed is run as at a terminal, with nobody to answer."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._shell = subprocess.Popen(
            [sys.executable, "-ISc", _SHELL],
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        self._printed: list[str] = []
        self._news = threading.Condition()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self.running = ""

    def _read(self) -> None:
        assert self._shell.stdout is not None
        for line in self._shell.stdout:
            with self._news:
                self._printed.append(line)
                self._news.notify()
        with self._news:
            self._printed.append(f"{_END} 255\n")
            self._news.notify()

    def type(self, command: str) -> None:
        """Begin a command."""
        assert self._shell.stdin is not None
        self.running = command
        with self._news:
            self._printed.clear()
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null\nprintf '\\n{_END} %s\\n' $?\n")

    def text(self) -> str:
        """What it has printed."""
        with self._news:
            return "".join(line for line in self._printed if not line.startswith(_END))

    def ended(self, timeout: float) -> int:
        """Its exit status; fails where it does not end in time."""
        with self._news:
            if not self._news.wait_for(lambda: self._status() is not None, timeout):
                raise AssertionError(f"did not end in {timeout:.0f} s: {self.running}\n{''.join(self._printed)}")
            status = self._status()
        self.running = ""
        assert status is not None
        return status

    def shows(self, expected: str, timeout: float = 60.0) -> None:
        """Wait until these lines are among what the command printed, which is to run on."""
        with self._news:
            done = self._news.wait_for(lambda: self._status() is not None or self._has(expected), timeout)
            if not done or not self._has(expected):
                raise AssertionError(f"{self.running}\nexpected:\n{expected}\nprinted:\n{''.join(self._printed)}")

    def _has(self, expected: str) -> bool:
        return agrees(f"…\n{expected}…\n", "".join(self._printed))

    def _status(self) -> int | None:
        last = self._printed[-1] if self._printed else ""
        return int(last.split()[1]) if last.startswith(_END) else None

    def interrupt(self) -> None:
        """Ctrl-C, and wait for the end of what runs."""
        if not self.running:
            return
        below = Path(f"/proc/{self._shell.pid}/task/{self._shell.pid}/children")
        while not (children := below.read_text(encoding="ascii").split()) and self._status() is None:
            time.sleep(0.02)  # what is to be interrupted may just begin
        for child in children:
            os.kill(int(child), signal.SIGINT)
        self.ended(60)

    def close(self) -> None:
        """Nothing of it is left."""
        with suppress(AssertionError, ProcessLookupError, OSError):
            self.interrupt()
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()
        self._reading.join(5)


@dataclass
class Reader:
    """Who follows a page, in ``directory``.

    ``instead``: what is done in the place of a command, as a test installs another package than the index's.
    ``changed`` is asked for the text of each block: which port is free.
    """

    directory: Path
    environment: Mapping[str, str]
    instead: dict[str, Callable[[], str | None]] = field(default_factory=dict)
    changed: Callable[[str], str] = str
    terminals: dict[str, Terminal] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    def follow(self, block: Block) -> None:
        """Do what it says."""
        began, text = time.monotonic(), self.changed(block.text)
        try:
            if block.language == "console":
                self._type(text)
            elif block.language == "diff":
                self._change(text)
            elif found := _PATH.match(text):
                self._write(found[1], text)
            else:
                raise AssertionError(f"nobody knows what to do with this block of {block.language}")
        except AssertionError as error:
            raise AssertionError(f"{block.place}: {error}") from None
        self.took[block.place] = time.monotonic() - began

    @property
    def project(self) -> Path:
        """Where paths begin: where the first terminal is."""
        return Path(self.done("pwd").strip())

    def _write(self, path: str, text: str) -> None:
        target = self.project / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def _change(self, text: str) -> None:
        hunks = _HUNK.findall(text)
        assert "".join(f"@@ {path} @@\n{lines}" for path, lines in hunks) == text, "no path stands between @@ and @@"
        for path, lines in hunks:
            target = self.project / path
            old, new = (_side(lines, mark) for mark in "-+")
            whole = target.read_text(encoding="utf-8")
            assert whole.count(old) == 1, f"{whole.count(old)} times in {path}:\n{old}"
            target.write_text(whole.replace(old, new), encoding="utf-8")

    def _type(self, text: str) -> None:
        where = _WHERE.match(text)
        typed = text[where.end() :] if where else text
        commands = _COMMAND.findall(typed)
        assert "".join(f"$ {command}\n{printed}" for command, printed in commands) == typed, "no command"
        if not where:
            for command, printed in commands:
                self._shown(command, printed)
            return
        terminal = self._terminal(where[1])
        terminal.interrupt()
        for command, _ in commands[:-1]:
            self.done(command, where[1])
        command, printed = commands[-1]
        terminal.type(command)
        terminal.shows(printed)

    def _shown(self, command: str, expected: str) -> None:
        deadline, pause = time.monotonic() + _PATIENCE, 0.2
        while True:
            try:
                printed = self.done(command)
                if not expected or agrees(expected, printed):
                    return
                raise AssertionError(f"$ {command}\nexpected:\n{expected}\nprinted:\n{printed}")
            except AssertionError:
                if not _LOOKS.match(command) or time.monotonic() > deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def done(self, command: str, terminal: str = "first") -> str:
        """What a command prints that is to succeed."""
        if command in self.instead:
            other = self.instead[command]()
            if other is None:
                return ""
            command = other
        shell = self._terminal(terminal)
        shell.type(command)
        status = shell.ended(300)
        assert status == 0, f"$ {command}\nended with {status}:\n{shell.text()}"
        return shell.text()

    def _terminal(self, name: str) -> Terminal:
        if name not in self.terminals:
            self.terminals[name] = Terminal(self.directory, self.environment)
        return self.terminals[name]

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """With terminals, which are closed afterwards."""
        try:
            yield self
        finally:
            for terminal in reversed(self.terminals.values()):
                terminal.close()


def _side(lines: str, mark: str) -> str:
    """What stands in a hunk before (``-``) or after (``+``) it."""
    kept = (line for line in lines.splitlines(keepends=True) if line[0] in (" ", "\n", mark))
    return "".join(line if line == "\n" else line[1:] for line in kept)
