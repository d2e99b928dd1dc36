"""The Stack under WSGI: opened by the first request of each process, closed when the process ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from postrmagic_core import Stack
from postrmagic_core.integrations.wsgi import install
from postrmagic_core.middleware import Pipeline
from postrmagic_core.testing.capture import embedded_settings
from tests.integrations.apps import PIPELINE


def ask(app: Any) -> bytes:
    """One request as a server makes it; the body."""
    environ: dict[str, Any] = {"QUERY_STRING": ""}
    setup_testing_defaults(environ)

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        return lambda _: None

    body = app(environ, start_response)
    try:
        return b"".join(body)
    finally:
        body.close()


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def test_the_first_request_opens_it(stack: Stack) -> None:
    """Not the import, which a server may do before it forks."""
    app = install(hello, PIPELINE, stack)
    assert not stack.is_open
    try:
        ask(app)
        assert stack.is_open
    finally:
        stack.close()


def test_the_rules_of_wsgi_are_kept(stack: Stack) -> None:
    """Python's own validator finds nothing wrong on either side."""
    app = validator(install(validator(hello), PIPELINE, stack))
    try:
        assert ask(app) == b"hello"
    finally:
        stack.close()


def test_two_first_requests_at_once(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given several, none is served before the Stack is open, which happens once."""
    opened, open_ = [], stack._open

    def counting() -> None:
        opened.append(threading.get_ident())
        open_()

    monkeypatch.setattr(stack, "_open", counting)
    seen: list[bool] = []

    def looking(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(stack.is_open)
        return hello(environ, start_response)

    app, together = install(looking, PIPELINE, stack), threading.Barrier(8)

    def request() -> None:
        together.wait(20)
        ask(app)

    threads = [threading.Thread(target=request) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    finally:
        stack.close()
    assert (len(opened), seen) == (1, [True] * 8)


def test_a_failed_opening_is_tried_again(tmp_path: Path) -> None:
    """Given a Stack that does not open, the server gets the error, and the next request succeeds once it does."""
    (tmp_path / "place").write_text("in the way")
    stack = Stack(embedded_settings(tmp_path / "place"))
    app = install(hello, PIPELINE, stack)
    with pytest.raises(Exception, match=r"."):
        ask(app)
    (tmp_path / "place").unlink()
    try:
        assert ask(app) == b"hello"
    finally:
        stack.close()


def test_without_a_stack_it_is_the_pipeline_alone() -> None:
    """Nothing is opened where nothing was given."""
    assert ask(install(hello, Pipeline([]))) == b"hello"


FORKING = """
import os, sys
from pathlib import Path
from sqlalchemy import text
from postrmagic_core import Stack
from postrmagic_core.integrations.wsgi import install
from postrmagic_core.testing.capture import embedded_settings
from tests.integrations.apps import PIPELINE
from tests.integrations.test_wsgi import ask, hello

stack = Stack(embedded_settings(Path(sys.argv[1])))

def reading(environ, start_response):
    with stack.database.read() as unit:
        unit.execute(text("SELECT 1"))
    return hello(environ, start_response)

def tell(what):
    os.write(1, f"{what} {os.getpid()}\\n".encode())  # one write: lines of several processes stay whole

closed = stack._close
def telling():
    closed()
    tell("closed")
stack._close = telling
app = install(reading, PIPELINE, stack)
if sys.argv[2] == "parent first":
    ask(app)
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        ask(app)
        tell("served")
        sys.exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
if sys.argv[2] != "parent first":
    assert not stack.is_open
tell("parent")
"""


@pytest.mark.parametrize("order", ["children only", "parent first"])
def test_each_process_opens_and_closes_its_own(order: str, tmp_path: Path, migrated: Path) -> None:
    """Given a server that loads the application and forks, each child opens after the fork and closes at its exit.

    If the parent has served a request before, each still closes once.
    """
    shutil.copytree(migrated, tmp_path, dirs_exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKING, str(tmp_path), order],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    told = [line.split() for line in done.stdout.splitlines()]
    served = {process for word, process in told if word == "served"}
    (parent,) = (process for word, process in told if word == "parent")
    closed = sorted(process for word, process in told if word == "closed")
    assert len(served) == 2
    assert closed == sorted(served | ({parent} if order == "parent first" else set()))
    assert "Warning" not in done.stderr
