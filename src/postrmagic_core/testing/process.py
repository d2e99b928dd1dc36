"""Functions run in processes of their own, to be killed, paused and listened to."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self

from . import _children, _forks
from ._targets import load
from .faults import apply_from_environment

_END = object()


class Child:
    """A process made by :func:`spawn`; as a context manager it is killed on leaving."""

    def __init__(self, process: subprocess.Popen[bytes] | _forks.Forked, target: str) -> None:
        self._process = process
        self._target = target
        self._lines: queue.Queue[object] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True, name=f"postrmagic-child-{process.pid}")
        self._reader.start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended (paused counts as alive)."""
        return self._process.poll() is None

    def line(self, timeout: float = 30.0) -> str:
        """The next line the child prints, without its newline.

        Raises :class:`EOFError` when it ended instead, :class:`TimeoutError` after ``timeout`` seconds.
        """
        try:
            got = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"{self._target} printed nothing within {timeout} s") from None
        if got is _END:
            self._lines.put(_END)
            raise EOFError(f"{self._target} ended with code {self._process.wait()} instead of printing")
        return str(got)

    def lines(self, timeout: float = 30.0) -> Iterator[str]:
        """Every further line until the child ends; at most ``timeout`` seconds between two."""
        with contextlib.suppress(EOFError):
            while True:
                yield self.line(timeout)

    def wait(self, timeout: float = 30.0) -> int:
        """The exit code (negative: ended by that signal); :class:`TimeoutError` after ``timeout`` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self._target} still runs after {timeout} s") from None

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """SIGTERM, as a supervisor stops a process; does not wait."""
        self._process.terminate()

    def pause(self) -> None:
        """SIGSTOP; returns when every thread is seen stopped."""
        _children.stop(self._process)

    def resume(self) -> None:
        """SIGCONT: end of :meth:`pause`."""
        _children.resume(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()
        self._reader.join(5)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line.decode(errors="replace").rstrip("\n"))
        self._lines.put(_END)


def spawn(target: str | Callable[..., object], *args: object, env: Mapping[str, str] | None = None) -> Child:
    """Run ``target(*args)`` in a new Python process that dies with this one.

    ``target`` is a module-level function, ``"package.module:function"`` or ``"/path/file.py:function"``; ``args`` go
    through JSON. ``env`` is added to this process's environment. What the function prints arrives line by line; stderr
    is shared. On Linux the process is forked from one that has imported what others wrote, and nothing of yours.
    """
    name = target if isinstance(target, str) else f"{inspect.getfile(target)}:{target.__qualname__}"
    given, environment = json.dumps(args), {**os.environ, **(env or {})}
    forked = _forks.forked(name, given, environment)
    if forked is not None:
        return Child(forked, name)
    command = [sys.executable, "-u", "-m", "postrmagic_core.testing.process", str(os.getpid()), name, given]
    return Child(_children.launch(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE), name)


def main(parent: str, target: str, arguments: str) -> None:
    """The child's side: ``python -m postrmagic_core.testing.process PARENT TARGET ARGUMENTS``."""
    _children.die_with_parent(int(parent))
    apply_from_environment()
    load(target)(*json.loads(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
