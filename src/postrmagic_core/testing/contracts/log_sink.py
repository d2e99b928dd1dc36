"""What a log sink is, as tests: subclass :class:`LogSinkContract`, say where it writes and how to read it, and run it.

::

    class TestMySink(LogSinkContract):
        @pytest.fixture
        def outlet(self, my_server):
            return Outlet(open=lambda: MySink(my_server.url), read=my_server.lines, refuse=my_server.refusing)
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, suppress
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.log.interface import Sink
from postrmagic_core.log.writer import Writer

from ..waiting import until
from .applicable import Applicable
from .log_sink_rig import PROMPT, Outlet, ended, forked, numbered, whole, writer

_forks = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


class LogSinkContract(Applicable):
    """Every promise of :class:`~postrmagic_core.log.Sink`.

    A subclass supplies the fixture ``outlet``. ``not_applicable`` maps rows to the reason why the sink has no such
    thing; they show as skipped. ``failure``: it can be made to refuse; ``processes``: several may write at once.
    """

    rows: ClassVar[tuple[str, ...]] = ("failure", "processes")

    @pytest.fixture
    def outlet(self) -> Outlet:
        """Override: a place that nobody else writes to during the test."""
        raise NotImplementedError("supply a fixture `outlet`: an unused place for the sinks of each test")

    @pytest.fixture
    def sink(self, outlet: Outlet) -> Iterator[Sink]:
        """A sink on the outlet."""
        with closing(outlet.open()) as sink:
            yield sink

    def test_lines_arrive_whole_and_in_order(self, outlet: Outlet, sink: Sink) -> None:
        """Short ones, ones longer than any buffer, ones beyond ASCII: each once, nothing between them."""
        batches = [
            [b"{}"],
            numbered(500, 20, "short"),
            ["Grüße, 世界 \U0001f600".encode()],
            [b"x", *numbered(3, 5000, "page"), b"y"],
            [*numbered(2, 200_000, "long")],
        ]
        for batch in batches:
            whole(sink, tuple(batch))
        assert outlet.read() == [line for batch in batches for line in batch]

    def test_it_may_idle_at_any_time(self, outlet: Outlet, sink: Sink) -> None:
        """Before, between and after lines, without effect on them."""
        for line in numbered(3):
            sink.idle()
            whole(sink, [line])
        sink.idle()
        assert outlet.read() == numbered(3)

    def test_closing_is_final_and_may_be_repeated(self, outlet: Outlet) -> None:
        """What was written stays, nothing is added, no thread or descriptor is left."""
        descriptors = _descriptors()
        for line in numbered(5):
            sink = outlet.open()
            whole(sink, [line])
            sink.idle()
            sink.close()
            sink.close()
        assert outlet.read() == numbered(5)
        until(lambda: _descriptors() <= descriptors, "a descriptor was left open", PROMPT)

    def test_two_at_once(self, outlet: Outlet, sink: Sink) -> None:
        """What each writes is there in its order."""
        with closing(outlet.open()) as other:
            for first, second in zip(numbered(20, 0, "a"), numbered(20, 5000, "b"), strict=True):
                whole(sink, [first])
                whole(other, [second])
        _expect(outlet, a=numbered(20, 0, "a"), b=numbered(20, 5000, "b"))

    def test_threads_write_through_one_writer(self, outlet: Outlet, sink: Sink) -> None:
        """Eight of them, 200 lines each: all arrive, once, in the order of their thread."""
        lines = {f"t{number}": numbered(200, 300, f"t{number}") for number in range(8)}
        with closing(writer(sink)) as out:
            threads = [threading.Thread(target=_put_all, args=(out, each)) for each in lines.values()]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert out.flush(PROMPT)
            _expect(outlet, **lines)

    @pytest.mark.promise("failure")
    def test_a_refusal_is_an_os_error(self, outlet: Outlet, sink: Sink) -> None:
        """Soon, each time; what did not arrive is not found later, and then it works again."""
        whole(sink, [b"before"])
        with _refusal(outlet):
            for line in numbered(3, 2000, "lost"):
                began = time.monotonic()
                with pytest.raises(OSError):  # noqa: PT011 - which one is the sink's to say
                    whole(sink, [line])
                assert time.monotonic() - began < PROMPT
                with suppress(OSError):  # as the writer does, about once a second
                    sink.idle()
        whole(sink, [b"after"])
        assert outlet.read() == [b"before", b"after"]

    @pytest.mark.promise("failure")
    def test_what_is_urgent_survives_a_refusal(
        self, outlet: Outlet, sink: Sink, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It arrives once, after the record that tells how many others were dropped; standard error was told once."""
        metrics = Metrics()
        dropped = metrics.counter("log_dropped_total")
        with closing(writer(sink, metrics=metrics)) as out:
            with _refusal(outlet):
                for line in numbered(3, 0, "lost"):
                    out.put(line, False)
                    assert not out.flush(PROMPT)
                out.put(b"urgent", True)
                assert not out.flush(0.2)
                assert dropped.value == 3
            until(lambda: out.flush(0.5), "it did not heal", PROMPT)
            out.put(b"after", False)
            assert out.flush(PROMPT)
        told, *rest = outlet.read()
        assert b'"log output resumed"' in told
        assert b'"dropped": 3' in told
        assert rest == [b"urgent", b"after"]
        assert capsys.readouterr().err.count("\n") <= 1

    @_forks
    @pytest.mark.promise("processes")
    def test_processes_write_at_once(self, outlet: Outlet) -> None:
        """Four of them: all lines arrive whole, once, in the order of their process."""
        lines = {f"p{number}": numbered(100, 3000, f"p{number}") for number in range(4)}

        def write(mine: list[bytes]) -> None:
            with closing(outlet.open()) as sink, closing(writer(sink)) as out:
                _put_all(out, mine)
                assert out.flush(PROMPT)

        ended(*(forked(partial(write, mine)) for mine in lines.values()))
        _expect(outlet, **lines)

    @_forks
    @pytest.mark.promise("processes")
    def test_a_forked_child_writes_by_its_parent_s_sink(self, outlet: Outlet, sink: Sink) -> None:
        """Both go on with the sink that was opened before; what the parent had waiting arrives once."""
        with closing(writer(sink)) as out:
            _put_all(out, numbered(50, 0, "parent"))

            def write() -> None:
                _put_all(out, numbered(50, 0, "child"))
                assert out.flush(PROMPT)

            child = forked(write)
            _put_all(out, numbered(50, 0, "later"))
            ended(child)
            assert out.flush(PROMPT)
            names = {name: numbered(50, 0, name) for name in ("parent", "child", "later")}
            _expect(outlet, **names)


def _refusal(outlet: Outlet) -> AbstractContextManager[object]:
    if outlet.refuse is None:
        raise NotImplementedError("supply `refuse`, or say in `not_applicable` why there is no failure")
    return outlet.refuse()


def _put_all(out: Writer, lines: list[bytes]) -> None:
    for line in lines:
        assert out.put(line, False)


def _expect(outlet: Outlet, **lines: list[bytes]) -> None:
    read = outlet.read()
    assert Counter(read) == Counter(line for each in lines.values() for line in each)
    for name, each in lines.items():
        assert [line for line in read if line.startswith(f"{name}:".encode())] == each


def _descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))
