"""Of requests and jobs that nobody will ask about, few records are kept; of those that matter, all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core._work import working
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.log import Sampling, bind, get_logger
from postrmagic_core.log.records import Told
from postrmagic_core.log.sampling import ACCESS, BYTES, LINES, Sampler, chosen
from postrmagic_core.middleware import Pipeline
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.testing import FakeClock

log = get_logger("tests.sampling")


@pytest.fixture
def none(configured: Callable[..., Any]) -> Any:
    """A configuration that keeps the records of no request, unless it matters."""
    return configured(level="INFO", levels={"tests.sampling": "DEBUG"}, sampling=Sampling(share=0.0, slow=30.0))


def told(written: Any) -> list[str]:
    """The events that were written."""
    return [event["event"] for event in written.events]


def test_of_an_ordinary_job_nothing_is_written(none: Any) -> None:
    """And counted; what belongs to no job is written as ever."""
    written, handle = none
    with working("job"):
        log.info("a")
        log.debug("b")
    log.info("outside")
    assert told(written) == ["outside"]
    assert handle.metrics.counter("log_sampled_out_total").value == 2


def test_of_one_that_logs_an_error_everything_is_written_in_order(none: Any) -> None:
    """From the error on at once."""
    written, _ = none
    with working("job"):
        log.info("a")
        log.info("b")
        assert told(written) == []
        log.error("c")
        assert told(written) == ["a", "b", "c"]
        log.info("d")
        assert told(written) == ["a", "b", "c", "d"]


def test_a_warning_waits_for_nothing_and_is_no_reason(none: Any) -> None:
    """It is written at once, and the rest is not for its sake."""
    written, _ = none
    with working("job"):
        log.info("a")
        log.warning("w")
        assert told(written) == ["w"]
    assert told(written) == ["w"]


def test_of_one_that_raises_everything_is_written(none: Any) -> None:
    """Though who runs it logs the error only afterwards."""
    written, _ = none
    with contextlib.suppress(KeyError), working("job"):
        log.info("a")
        raise KeyError
    assert told(written) == ["a"]


def test_of_a_slow_one_everything_is_written() -> None:
    """By the time since its context was bound, not since its first record."""
    clock, lines = FakeClock(), list[bytes]()
    sampler = Sampler(Sampling(0.0, 2.0), Metrics(), lambda line, urgent: lines.append(line), clock.monotonic)
    for seconds in (1.9, 2.0):
        with working("job"):
            sampler.begin()
            clock.advance(seconds)
            sampler.take(str(seconds).encode(), Told(0, 20, "INFO", "x", "x", (), {}))
    assert lines == [b"2.0"]


def test_the_share_is_of_traces_and_alike_everywhere() -> None:
    """Chosen from the id: the same in each process, for the request and its jobs; the trace's goes before others'."""
    kept = [number for number in range(4000) if chosen({"trace_id": f"t{number}"}, 0.1)]
    assert 300 < len(kept) < 500
    assert all(chosen({"job_id": "j", "request_id": "r", "trace_id": f"t{number}"}, 0.1) for number in kept)
    assert all(chosen({"request_id": f"t{number}"}, 0.2) for number in kept)
    assert not any(chosen({"trace_id": f"t{number}"}, 0.0) for number in range(100))
    assert 0 < sum(chosen({}, 0.5) for _ in range(200)) < 200


def test_a_chosen_one_is_written_at_its_end(configured: Callable[..., Any]) -> None:
    """With context that came after its first record."""
    written, _ = configured(sampling=Sampling(share=0.5, slow=30.0))
    yes = next(f"t{number}" for number in range(100) if chosen({"trace_id": f"t{number}"}, 0.5))
    no = next(f"t{number}" for number in range(100) if not chosen({"trace_id": f"t{number}"}, 0.5))
    for trace, request in ((yes, no), (no, yes)):
        with working("request"), bind(request_id=request):
            log.info("a", of=trace)
            with bind(trace_id=trace):
                log.info("b", of=trace)
    assert [(event["event"], event["of"]) for event in written.events] == [("a", yes), ("b", yes)]


def test_what_waits_is_bounded(none: Any) -> None:
    """In lines and in bytes; the oldest go, and are counted."""
    written, handle = none
    with working("long"):
        for number in range(LINES + 7):
            log.info("n", number=number)
        log.error("now")
    assert [event["number"] for event in written.events[:-1]] == list(range(7, LINES + 7))
    assert handle.metrics.counter("log_sampled_out_total").value == 7
    with working("wide"):
        for number in range(100):
            log.info("n", number=number, filler="x" * 8000)
        log.error("now")
    wide = [event for event in written.events if "filler" in event]
    assert wide[-1]["number"] == 99
    assert 20 < len(wide) <= BYTES // 8000


def test_all_that_waits_is_bounded_too(none: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where very many wait, one that would wait no longer is decided early."""
    monkeypatch.setattr("postrmagic_core.log.sampling.ALL_BYTES", 10_000)
    written, handle = none
    with working("a"):
        log.info("x", filler="y" * 6000)
        with working("b"):
            log.info("x", filler="y" * 6000)
            assert handle.metrics.counter("log_sampled_out_total").value == 1
            log.error("late")
    assert told(written) == ["late"]


def test_threads_of_one_request_share_its_lines(none: Any) -> None:
    """Whichever fails, everything is written, each line once; what outlives the request is left out with it."""
    written, _ = none

    def write(worker: int) -> None:
        for number in range(50):
            log.info("n", of=(worker, number))

    with working("request"), ThreadPoolExecutor(8) as pool:
        for worker in range(8):
            context = copy_context()
            pool.submit(context.run, write, worker)
        pool.shutdown()
        log.error("failed")
    assert sorted(event["of"] for event in written.events[:-1]) == [[w, n] for w in range(8) for n in range(50)]
    ended = threading.Event()

    def outlive() -> None:
        ended.wait()
        log.info("late")

    with working("request"):
        log.info("early")
        later = threading.Thread(target=copy_context().run, args=(outlive,))
        later.start()
    ended.set()
    later.join()
    assert written.events[-1]["event"] == "failed"


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_does_not_write_what_waited_before(none: Any) -> None:
    """The parent does, once."""
    lines: list[bytes] = []
    sampler = Sampler(Sampling(0.0, 30.0), Metrics(), lambda line, urgent: lines.append(line), FakeClock().monotonic)
    with working("job"):
        sampler.take(b"before", Told(0, 20, "INFO", "x", "x", (), {}))
        if (child := os.fork()) == 0:  # pragma: no cover - runs in the child
            sampler.take(b"error", Told(0, 40, "ERROR", "x", "x", (), {}))
            os._exit(0 if lines == [b"error"] else 1)
        assert os.waitpid(child, 0)[1] == 0
        sampler.take(b"error", Told(0, 40, "ERROR", "x", "x", (), {}))
    assert lines == [b"before", b"error"]


def test_evidence_is_always_written(none: Any) -> None:
    """What the security room tells, at any level."""
    written, _ = none
    with working("request"):
        get_logger("postrmagic_core.security.logins").info("a login failed")
        get_logger("postrmagic_core.sessions").info("a session ended")
    assert len(written.events) == 2


async def served(path: str) -> None:
    """One request through the layers that log."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        log.info("working", path=path)
        if path == "/broken":
            raise KeyError(path)
        status = int(path[1:])
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "client": ("::1", 1)}
    layers = [request_id(), access_log(), errors()]
    await Pipeline(layers).asgi(app)(scope, receive, send)


def test_of_requests_those_that_fail_are_kept(none: Any) -> None:
    """By an exception or by their status: with all that was logged, the access record too."""
    written, _ = none
    for path in ("/200", "/404", "/503", "/broken"):
        asyncio.run(served(path))
    events = [(event["event"], event["path"]) for event in written.events]
    assert events == [
        ("working", "/503"),
        ("request", "/503"),
        ("working", "/broken"),
        ("request failed", "/broken"),
        ("request", "/broken"),
    ]
    assert len({event["request_id"] for event in written.events}) == 2


def test_a_request_that_a_layer_refused_is_kept(none: Any) -> None:
    """Its access record has the code of the refusal."""
    written, _ = none
    with working("request"):
        log.info("a")
        get_logger(ACCESS).info("request", status=403, code="access.denied", duration_ms=0.1)
    assert told(written) == ["a", "request"]


def test_a_share_beyond_one_is_refused() -> None:
    """It would be a mistake."""
    with pytest.raises(ConfigurationError, match="0 to 1"):
        Sampling(share=10)


def test_what_is_told_after_the_end_does_not_wait_for_it(none: Any) -> None:
    """A task that outlives its request: what it tells is left out like the rest, until it fails; then it is written."""
    written, handle = none
    with working("request"):
        log.info("early")
        late = copy_context()
    late.run(log.info, "late")
    late.run(log.error, "failed")
    late.run(log.info, "after")
    assert told(written) == ["failed", "after"]
    assert handle.metrics.counter("log_sampled_out_total").value == 2


def test_what_nobody_can_end_gives_its_room_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that were first heard after the end of their job do not take the room of others for good."""
    monkeypatch.setattr("postrmagic_core.log.sampling.ALL_BYTES", 10_000)
    lines, metrics = list[bytes](), Metrics()
    sampler = Sampler(Sampling(0.0, 30.0), metrics, lambda line, urgent: lines.append(line), FakeClock().monotonic)
    info, error = (Told(0, level, "X", "x", "x", (), {}) for level in (20, 40))
    for number in range(100):
        with working(number) as work:
            if number % 2:
                work.at_end(lambda _: None)  # something else is told of the end
            late = copy_context()
        del work
        late.run(sampler.take, b"late" * 250, info)
        del late
    with working("job"):
        sampler.take(b"what led to it", info)
        sampler.take(b"error", error)
    assert lines == [b"what led to it", b"error"]
    assert metrics.counter("log_sampled_out_total").value == 100
