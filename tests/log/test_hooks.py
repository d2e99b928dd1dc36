"""Nothing passes by the chain: handlers that come later, exceptions that nobody caught, warnings."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import logging.handlers
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from typing import Any

import pytest
from rich.console import Console
from rich.logging import RichHandler

from postrmagic_core.log import configure
from postrmagic_core.log.aside import prints

CANARY = "c4n4ry-Xy7"
server = logging.getLogger("tests.hooks.server")


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Every test leaves the interpreter as it was."""
    names: list[tuple[Any, str]] = [(logging.Logger, name) for name in ("addHandler", "removeHandler", "callHandlers")]
    names += (
        (logging, "lastResort"),
        (sys, "excepthook"),
        (threading, "excepthook"),
        (sys, "unraisablehook"),
        (warnings, "showwarning"),
    )
    before = [getattr(module, name) for module, name in names]
    yield
    assert [getattr(module, name) for module, name in names] == before
    assert (server.handlers, server.propagate) == ([], True)


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process that logs JSON to its standard error."""
    start = "from postrmagic_core.log import configure, get_logger\nhandle = configure(format='json', service='shop')\n"
    command = [sys.executable, "-c", start + textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_handler_that_comes_later_is_set_aside(written: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The log says so once a logger; it is put back at the end, as is that the logger kept its records to itself."""
    own, other = logging.StreamHandler(sys.stdout), logging.StreamHandler()
    server.propagate = False
    for handler in (own, other, own):
        server.addHandler(handler)
    server.warning("GET /?token=%s", CANARY)
    assert CANARY not in written.text
    assert [event["event"] for event in written.events].count("GET /?token=[redacted]") == 1
    assert sum("set aside" in event["event"] for event in written.events) == 1
    server.removeHandler(other)
    written.handle.close()
    assert (server.handlers, server.propagate) == ([own], False)
    server.removeHandler(own)
    server.propagate = True
    assert CANARY not in "".join(capsys.readouterr())


def test_richs_handler_prints_too(written: Any) -> None:
    """Though it is no StreamHandler; one that writes into memory is let be."""
    printing, collecting = RichHandler(), RichHandler(console=Console(file=io.StringIO()))
    server.addHandler(printing)
    server.addHandler(collecting)
    assert server.handlers == [collecting]
    server.removeHandler(collecting)
    server.removeHandler(printing)


class Tee:
    """A stream without a descriptor, which may lead anywhere."""

    def write(self, text: str) -> int:
        """Somewhere."""
        return len(text)


NOWHERE = ("127.0.0.1", 9)
ELSEWHERE: dict[str, Callable[[], logging.Handler]] = {
    "file": lambda: logging.FileHandler("/dev/null", delay=True),
    "tee": lambda: logging.StreamHandler(Tee()),
    "syslog": lambda: logging.handlers.SysLogHandler(NOWHERE),
    "socket": lambda: logging.handlers.SocketHandler(*NOWHERE),
    "datagram": lambda: logging.handlers.DatagramHandler(*NOWHERE),
    "mail": lambda: logging.handlers.SMTPHandler(NOWHERE, "a@example.org", ["b@example.org"], "x"),
    "http": lambda: logging.handlers.HTTPHandler("127.0.0.1:9", "/"),
    "memory before a stream": lambda: logging.handlers.MemoryHandler(9, target=logging.StreamHandler(sys.stderr)),
}


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_a_handler_that_sends_elsewhere_is_set_aside(kind: str, configured: Callable[..., Any]) -> None:
    """What it sends would not be redacted; it comes back."""
    handler = ELSEWHERE[kind]()
    server.addHandler(handler)
    written, handle = configured()
    assert server.handlers == []
    server.warning("password=%s", CANARY)
    told = [event["event"] for event in written.events]
    assert told[-1] == "password=[redacted]"
    assert len(told) == 1 + (kind in {"syslog", "socket", "datagram", "mail", "http", "memory before a stream"})
    handle.close()
    assert server.handlers == [handler]
    server.removeHandler(handler)
    handler.close()


def test_a_handler_that_collects_stays() -> None:
    """In memory, by whatever means."""
    text = io.TextIOWrapper(io.BytesIO())
    collecting: list[logging.Handler] = [logging.StreamHandler(io.StringIO()), logging.StreamHandler(text)]
    collecting += [logging.NullHandler(), logging.handlers.BufferingHandler(9), logging.handlers.MemoryHandler(9)]
    assert not any(prints(handler) for handler in collecting)


def test_the_chain_comes_back_when_it_is_taken_away(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the next record, also of a logger whose handler does nothing; who empties the list comes to an end."""
    before, quiet = logging.root.handlers[:], logging.NullHandler()
    written, handle = configured()
    server.addHandler(quiet)
    try:
        for _ in range(2):
            while logging.root.handlers:
                logging.root.removeHandler(logging.root.handlers[-1])
            server.error("not lost")
        logging.root.removeHandler(logging.root.handlers[-1])
        ours: Any = logging.Logger.callHandlers
        monkeypatch.setattr(logging.Logger, "callHandlers", lambda *given: ours(*given))  # as an error tracker does
        for _ in range(2):
            server.error("not lost")
        assert [event["event"] for event in written.events] == ["not lost"] * 4
        monkeypatch.undo()
        server.error("not lost")
        assert len(written.events) == 5
    finally:
        handle.close()
        server.removeHandler(quiet)
        logging.root.handlers = before


def test_evidence_is_not_silenced_by_a_configuration_that_does_not_name_it() -> None:
    """`dictConfig` disables every logger that it does not name: ours are enabled at once, or within a second."""
    done = run(
        """
        import logging.config, time
        handle.close()
        handle = configure(format="json", repeats=60)
        security = logging.getLogger("postrmagic_core.security.logins")
        logging.config.dictConfig({"version": 1, "root": {"handlers": []}, "handlers": {}})
        logging.config.dictConfig(
            {"version": 1, "root": {"handlers": ["x"]}, "handlers": {"x": {"class": "logging.StreamHandler"}}}
        )
        security.warning("first")
        logging.config.dictConfig({"version": 1})
        while security.disabled:
            time.sleep(0.01)
        security.warning("second")
        """
    )
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert [event for event in events if "set aside" not in event] == ["first", "second"]


CONFIGURATIONS: dict[str, Callable[[], object]] = {
    "dictConfig": lambda: logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"print": {"class": "logging.StreamHandler"}},
            "root": {"handlers": ["print"]},
            "loggers": {server.name: {"handlers": ["print"], "propagate": False, "level": "INFO"}},
        }
    ),
    "basicConfig": lambda: logging.basicConfig(force=True),
    "by hand": lambda: list(map(logging.root.removeHandler, logging.root.handlers[:])),
}


@pytest.mark.parametrize("how", CONFIGURATIONS)
def test_whoever_configures_logging_later_gets_no_further(how: str) -> None:
    """Every record is written by the chain, once, and by nobody else."""
    before = logging.root.handlers[:]
    stream, printed = io.StringIO(), io.StringIO()
    try:
        with redirect_stderr(printed), configure(stream=stream, format="json"):
            CONFIGURATIONS[how]()
            server.warning("password=%s", CANARY)
            logging.getLogger("tests.hooks.other").error("password=%s", CANARY)
    finally:
        logging.root.handlers = before
        server.handlers, server.propagate = [], True
        server.setLevel(logging.NOTSET)
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert events.count("password=[redacted]") == 2
    assert CANARY not in printed.getvalue()


def test_an_exception_that_ends_the_program_is_a_record() -> None:
    """Critical, redacted, flushed; the status is the interpreter's."""
    done = run(f"def f():\n    local = '{CANARY}'\n    raise ValueError('token={CANARY}')\nf()")
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert (done.returncode, told["level"], told["event"]) == (1, "critical", "uncaught exception")
    assert (told["exception"]["message"], told["service"]) == ("token=[redacted]", "shop")


def test_a_keyboard_interrupt_stays_the_interpreters() -> None:
    """Who pressed Ctrl-C knows it."""
    done = run("raise KeyboardInterrupt")
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"


def test_a_hook_of_somebody_else_is_called_too_and_does_not_print() -> None:
    """As an error tracker's, which was there before and calls what it found there."""
    done = run(
        f"""
        handle.close()
        import sys
        def tracker(kind, error, tb):
            print("seen", kind.__name__)
            sys.__excepthook__(kind, error, tb)
        sys.excepthook = tracker
        configure(format="json")
        raise ValueError("token={CANARY}")
        """
    )
    assert done.stdout == "seen ValueError\n"
    assert CANARY not in done.stderr
    assert json.loads(done.stderr)["event"] == "uncaught exception"


def test_exceptions_of_threads_and_of_finalizers_are_records() -> None:
    """With the thread's name, and whose finalizer it was; without the object itself, which may show anything."""
    done = run(
        f"""
        import threading
        class Holder:
            def __repr__(self): return "{CANARY}"
            def __del__(self): raise ValueError("secret={CANARY}")
        Holder()
        def work(): raise LookupError("mysql://u:{CANARY}@h/")
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
        """
    )
    assert CANARY not in done.stderr
    first, second = map(json.loads, done.stderr.splitlines())
    assert (first["event"], first["exception"]["type"]) == ("exception ignored", "ValueError")
    assert first["where"].endswith("__del__")
    assert (second["event"], second["thread_name"]) == ("uncaught exception in a thread", "worker")


def test_a_warning_is_a_record() -> None:
    """With its category and place, and without the line of code, which may hold anything."""
    done = run(f"import warnings\nwarnings.warn('password={CANARY}', UserWarning)  # {CANARY}")
    (line,) = done.stderr.splitlines()
    told = json.loads(line)
    assert (told["level"], told["logger"], told["event"]) == ("warning", "py.warnings", "password=[redacted]")
    assert (told["category"], told["line"]) == ("UserWarning", 4)


def test_a_hook_put_over_ours_stays(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the configuration; ours then passes on to what was there before it."""
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    stream = io.StringIO()
    with configure(stream=stream, format="json"):
        ours: Any = sys.excepthook

        def over(*given: Any) -> None:
            ours(*given)

        sys.excepthook = over
    assert sys.excepthook is over
    over(ValueError, ValueError("told by the interpreter"), None)
    assert (stream.getvalue(), "told by the interpreter" in capsys.readouterr().err) == ("", True)
