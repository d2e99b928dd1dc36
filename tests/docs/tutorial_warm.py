"""Commands of a quick run, each in a process of its own, forked from one that has imported what takes them their time.

``python tutorial_warm.py SOCKET`` is that one; it ends when its standard input does. What :func:`written` writes are
the commands: each asks it for a process that has its arguments, environment, directory and descriptors, hands signals
on, and ends as that one does.
"""

from __future__ import annotations

import array
import gc
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from importlib import import_module
from pathlib import Path

_LOADED = [
    *(f"postrmagic_core.cli.{name}" for name in ("app", "serving", "init", "jobs", "logs", "schema", "roles", "cache")),
    *("postrmagic_core.database.migrating", "postrmagic_core.integrations.starlette", "alembic.autogenerate"),
    *("postrmagic_core.api", "postrmagic_core.validation.bodies", "postrmagic_core.observability.dashboard"),
    *("postrmagic_core.stack", "postrmagic_core.security.passwords", "postrmagic_core.cli.worker"),
    *("PIL.Image", "PIL.ImageDraw", "PIL.PngImagePlugin", "PIL.WebPImagePlugin", "postrmagic_core.jobs.process"),
    *("uvicorn", "starlette.testclient", "starlette.templating", "starlette.staticfiles", "jinja2", "pytest"),
]
_COMMAND = """#!{python} -IS
import array, json, os, signal, socket, sys
if {name!r} == "python" and sys.argv[1].startswith("-I"):  # what decodes a picture limits itself, and is to be alone
    os.execv({real!r}, [{real!r}, *sys.argv[1:]])
order = json.dumps([{name!r}, {project!r}, sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
link = socket.socket(socket.AF_UNIX)
link.connect({place!r})
descriptors = socket.SCM_RIGHTS, array.array("i", [0, 1, 2])
link.sendmsg([len(order).to_bytes(4, "big")], [(socket.SOL_SOCKET, *descriptors)])
link.sendall(order)
child = int.from_bytes(link.recv(4), "big")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, _: os.kill(child, number))
status = int.from_bytes(link.recv(4) or b"x", "big")
if status > 128:  # by a signal: whoever waits for this one is to see it
    signal.signal(status - 128, signal.SIG_DFL) if status != 137 else None
    os.kill(os.getpid(), status - 128)
os._exit(status)
"""


def written(name: str, directory: Path, place: Path, project: Path) -> None:
    """Write the command ``name`` (``postrmagic``, ``pytest``, ``python``) into a venv's ``directory`` of commands.

    It finds the modules of ``project``.
    """
    command, real = directory / name, directory / "python-itself"
    if command.exists():
        command.rename(real)
    words = {"python": sys.executable, "name": name, "real": str(real), "place": str(place), "project": str(project)}
    command.write_text(_COMMAND.format(**words), encoding="utf-8")
    command.chmod(0o755)


def _main(place: str) -> None:
    for name in _LOADED:
        import_module(name)
    gc.freeze()  # what is shared stays shared
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(place)
        listening.listen(16)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            if 0 in _ready(listening.fileno(), 0):
                return
            link, _ = listening.accept()
            if not os.fork():
                listening.close()
                _keep(link)
            link.close()


def _keep(link: socket.socket) -> None:
    """Have the command done by a child, and tell how it ended; without whom it was for, it is not needed."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, descriptors = _received(link)
    order = b""
    while len(order) < size:
        order += link.recv(size - len(order))
    child = os.fork()
    if not child:
        link.close()
        name, project, arguments, directory, environment = json.loads(order)
        _do(name, project, arguments, directory, environment, descriptors)
    for each in (0, 1, 2, *descriptors):
        os.close(each)
    link.sendall(child.to_bytes(4, "big"))
    done = os.pidfd_open(child)
    if link.fileno() in _ready(link.fileno(), done):
        os.kill(child, signal.SIGTERM)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    link.sendall((status if status >= 0 else 128 - status).to_bytes(4, "big"))
    os._exit(0)


def _ready(*descriptors: int) -> list[int]:
    return select.select(descriptors, [], [])[0]


def _received(link: socket.socket) -> tuple[int, list[int]]:
    data, ancillary, _, _ = link.recvmsg(4, socket.CMSG_LEN(12))
    found = array.array("i")
    for _, _, content in ancillary:
        found.frombytes(content)
    return int.from_bytes(data, "big"), list(found)


def _do(
    name: str, project: str, arguments: list[str], directory: str, environment: dict[str, str], descriptors: list[int]
) -> None:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    # As the interpreter of the venv would have it: what the project is, is found; processes below are the venv's.
    bin_directory = Path(environment["VIRTUAL_ENV"]) / "bin"
    sys.executable, sys.path[0] = str(bin_directory / "python"), str(bin_directory)
    sys.path.append(project)
    sys.argv = [str(bin_directory / name), *arguments]
    status: object = 1
    try:
        status = {"postrmagic": _command, "pytest": _tests, "python": _interpreter}[name]()
    except SystemExit as ended:
        status = ended.code
    except KeyboardInterrupt:
        status = 130
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else bool(status))


def _command() -> None:
    import_module("postrmagic_core.cli").main()


def _interpreter() -> None:
    """What follows ``python``: a file, or ``-m`` and a module, or ``-c`` and a program."""
    first, *rest = sys.argv[1:]
    if first == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - as it stands on the page
    elif first == "-m":
        sys.argv, sys.path[0] = rest, str(Path.cwd())
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = [first, *rest], str(Path(first).resolve().parent)
        runpy.run_path(first, run_name="__main__")


def _tests() -> int:
    # Of the plugins, only the package's own: what else is installed here is nothing that the page speaks of.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["PYTEST_PLUGINS"] = "postrmagic_core.testing.pytest_plugin"
    return int(import_module("pytest").main(sys.argv[1:]))


if __name__ == "__main__":
    _main(sys.argv[1])
