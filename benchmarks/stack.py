"""What importing the package costs, and how fast the reference application is on the embedded default.

Each import is measured in a new, isolated interpreter, in turns with one that imports nothing; the figure is the median
of the differences. The first round, which may still compile, is not kept.

The application runs in this process on SQLite files, with its worker as threads: from the first byte of an upload until
the thumbnails' row is committed, and pages of a user's list on several threads, as the cache serves them.
"""

from __future__ import annotations

import importlib
import io
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select

import postrmagic_core
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.validation import inspect, receive

from ._harness import Bench, Case

TAKES = frozenset({"threads", "duration"})
_EXAMPLES = Path(__file__).parents[1] / "examples"
_NOT_COMPONENTS = {"cli", "testing"}


def run(bench: Bench) -> None:
    """Report the imports, then the application."""
    imported(bench)
    application(bench)


def imported(bench: Bench) -> None:
    """Report ``import_ms`` and ``standalone_import_ms.<component>``."""
    imports = {"bare": "pass", "package": f"import {postrmagic_core.__name__}"}
    imports |= {room: f"import {postrmagic_core.__name__}.{room}" for room in components()}
    cases = [Case(name, partial(start, statement)) for name, statement in imports.items()]
    compared = bench.pair("import in a new interpreter", cases, rounds=bench.repeats(25, 3))
    bench.figure("import_ms", compared.above("package", "bare") * 1e3)
    for room in components():
        bench.figure(f"standalone_import_ms.{room}", compared.above(room, "bare") * 1e3)


def components() -> list[str]:
    """The public packages of the package, from their folders."""
    folder = Path(postrmagic_core.__path__[0])
    rooms = {path.parent.name for path in folder.glob("*/__init__.py")}
    return sorted(room for room in rooms - _NOT_COMPONENTS if not room.startswith("_"))


def start(statement: str) -> None:
    """Run ``statement`` in a new interpreter; raises :class:`subprocess.CalledProcessError` if it fails."""
    subprocess.run([sys.executable, "-I", "-c", statement], check=True, stdin=subprocess.DEVNULL)


def application(bench: Bench) -> None:
    """Report ``upload_to_thumbnail_ms`` and ``list_rate``."""
    sys.path.insert(0, str(_EXAMPLES))
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(stack={"data_dir": folder}, jobs={"worker": "embedded"}, log={"level": "WARNING"})
        seed, parts = (importlib.import_module(f"media_library.{name}") for name in ("seed", "application"))
        app = parts.assemble(Stack(settings))
        seed.prepare(app, guest=False)
        with app.stack:
            user = app.accounts.by_name("demo").id
            upload = Case("upload to thumbnail", partial(uploaded, app, user, itertools.count(bench.options.seed)))
            found = bench.pair("one upload, until its thumbnails are there", [upload], rounds=bench.repeats(30, 4))
            bench.figure("upload_to_thumbnail_ms", found[upload.name].median * 1e3)
            first = app.library.ask(user, importlib.import_module("media_library.warming").FIRST)
            page = Case("list", partial(app.pages.of, user, first))
            found = bench.load("pages of the list", [page], duration=bench.repeats(10, 1))
            bench.figure("list_rate", found[page.name].rate)


def uploaded(app: Any, user: int, numbers: Iterator[int]) -> None:
    """Upload a poster nobody has seen, and wait until its thumbnails are committed; at most 60 seconds."""
    from media_library import library, posters, tables

    number = next(numbers)
    data = posters.draw(posters.POSTERS[number % len(posters.POSTERS)], seed=number)
    with receive(io.BytesIO(data), library.POLICY, app.library.storage.incoming) as upload:
        info = inspect(upload.path, library.POLICY)
        app.library.add(user, upload.path, info, title="poster", filename="poster.png")
    made, end = tables.renditions.c.digest, time.monotonic() + 60
    while time.monotonic() < end:
        with app.stack.database.read() as unit:
            if unit.scalar(select(made).where(made == info.sha256)) is not None:
                return
        time.sleep(0.005)
    raise TimeoutError("the worker made no thumbnail within 60 seconds")


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "stack", *sys.argv[1:]]))
