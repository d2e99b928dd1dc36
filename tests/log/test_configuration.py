"""One configuration at a time, for every logger there is."""

from __future__ import annotations

import asyncio
import contextvars
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import structlog

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.log import Sampling, bind, configure, get_logger, is_configured
from postrmagic_core.log.chain import Chain
from postrmagic_core.log.hooks import Hooks
from postrmagic_core.log.logger import ContextField
from postrmagic_core.testing.contracts.log_sink_rig import ended, forked

log = get_logger("tests.configuration")


def test_importing_changes_nothing() -> None:
    """Import has no effect on logging, structlog or the standard streams."""
    code = (
        "import logging, structlog; before = (logging.root.level, list(logging.root.handlers))\n"
        "import postrmagic_core.log\n"
        "assert (logging.root.level, list(logging.root.handlers)) == before\n"
        "assert not structlog.is_configured()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_closing_puts_back_what_was_there() -> None:
    """Level and handlers of the root logger, and structlog's defaults, are as before."""
    before = (logging.root.level, set(logging.root.handlers), structlog.is_configured())
    handle = configure(level="DEBUG", stream=io.StringIO())
    assert logging.root.level == logging.DEBUG
    handle.close()
    handle.close()
    assert (logging.root.level, set(logging.root.handlers), structlog.is_configured()) == before


def test_a_different_second_configuration_is_refused() -> None:
    """Two configurations cannot fight: the error says in what they differ."""
    with (
        configure(level="INFO", stream=io.StringIO()),
        pytest.raises(ConfigurationError, match="level is 'INFO', asked 'DEBUG'"),
    ):
        configure(level="DEBUG")


def test_an_equal_second_configuration_is_shared() -> None:
    """Two stacks with the same settings share one; it holds until the last handle is closed."""
    stream = io.StringIO()
    first, second = configure(stream=stream), configure(stream=stream)
    first.close()
    log.info("still")
    second.close()
    log.warning("no more")
    assert stream.getvalue().count("\n") == 1


def test_a_wrong_level_or_file_is_refused_at_once(tmp_path: Path) -> None:
    """What cannot work fails when configured, and leaves logging as it was."""
    before = set(logging.root.handlers)
    with pytest.raises(ConfigurationError, match="unknown log level 'LOUD'"):
        configure(level="LOUD")
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        configure(file=tmp_path)
    assert set(logging.root.handlers) == before
    with configure(stream=io.StringIO()):
        pass


def test_standard_and_foreign_loggers_take_the_same_chain(written: Any) -> None:
    """Records of the standard library, of structlog and of ours have the same shape and context."""
    with bind(request_id="r-1"):
        log.info("ours", n=1)
        logging.getLogger("third.party").info("theirs", extra={"n": 1})
        structlog.get_logger().info("structlog's", n=1)
    assert [set(event) for event in written.events] == [{"ts", "level", "logger", "event", "n", "request_id"}] * 3
    assert [event["logger"] for event in written.events] == ["tests.configuration", "third.party", __name__]


def test_levels_are_the_standard_librarys(configured: Callable[..., Any]) -> None:
    """A level set on a logger holds for ours of that name."""
    written, _ = configured(level="WARNING")
    log.info("too low")
    logging.getLogger("tests.configuration.chatty").setLevel(logging.DEBUG)
    get_logger("tests.configuration.chatty").debug("wanted")
    assert [event["event"] for event in written.events] == ["wanted"]


def test_every_method_has_its_level(written: Any) -> None:
    """The methods are the field's; `exception` adds the error being handled."""
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(log, name)("x %s", 1)
    log.log(25, "odd")
    try:
        raise KeyError("k")
    except KeyError as caught:
        log.exception("failed")
        log.info("as object", exc_info=caught)
    levels = [event["level"] for event in written.events]
    assert levels == ["debug", "info", "warning", "error", "critical", "level 25", "error", "info"]
    assert written.events[0]["event"] == "x 1"
    assert [event["exception"]["type"] for event in written.events[-2:]] == ["KeyError", "KeyError"]


def test_the_service_is_in_every_record(configured: Callable[..., Any]) -> None:
    """Given a service name, foreign records carry it too, and no field replaces it."""
    written, _ = configured(service="media")
    logging.getLogger("x").error("y", extra={"service": "forged"})
    assert (written.last["service"], written.last["extra_service"]) == ("media", "forged")


def test_bound_context_ends_with_its_block(written: Any) -> None:
    """Former values come back, also when the block fails."""
    with bind(request_id="outer"):
        with suppress(KeyError), bind(request_id="inner", job_id=1):
            log.info("inside")
            raise KeyError
        log.info("after")
    log.info("outside")
    shown = [(event.get("request_id"), event.get("job_id")) for event in written.events]
    assert shown == [("inner", 1), ("outer", None), (None, None)]


def test_tasks_inherit_the_context_and_threads_do_not(configured: Callable[..., Any]) -> None:
    """A task of the request carries its context; another thread has its own."""
    written, _ = configured(level="INFO")

    async def request() -> None:
        with bind(request_id="r-2"):
            await asyncio.gather(asyncio.create_task(child()), asyncio.to_thread(log.info, "carried"))
            thread = threading.Thread(target=log.info, args=("foreign",))
            thread.start()
            thread.join()

    async def child() -> None:
        log.info("child")

    asyncio.run(request())
    shown = {event["event"]: event.get("request_id") for event in written.events}
    assert shown == {"child": "r-2", "carried": "r-2", "foreign": None}


def test_a_block_may_end_in_another_context(written: Any) -> None:
    """Given a block whose end runs in a copied context, as a generator's may, it ends without an error."""
    block = bind(request_id="r-3")
    block.__enter__()
    contextvars.copy_context().run(block.__exit__, None, None, None)
    log.info("x")
    assert written.last["request_id"] == "r-3"
    structlog.contextvars.clear_contextvars()


def test_auto_is_json_where_nobody_watches(configured: Callable[..., Any]) -> None:
    """`auto` writes JSON to what is no terminal, and text to a terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    written, handle = configured(format="auto")
    log.info("x")
    assert written.last["event"] == "x"
    handle.close()
    terminal = Terminal()
    with configure(stream=terminal):
        log.info("x")
    assert "\x1b[" in terminal.getvalue()


def test_collecting_handlers_stay(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that keeps records in memory goes on: only what prints is set aside."""
    stream = io.StringIO()
    with configure(stream=stream):
        log.warning("seen twice")
    assert "seen twice" in caplog.messages
    assert "seen twice" in stream.getvalue()


def test_an_own_structlog_configuration_is_left_alone() -> None:
    """Given an application that configured structlog itself, its configuration stays."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    try:
        with configure(stream=io.StringIO()):
            assert len(structlog.get_config()["processors"]) == 1
        assert structlog.is_configured()
    finally:
        structlog.reset_defaults()


def test_before_configure_a_logger_does_what_the_standard_librarys_does(caplog: pytest.LogCaptureFixture) -> None:
    """Given nothing configured, warnings are records of the standard library, and fields are no part of their text."""
    log.info("too low")
    log.warning("reached %s", "me", password="p")
    assert caplog.messages == ["reached me"]


def test_a_bound_logger_keeps_its_fields(written: Any) -> None:
    """`bind` adds, `unbind` removes, and the logger it was called on stays as it was."""
    uploads = log.bind(user_id=7, step=1)
    uploads.info("a", step=2)
    uploads.unbind("step").info("b")
    log.info("c")
    shown = [(event.get("user_id"), event.get("step")) for event in written.events]
    assert shown == [(7, 2), (7, None), (None, None)]


def test_a_fields_own_value_wins_over_the_context(written: Any) -> None:
    """What a call says is nearer than what its surroundings say."""
    with bind(media_id=1):
        log.info("x", media_id=2)
    assert written.last["media_id"] == 2


def test_a_server_that_prints_by_itself_is_brought_in(tmp_path: Path) -> None:
    """Given a logger with a handler of its own that does not propagate, as servers have, its records come here."""
    server = logging.getLogger("tests.server")
    handler = logging.FileHandler(tmp_path / "own.log")
    server.addHandler(handler)
    server.propagate = False
    stream = io.StringIO()
    try:
        with configure(stream=stream):
            server.warning("GET /?token=abc123")
        server.warning("afterwards")
        assert "token=[redacted]" in stream.getvalue()
        assert (tmp_path / "own.log").read_text() == "afterwards\n"
    finally:
        server.removeHandler(handler)
        server.propagate = True
        handler.close()


def test_lines_are_counted(configured: Callable[..., Any]) -> None:
    """What was written, dropped, left out and not heard is told by the configuration's metrics."""
    _, handle = configured(repeats=1, sampling=Sampling(share=0.5))
    log.info("a")
    log.info("b")
    log.info("b")
    handle.flush()
    assert {name: value for name, _, value in handle.metrics.counters()} == {
        "log_lines_total": 2,
        "log_dropped_total": 0,
        "log_emergency_total": 0,
        "log_repeats_total": 1,
        "log_sampled_out_total": 0,
        "log_tap_errors_total": 0,
    }


def test_a_stack_can_be_asked_for(written: Any) -> None:
    """`stack_info=True` tells where the call was made, as lines."""
    logging.getLogger("x").info("here", stack_info=True)
    assert any("test_a_stack_can_be_asked_for" in line for line in written.last["stack"])


def test_threads_write_whole_lines(written: Any) -> None:
    """Given eight threads that log at once, each line parses and none is missing."""

    def write(thread: int) -> None:
        for number in range(100):
            log.info("n", thread=thread, number=number)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((e["thread"], e["number"]) for e in written.events) == [(n, i) for n in range(8) for i in range(100)]


def test_a_configuration_that_fails_half_way_is_taken_back() -> None:
    """Whatever raises: handlers, levels, hooks, structlog and SIGTERM are as before, and another one can be made."""

    def state() -> list[object]:
        hooks = (sys.excepthook, logging.Logger.addHandler, signal.getsignal(signal.SIGTERM))
        return [*hooks, logging.root.level, set(logging.root.handlers), structlog.is_configured(), is_configured()]

    before = state()
    with pytest.raises(ValueError, match=r"null (byte|character)"):
        configure(level="DEBUG", stream=io.StringIO(), levels_file="no\0path")
    assert state() == before
    with configure(stream=io.StringIO()):
        pass


def test_nothing_is_lost_where_no_thread_can_be_started(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a configuration that looks after something beside: it holds, and the first record is written."""

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    written, handle = configured(repeats=60)
    log.error("first")
    assert [event["event"] for event in written.events] == ["first"]
    assert handle.dropped == 0


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_child_forked_while_another_thread_closes_can_configure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock's holder did not come along; what it had not yet put back is put back, so that there is one chain."""
    parent, plain = os.getpid(), Hooks.close
    entered, gate = threading.Event(), threading.Event()

    def slow(hooks: Hooks) -> None:
        entered.set()
        if os.getpid() == parent:
            gate.wait(20)
        plain(hooks)

    def work() -> None:
        signal.alarm(10)
        with configure(file=tmp_path / "child.log"):
            assert sum(isinstance(handler, Chain) for handler in logging.root.handlers) == 1
            log.error("of the child")

    monkeypatch.setattr(Hooks, "close", slow)
    stream = io.StringIO()
    closing = threading.Thread(target=configure(stream=stream, format="json").close)
    closing.start()
    assert entered.wait(20)
    try:
        ended(forked(work))
    finally:
        gate.set()
        closing.join()
    assert (tmp_path / "child.log").read_text().count("of the child") == 1


def test_a_field_of_the_context_is_put_and_dropped(tmp_path: Path) -> None:
    """structlog's functions see a `ContextField`, other contexts do not; dropped it is gone."""
    field = ContextField("poster")
    with configure(file=tmp_path / "app.log", format="json"):
        for value in ("first", "second"):
            field.put(value)
            assert structlog.contextvars.get_contextvars()["poster"] == value
            get_logger("tests").info("shown")
        assert contextvars.Context().run(structlog.contextvars.get_contextvars) == {}
        field.drop()
        assert "poster" not in structlog.contextvars.get_contextvars()
        get_logger("tests").info("shown")
    shown = [json.loads(line).get("poster") for line in (tmp_path / "app.log").read_text().splitlines()]
    assert shown == ["first", "second", None]
