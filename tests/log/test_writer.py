"""The writer: what it takes, what it drops, who waits, and what becomes of it all when the process ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.log import writer as writer_module
from postrmagic_core.log.adapters.memory import MemorySink
from postrmagic_core.log.adapters.stream import StreamSink
from postrmagic_core.log.writer import Writer
from postrmagic_core.testing.contracts.log_sink_rig import ended, forked, notice, numbered
from postrmagic_core.testing.waiting import until


class Gated(MemorySink):
    """Takes nothing while its gate is closed; then at most ``at_once`` lines a time, and fails as often as told."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.batches: list[int] = []
        self.at_once = 1_000_000
        self.failures: list[BaseException] = []

    def write(self, lines: Sequence[bytes]) -> int:
        """As said above."""
        self.entered.set()
        self.gate.wait(20)
        if self.failures:
            raise self.failures.pop(0)
        self.batches.append(len(lines))
        return super().write(lines[: self.at_once])


class Case:
    """A writer on such a sink, and its figures."""

    def __init__(self, backlog: int) -> None:
        self.metrics = Metrics()
        self.sink = Gated()
        self.out = Writer(self.sink, self.metrics, backlog=backlog, render_notice=notice)

    def count(self, name: str) -> int:
        """A counter's value."""
        return self.metrics.counter(name).value

    def stall(self) -> None:
        """Have the thread kept by the sink, with one line."""
        self.sink.gate.clear()
        self.out.put(b"stalled", False)
        assert self.sink.entered.wait(20)

    @property
    def lines(self) -> list[bytes]:
        """What arrived but notices."""
        return [line for line in self.sink.lines if b"notice" not in line]

    @property
    def notices(self) -> list[bytes]:
        """What the writer said itself."""
        return [line for line in self.sink.lines if b"notice" in line]


@pytest.fixture
def make() -> Iterator[Callable[..., Case]]:
    """Makes cases, closed after the test."""
    cases: list[Case] = []

    def one(backlog: int = 100) -> Case:
        cases.append(Case(backlog))
        return cases[-1]

    yield one
    for case in cases:
        case.sink.gate.set()
        case.out.close()


def test_a_full_backlog_drops_and_counts_what_is_not_urgent(make: Callable[..., Case]) -> None:
    """L2: given a stalled sink, 100 lines wait, the others are counted; urgent ones all wait, in their order."""
    case = make()
    case.stall()
    kept = [line for line in numbered(150) if case.out.put(line, False)]
    assert kept == numbered(150)[:100]
    assert case.out.full
    case.out.drop()
    assert all(case.out.put(line, True) for line in numbered(50, 0, "urgent"))
    assert case.count("log_dropped_total") == 51
    assert [value for name, _, value in case.metrics.gauges() if name == "log_backlog"] == [150.0]
    case.sink.gate.set()
    assert case.out.flush()
    assert case.lines == [b"stalled", *kept, *numbered(50, 0, "urgent")]
    case.out.put(b"later", False)
    case.out.close()
    assert case.notices == [notice({"level": "warning", "event": "log output resumed", "dropped": 51})]
    assert case.count("log_lines_total") == len(case.lines)


def test_the_bytes_that_wait_are_bounded_too(make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """L2: given long lines, what is not urgent is dropped long before a thousand of them wait."""
    monkeypatch.setattr(writer_module, "LARGE_BYTES", 100_000)
    case = make(1000)
    case.stall()
    assert sum(case.out.put(line, False) for line in numbered(50, 10_000)) == 10
    assert case.out.put(b"short", False)
    case.sink.gate.set()
    assert case.out.flush()
    assert all(case.out.put(line, False) for line in numbered(10, 10_000))


def test_only_urgent_lines_beyond_all_room_wait_and_then_go_to_stderr(
    make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """L2: given 64 MiB of errors that wait, the next caller waits once, then standard error has it; none is lost."""
    monkeypatch.setattr(writer_module, "URGENT_BYTES", 10_000)
    monkeypatch.setattr(writer_module, "PATIENCE", 1.0)
    case = make()
    case.stall()
    began = time.monotonic()
    assert all(case.out.put(line, True) for line in numbered(12, 1000))
    assert 1.0 <= time.monotonic() - began < 2.0, "one waits, the next does not"
    assert capfd.readouterr().err.encode().split() == numbered(12, 1000)[10:]
    assert case.count("log_emergency_total") == 2
    assert case.count("log_dropped_total") == 0
    threading.Timer(0.1, case.sink.gate.set).start()
    assert case.out.flush()
    assert case.out.put(b"again", True)
    assert case.out.flush()
    assert case.lines == [b"stalled", *numbered(12, 1000)[:10], b"again"]


def test_a_waiting_caller_goes_on_when_there_is_room(
    make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """L2: given a sink that takes lines again, who waits is through at once and its line is in its place."""
    monkeypatch.setattr(writer_module, "URGENT_BYTES", 5000)
    case = make()
    case.stall()
    threading.Timer(0.2, case.sink.gate.set).start()
    assert all(case.out.put(line, True) for line in numbered(30, 1000))
    assert case.out.flush()
    assert case.lines == [b"stalled", *numbered(30, 1000)]
    assert case.count("log_emergency_total") == 0


def test_lines_are_gathered(make: Callable[..., Case]) -> None:
    """A thousand lines of a loop reach the sink in few calls; a single one does soon, without a flush."""
    case = make(10_000)
    for line in numbered(1000):
        case.out.put(line, False)
    assert case.out.flush()
    assert case.lines == numbered(1000)
    assert len(case.sink.batches) < 100
    case.out.put(b"alone", False)
    until(lambda: case.lines[-1] == b"alone", timeout=2)


def test_what_a_failing_sink_is_given_again(make: Callable[..., Case], capfd: pytest.CaptureFixture[str]) -> None:
    """L1: given failures of any kind and partial writes, urgent lines arrive once, the others or their number do."""
    case = make()
    case.sink.at_once = 2
    case.sink.gate.clear()
    for number, line in enumerate(numbered(9)):
        case.out.put(line, urgent=number % 3 == 0)
    case.sink.failures = [OSError(5, "Input/output error"), RuntimeError("a fault of its own"), OSError("again")]
    case.sink.gate.set()
    until(lambda: case.out.flush(0.5))
    assert case.lines == numbered(9)[::3]
    assert case.notices == [notice({"level": "warning", "event": "log output resumed", "dropped": 6})]
    assert case.count("log_dropped_total") == 6
    assert capfd.readouterr().err == (
        "postrmagic_core.log: output failed (Input/output error); dropping records until it heals\n"
    )


def test_why_a_sink_failed_is_told_without_a_secret(
    make: Callable[..., Case], capfd: pytest.CaptureFixture[str]
) -> None:
    """L1: given an error that tells the sink's address, standard error has one line, and no password."""
    case = make()
    case.sink.failures = [OSError("https://svc:c4n4ry@loki/push refused\n{forged} password=c4n4ry")]
    case.out.put(b"urgent", True)
    until(lambda: case.out.flush(0.5))
    told = capfd.readouterr().err
    assert told.count("\n") == 1
    assert "[redacted]@loki/push refused\\n{forged}" in told
    assert "c4n4ry" not in told


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_nothing_that_a_sink_raises_ends_the_thread(make: Callable[..., Case], error: BaseException) -> None:
    """L1: given what ends a program, the thread goes on, and the urgent line arrives."""
    case = make()
    case.sink.failures = [error]
    case.out.put(b"urgent", True)
    until(lambda: case.out.flush(0.5))
    assert case.lines == [b"urgent"]


def test_what_is_urgent_reaches_a_standard_error_that_was_closed(capfd: pytest.CaptureFixture[str]) -> None:
    """L1: given lines that come after the end, they are there as for any other sink; refused ones are counted."""
    metrics = Metrics()
    out = Writer(StreamSink(), metrics, render_notice=notice)
    out.put(b"in time", True)
    out.close()
    assert out.put(b"late", True)
    assert capfd.readouterr().err == "in time\nlate\n"
    refusing = Refusing()
    out = Writer(refusing, metrics, render_notice=notice)
    out.put(b"urgent", True)
    out.close(0.2)
    assert not out.put(b"late", True)
    assert capfd.readouterr().err == ""
    assert metrics.counter("log_dropped_total").value == 2


class Refusing(StreamSink):
    """Standard error, which takes nothing."""

    def write(self, lines: Sequence[bytes]) -> int:
        """As a full disk."""
        raise OSError(28, "No space left on device")


def test_a_thread_that_began_at_the_end_of_the_stack_is_the_only_one(
    make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """L7: given that its start raised though it runs, it is the one who writes, and lines are in order."""
    case, writers, before = make(), set[str](), set(threading.enumerate())
    begin, plain = threading.Thread.start, case.sink.write

    def start(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", begin)
        begin(thread)
        raise RecursionError

    def write(lines: Sequence[bytes]) -> int:
        writers.add(threading.current_thread().name)
        return plain(lines)

    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(case.sink, "write", write)
    case.out.put_bare(b"first")
    for line in numbered(20):
        case.out.put(line, True)
    assert case.out.flush()
    assert case.lines == [b"first", *numbered(20)]
    assert writers == {"postrmagic-log"}

    def begun() -> int:  # a second one, which finds itself not wanted, may still be ending
        return sum(thread.name == "postrmagic-log" for thread in set(threading.enumerate()) - before)

    until(lambda: begun() == 1)


@pytest.mark.parametrize("answer", [0, -1, None, 2])
def test_a_sink_that_tells_nonsense_fails(
    make: Callable[..., Case], answer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L1: a number of lines that cannot be is a failure, not a loop and not the end of the thread."""
    case = make()
    with monkeypatch.context() as patched:
        patched.setattr(case.sink, "write", lambda _: answer)
        case.out.put(b"lost", False)
        assert not case.out.flush(2)
    case.out.put(b"kept", True)
    until(lambda: case.out.flush(0.5))
    assert case.lines == [b"kept"]


def test_a_flush_has_a_limit_and_none_is_needed_for_nothing(make: Callable[..., Case]) -> None:
    """Given a stalled sink it says so in time; a writer that was never used has no thread to ask."""
    case = make()
    before = threading.active_count()
    assert case.out.flush(0)
    assert threading.active_count() == before
    case.stall()
    began = time.monotonic()
    assert not case.out.flush(0.2)
    assert 0.2 <= time.monotonic() - began < 2
    case.sink.gate.set()
    assert case.out.flush()


def test_closing_gives_what_is_refused_to_stderr(make: Callable[..., Case], capfd: pytest.CaptureFixture[str]) -> None:
    """L1: given a sink that fails to the end, urgent lines are on standard error, once; later ones too."""
    case = make()
    case.sink.failures = [OSError(28, "No space left on device")] * 1000
    case.out.put(b"ordinary", False)
    case.out.put(b"urgent", True)
    case.out.close(0.3)
    case.out.close()
    assert case.out.put(b"late and urgent", True)
    assert not case.out.put(b"late", False)
    assert not case.out.flush()
    assert capfd.readouterr().err.split("\n")[1:] == ["urgent", "late and urgent", ""]
    assert (case.count("log_dropped_total"), case.count("log_emergency_total"), case.lines) == (2, 2, [])


def test_closing_does_not_wait_for_a_sink_that_hangs(
    make: Callable[..., Case], capfd: pytest.CaptureFixture[str]
) -> None:
    """L2: given a write that does not return, closing ends in its time, and what is urgent is on standard error."""
    case = make()
    case.stall()
    case.out.put(b"urgent", True)
    began = time.monotonic()
    case.out.close(0.3)
    assert time.monotonic() - began < 2
    assert capfd.readouterr().err == "urgent\n"


def test_a_signal_s_handler_may_log_whatever_was_going_on(make: Callable[..., Case]) -> None:
    """L6: given a handler that logs in the middle of logging, nothing hangs and each line arrives once."""
    case = make(1_000_000)
    rung: list[bytes] = []

    def ring(*_: object) -> None:
        rung.append(f"rung:{len(rung)}".encode())
        case.out.put(rung[-1], urgent=len(rung) % 2 == 0)

    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0005)
    put = 0
    try:
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            case.out.put(f"put:{put}".encode(), urgent=put % 3 == 0)
            put += 1
            if put % 1000 == 0:
                case.out.drop()
                case.out.flush()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert case.out.flush()
    assert len(rung) > 10
    assert sorted(line for line in case.lines if line.startswith(b"rung")) == sorted(rung)
    assert [line for line in case.lines if line.startswith(b"put")] == [f"put:{n}".encode() for n in range(put)]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_has_neither_backlog_nor_locks_of_its_parent(make: Callable[..., Case]) -> None:
    """L6: given a fork while lines wait and a thread holds every lock, the child's line is all that it writes."""
    case = make()
    case.stall()
    case.out.put(b"the parent's", True)
    locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        with case.out._changed:
            locked.set()
            release.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(20)

    def work() -> None:
        signal.alarm(5)
        case.sink.gate = threading.Event()
        case.sink.gate.set()
        case.out.put(b"the child's", True)
        assert case.out.flush()
        assert case.lines == [b"the child's"]

    child = forked(work)
    release.set()
    holder.join()
    ended(child)
    case.sink.gate.set()
    assert case.out.flush()
    assert case.lines == [b"stalled", b"the parent's"]


def test_without_a_thread_callers_write_themselves(make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no thread can be started (the interpreter ends), lines are written at once, one that the sink logs too."""
    case = make()

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    plain = case.sink.write

    def talkative(lines: Sequence[bytes]) -> int:
        if lines[0] == b"first":
            case.out.put(b"of the sink", True)
        return plain(lines)

    monkeypatch.setattr(case.sink, "write", talkative)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    case.out.put(b"first", False)
    assert case.lines == [b"first"]
    case.out.put(b"second", True)
    assert case.lines == [b"first", b"of the sink", b"second"]
    assert case.out.flush()


BEGIN = """
    from postrmagic_core.testing.faults import apply_from_environment
    apply_from_environment()
    import os, signal, sys, time, json
    from pathlib import Path
    from postrmagic_core._metrics import Metrics
    from postrmagic_core.log.adapters.file import FileSink
    from postrmagic_core.log.writer import Writer

    out = Writer(FileSink(Path(sys.argv[1])), Metrics(), render_notice=lambda told: json.dumps(told).encode())
"""


def _run(code: str, path: Path, *, returncode: int = 0, stdin: int | None = None) -> str:
    command = [sys.executable, "-c", textwrap.dedent(BEGIN) + textwrap.dedent(code), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == returncode, done.stderr
    return done.stderr


def test_what_waits_is_written_at_exit(tmp_path: Path) -> None:
    """Given a process that just ends, all is written, also by what runs at exit and by multiprocessing's children."""
    path = tmp_path / "app.log"
    _run(
        """
        import atexit, multiprocessing

        def child():
            for number in range(500):
                out.put(b"child", False)

        atexit.register(out.put, b"later registered", False)
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        process.join()
        for number in range(500):
            out.put(b"main", False)
        """,
        path,
    )
    lines = path.read_text().split()
    assert (lines.count("child"), lines.count("main")) == (500, 500)
    assert "registered" in lines


def test_sigterm_writes_what_waits_and_kills(tmp_path: Path) -> None:
    """Given SIGTERM under load, each line that was put is written whole, and the process dies of the signal."""
    path = tmp_path / "app.log"
    told = _run(
        """
        import threading
        number = 0

        def load():
            global number
            while True:
                out.put(b"%d" % number, True)
                number += 1
                time.sleep(0)

        thread = threading.Thread(target=load, daemon=True)
        thread.start()
        time.sleep(0.2)
        sys.stderr.write(f"{number}\\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGTERM)
        """,
        path,
        returncode=-signal.SIGTERM,
    )
    numbers = [int(line) for line in path.read_text().split("\n")[:-1]]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= int(told) > 0


def test_a_handler_of_the_application_is_left_alone(tmp_path: Path) -> None:
    """Given a handler for SIGTERM, before or after, it stays; closed, the signal has its default action again."""
    _run(
        """
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        out.close()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

        def mine(*_):
            sys.exit(0)

        signal.signal(signal.SIGTERM, mine)
        again = Writer(FileSink(Path(sys.argv[1])), Metrics(), render_notice=bytes)
        assert signal.getsignal(signal.SIGTERM) is mine
        again.put(b"x", False)
        os.kill(os.getpid(), signal.SIGTERM)
        """,
        tmp_path / "app.log",
    )
    assert (tmp_path / "app.log").read_text() == "x\n"


def test_nothing_of_a_closed_writer_stays(make: Callable[..., Case]) -> None:
    """Its thread ends, and so do those of a hundred others."""
    before = set(Path("/proc/self/task").iterdir())
    for _ in range(100):
        case = make()
        case.out.put(b"x", False)
        case.out.close()
        assert case.lines == [b"x"]
    until(lambda: set(Path("/proc/self/task").iterdir()) <= before, "a thread was left")
