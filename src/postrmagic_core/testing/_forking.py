"""The process from which :mod:`._forks` has children forked, in which it imports beforehand what those import."""

from __future__ import annotations

import ast
import gc
import importlib
import json
import os
import selectors
import socket
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from postrmagic_core.registry import KINDS

from . import _children
from ._forks import SIZE, STATUS, Order, close_all
from ._targets import load

_OURS = __name__.partition(".")[0]


def main(parent: int, channel: int) -> None:
    """Fork a child for each order until ``channel`` is closed; in a child, carry the order out."""
    _children.die_with_parent(parent)
    order = _serve(socket.socket(fileno=channel))
    if order is not None:
        load(order["target"])(*json.loads(order["arguments"]))


def _serve(channel: socket.socket) -> Order | None:
    """``None`` in the server, when it is to end; in each child, its order."""
    server, known = os.getpid(), set[str]()
    running: dict[int, tuple[int, int]] = {}
    with channel, selectors.DefaultSelector() as events:
        events.register(channel, selectors.EVENT_READ)
        while True:
            for key, _ in events.select():
                if key.fileobj is not channel:
                    events.unregister(key.fd)
                    pid, telling = running.pop(key.fd)
                    _, status = os.waitpid(pid, 0)
                    with suppress(BrokenPipeError):
                        os.write(telling, STATUS.pack(os.waitstatus_to_exitcode(status)))
                    close_all(telling, key.fd)
                    continue
                size, given, _, _ = socket.recv_fds(channel, SIZE.size, 3)
                if not size:
                    return None
                order = _received(channel, SIZE.unpack(size)[0])
                _prepare(order["target"], known)
                pid = os.fork() if len(list(Path("/proc/self/task").iterdir())) == 1 else 0
                if os.getpid() != server:
                    close_all(*running, *(telling for _, telling in running.values()))
                    _become(order, given, server)
                    return order
                *others, telling = given
                close_all(*others)
                if not pid:  # something that was imported runs a thread, which would be missing in a fork
                    close_all(telling)
                    channel.sendall(SIZE.pack(0))
                    continue
                handle = os.pidfd_open(pid)
                running[handle] = (pid, telling)
                events.register(handle, selectors.EVENT_READ)
                socket.send_fds(channel, [SIZE.pack(pid)], [handle])


def _received(channel: socket.socket, size: int) -> Order:
    message = b""
    while len(message) < size:
        message += channel.recv(size - len(message))
    order: Order = json.loads(message)
    return order


def _become(order: Order, given: list[int], server: int) -> None:
    """Make this fork a process like one that the order's giver started; it dies with the server."""
    _children.die_with_parent(server)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, *given[:2])):
        os.dup2(descriptor, number)
    close_all(nothing, *given)
    before = os.environ.get("PYTHONPATH", "")
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path[0] = order["directory"]
    if (path := os.environ.get("PYTHONPATH", "")) != before:
        sys.path[1:1] = filter(None, path.split(os.pathsep))
    importlib.invalidate_caches()
    tempfile.tempdir = None


def _prepare(target: str, known: set[str]) -> None:
    """Import what ``target`` imports of this package and of installed ones, and the drivers that both may ask for."""
    place = target.rpartition(":")[0]
    if place in known:
        return
    names = {adapter.partition(":")[0] for kind in KINDS for adapter in kind.builtin.values()} if not known else set()
    known.add(place)
    for name in (*names, *_needed(place, set())):
        with suppress(Exception):  # it need not be a module, and what is missing is told to the child that needs it
            importlib.import_module(name)
    gc.freeze()  # what no collection touches stays shared


def _needed(place: str, seen: set[str]) -> Iterator[str]:
    """What a file or module imports at its beginning, but of modules of the project under test: what those import."""
    path = Path(place) if place.endswith(".py") else _under_test(place)
    if path is None:
        yield place
    if path is None or not path.exists():
        return
    for node in ast.parse(path.read_bytes()).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name not in seen:
                seen.add(name)
                yield from _needed(name, seen)


def _under_test(name: str) -> Path | None:
    """Where a module of the project under test is, if it is one; ``None`` for one of ours, or of what is installed."""
    top, *rest = name.split(".")
    spec = None if top == _OURS or top in sys.stdlib_module_names else find_spec(top)
    if spec is None:
        return None
    folder = Path(next(iter(spec.submodule_search_locations or ()), spec.origin or ""))
    if str(folder).startswith((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))):
        return None
    path = folder.joinpath(*rest)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
