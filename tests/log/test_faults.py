"""A full disk, a killed writer, a rotated file, a fork, a hostile object: the application goes on."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.log import LogHandle, configure, get_logger
from postrmagic_core.log.adapters.file import FileSink
from postrmagic_core.log.interface import Rotation
from postrmagic_core.testing.contracts.log_sink_rig import ended, forked, writer
from postrmagic_core.testing.servers import require
from postrmagic_core.testing.waiting import until
from tests.disks import Ballast
from tests.log.outlets import filled, lines_of

pytestmark = pytest.mark.fault

log = get_logger("tests.faults")


def events_of(path: Path) -> list[dict[str, Any]]:
    """Every line of the file and of those put aside, parsed."""
    return [json.loads(line) for line in lines_of(path)]


def run(code: str, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run ``code`` as a process of its own, by the command ``before``."""
    command = [*before, sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def healed(handle: LogHandle) -> None:
    """Wait until output works again."""
    until(lambda: handle.flush(0.5), "it did not heal")


def test_a_full_disk_drops_counts_and_heals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """L1: given a disk without room, records are dropped and counted, stderr says so once, and writing resumes."""
    path = tmp_path / "app.log"
    with configure(file=path) as handle:
        with filled(path):
            for number in range(3):
                log.info("lost", number=number)
                assert not handle.flush()
            log.error("urgent")
            assert not handle.flush(0.1)
            assert handle.dropped == 3
            complaint = capsys.readouterr().err
            assert complaint.count("\n") == 1
            assert os.strerror(errno.EFBIG) in complaint
        healed(handle)
        log.info("kept")
    told = [(event["event"], event.get("dropped")) for event in events_of(path)]
    assert told == [("log output resumed", 3), ("urgent", None), ("kept", None)]


def test_a_disk_filled_by_others_is_borne(small_disk: Path) -> None:
    """L1: given a file system without a free page while lines are written, none of ERROR is lost, twice or torn."""
    path = small_disk / "app.log"
    ballast = Ballast(small_disk, 40_000)
    with configure(file=path, rotation=Rotation(max_bytes=20_000, compress=False)) as handle:
        log.error("begun")
        assert handle.flush()
        ballast.load()
        for number in range(100):
            log.error("n", number=number, filler="x" * 1000)
            log.info("may be lost", filler="x" * 1000)
        assert not handle.flush(0.3)
        ballast.drop()
        healed(handle)
    numbers = [event["number"] for event in events_of(path) if event["event"] == "n"]
    assert numbers == list(range(100))


def test_a_half_written_line_is_blanked(tmp_path: Path) -> None:
    """L1: given a disk that takes half a line, nothing of it stays: what follows begins on a fresh line, once."""
    path = tmp_path / "app.log"
    with configure(file=path) as handle:
        with filled(path, 2000):
            log.info("first")
            assert handle.flush()
            log.error("y" * 4000)
            log.info("lost")
            assert not handle.flush(0.1)
            assert path.stat().st_size == 2000
            assert b"y" not in path.read_bytes()
        healed(handle)
        log.info("last")
    told = [event["event"] for event in events_of(path)]
    assert told == ["first", "log output resumed", "y" * 4000, "last"]


def test_of_a_batch_that_is_half_written_no_line_is_twice(tmp_path: Path) -> None:
    """L1: given room for some lines of one write, those count as written, the others are written once there is room."""
    path = tmp_path / "app.log"
    lines = [f"{number}:".encode().ljust(99, b".") for number in range(50)]
    with closing(FileSink(path)) as sink:
        with filled(path, 1234):
            assert sink.write(lines) == 12
            with pytest.raises(OSError, match="too large"):
                sink.write(lines[12:])
        assert sink.write(lines[12:]) == 38
    assert lines_of(path) == lines


@pytest.mark.parametrize("error", ["ENOSPC", pytest.param("EIO", marks=pytest.mark.soak)])
def test_an_error_of_the_disk_at_any_call_is_borne(error: str, tmp_path: Path) -> None:
    """L1: given a kernel that answers every fourth call with an error, each line of ERROR is there, once, in order."""
    strace = require(shutil.which("strace"), "strace makes system calls fail")
    path = tmp_path / "app.log"
    tracing = [strace, "-f", "--seccomp-bpf", "-qq", "-o", str(tmp_path / "trace"), "-P", str(path)]
    calls = ("write", "pread64", "fstat", "newfstatat")
    inject = [each for call in calls for each in ("-e", f"inject={call}:error={error}:when=4+4")]
    done = run(
        """
        import os, sys
        from postrmagic_core.log import configure, get_logger
        log = get_logger("x")
        with configure(file=sys.argv[1]) as handle:
            for number in range(12):
                log.error("n", number=number)
                handle.flush()
                if not number:
                    os.link(sys.argv[1], sys.argv[1] + ".same")  # another name: the faults are the log's alone
                other = os.open(sys.argv[1] + ".same", os.O_WRONLY | os.O_APPEND)
                os.write(other, b'{"event": "another process"}\\n')
                os.close(other)
        """,
        str(path),
        before=(*tracing, "-e", f"trace={','.join(calls)}", *inject),
    )
    assert done.returncode == 0, done.stderr
    trace = (tmp_path / "trace").read_text()
    assert all(f"{call}(" in trace for call in calls[:2])
    assert "(INJECTED)" in trace
    lines = [json.loads(line) for line in path.read_text().split("\n") if line.strip()]
    assert [event["number"] for event in lines if event["event"] == "n"] == list(range(12))
    assert "output failed" in done.stderr


def test_a_closed_stream_is_an_output_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """L1: a stream closed under us raises nothing in the application."""
    stream = io.StringIO()
    with configure(stream=stream) as handle:
        stream.close()
        log.info("lost")
        assert not handle.flush()
        assert handle.dropped == 1
    assert "output failed" in capsys.readouterr().err


def fill(pipe: int) -> None:
    """Write to a pipe that nobody reads until it takes no more."""
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, b"\n" * 4096)
    os.set_blocking(pipe, True)


@contextmanager
def reader() -> Iterator[tuple[Any, subprocess.Popen[bytes]]]:
    """A pipe that is full and whose reader is stopped, and counts what it read once it goes on."""
    command = [sys.executable, "-c", "import sys; print('up', flush=True); print(sys.stdin.read().count('urgent'))"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGSTOP)
        fill(process.stdin.fileno())
        try:
            with open(process.stdin.fileno(), "w", encoding="utf-8", closefd=False) as stream:
                yield stream, process
        finally:
            process.send_signal(signal.SIGCONT)
            process.stdin.close()


def test_a_stopped_reader_delays_nobody() -> None:
    """L2: given a pipe that nobody reads, a record takes less than a millisecond and waits in bounded memory."""
    with reader() as (stream, process), configure(stream=stream, format="json", backlog=1000) as handle:

        def waiting() -> float:
            return {name: value for name, _, value in handle.metrics.gauges()}["log_backlog"]

        log.info("the first")
        until(lambda: waiting() == 0, "the thread did not take it")  # and is not back until somebody reads
        seconds = []
        for number in range(6000):
            began = time.perf_counter()
            log.info("may be dropped", number=number, filler="x" * 100)
            seconds.append(time.perf_counter() - began)
        log.error("urgent")
        assert sorted(seconds)[int(0.99 * len(seconds))] < 0.001
        assert handle.dropped > 3000
        assert waiting() == 1001
        process.send_signal(signal.SIGCONT)
        assert handle.flush()
        handle.close()
        stream.close()
        assert process.stdin is not None
        process.stdin.close()
        assert process.stdout is not None
        assert process.stdout.read() == b"1\n"


def test_after_a_kill_the_next_start_begins_on_a_fresh_line(tmp_path: Path) -> None:
    """L3: given a file that ends in half a line, the next process ends it first; all lines written before are there."""
    path = tmp_path / "app.log"
    done = run(
        """
        import os, signal, sys
        from postrmagic_core.log import configure, get_logger
        log = get_logger("x")
        handle = configure(file=sys.argv[1])
        for number in range(100):
            log.info("n", number=number)
        assert handle.flush()
        os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND), b'{"half')
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        str(path),
    )
    assert done.returncode == -signal.SIGKILL
    with configure(file=path):
        log.info("again")
    *whole, half, again = lines_of(path)
    assert [json.loads(line)["number"] for line in whole] == list(range(100))
    assert half == b'{"half'
    assert json.loads(again)["event"] == "again"


def test_killed_in_the_midst_of_writing(tmp_path: Path) -> None:
    """L3: given kills at any moment, what was flushed is there, and of each process at most its last line is torn."""
    path = tmp_path / "app.log"
    for turn in range(5):
        told, tell = os.pipe()
        child = forked(partial(_write_until_killed, path, turn, tell))
        os.close(tell)
        flushed = int(os.read(told, 16))
        time.sleep(0.02 + 0.003 * turn)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        with closing(writer(FileSink(path))) as out:
            out.put(b'{"turn": %d, "after": true}' % turn, True)
        mine = [line for line in lines_of(path) if line.startswith(b'{"turn": %d' % turn)]
        parsed = [json.loads(line) for line in mine if line.endswith(b"}")]
        assert [event["number"] for event in parsed[:-1]] == list(range(len(parsed) - 1))
        assert len(parsed) > flushed
        assert parsed[-1]["after"]
        assert len(mine) - len(parsed) <= 1


def _write_until_killed(path: Path, turn: int, tell: int) -> None:
    out = writer(FileSink(path))
    for number in range(1_000_000):
        out.put(b'{"turn": %d, "number": %d, "x": "%s"}' % (turn, number, b"x" * 50_000), True)
        if number == 20:
            assert out.flush()
            os.write(tell, b"%d" % number)


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_lines_of_many_processes_never_mix(tmp_path: Path) -> None:
    """L4: 8 processes write 100 lines of more than 4 KiB each to one file: every line parses, none is missing."""
    path = tmp_path / "app.log"

    def work(number: int) -> None:
        with configure(file=path):
            _errors(number, 100)

    ended(*(forked(partial(work, number)) for number in range(8)))
    _expect_errors(path, dict.fromkeys(range(8), 100))


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.soak)])
def test_many_processes_rotate_at_once(count: int, tmp_path: Path) -> None:
    """L5: 8 processes rotate and compress all the time: every line of every file parses, each is there once."""
    path = tmp_path / "logs" / "app.log"
    rotation = Rotation(max_bytes=40_000, every="never", keep_files=10_000)

    def work(number: int) -> None:
        with configure(file=path, rotation=rotation) as handle:
            for first in range(0, count, 10):  # in batches of less than a file
                _errors(number, first + 10, first)
                assert handle.flush(20)

    ended(*(forked(partial(work, number)) for number in range(8)))
    asides = [file.name for file in path.parent.iterdir() if "Z-" in file.name]
    assert len({name.removesuffix(".gz") for name in asides}) > count // 10
    _expect_errors(path, dict.fromkeys(range(8), count))
    with closing(FileSink(path, rotation)) as sink:
        sink.idle()
        until(lambda: not any(file.name[-1].isdigit() for file in path.parent.iterdir()), "not all were compressed")
    _expect_errors(path, dict.fromkeys(range(8), count))


def _errors(process: int, count: int, first: int = 0) -> None:
    for number in range(first, count):
        log.error("n", process=process, number=number, filler=str(process) * 4200)


def _expect_errors(path: Path, counts: dict[int, int]) -> None:
    seen = [(event["process"], event["number"]) for event in events_of(path)]
    assert Counter(seen) == Counter((process, number) for process, count in counts.items() for number in range(count))


def test_a_renamed_file_is_followed_without_loss(tmp_path: Path) -> None:
    """L5: given a rotation by rename while threads write, every line is in one of the files."""
    path = tmp_path / "app.log"

    def write(writer: int) -> None:
        for number in range(200):
            log.error("n", writer=writer, number=number)
            time.sleep(0)

    with configure(file=path) as handle:
        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
        for thread in threads:
            thread.start()
        for turn in range(5):
            log.info("turned")
            assert handle.flush()
            path.rename(tmp_path / f"app.log.{turn}")
        for thread in threads:
            thread.join()
        log.info("turned")
        assert handle.flush()
        path.rename(tmp_path / "app.log.last")
        log.info("after")
        assert handle.flush()
        assert [line["event"] for line in events_of(path)] == ["after"]
    written = [json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    numbers = sorted((line["writer"], line["number"]) for line in written if line["event"] == "n")
    assert numbers == [(writer, number) for writer in range(3) for number in range(200)]


def test_a_truncated_file_goes_on_at_its_beginning(tmp_path: Path) -> None:
    """L5: given `copytruncate` of another program, lines after it follow each other without a gap."""
    path = tmp_path / "app.log"
    with configure(file=path) as handle:
        for turn in range(3):
            log.info("n", turn=turn)
            assert handle.flush()
            assert [event["turn"] for event in events_of(path)] == [turn]
            os.truncate(path, 0)


def test_a_removed_directory_is_an_output_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """L5: while a file cannot be opened again records are dropped and counted, but none of ERROR."""
    folder = tmp_path / "logs"
    with configure(file=folder / "app.log") as handle:
        (folder / "app.log").unlink()
        folder.rmdir()
        log.info("lost")
        log.error("urgent")
        assert not handle.flush(0.2)
        assert handle.dropped == 1
        folder.mkdir()
        healed(handle)
        log.info("kept")
    assert [line["event"] for line in events_of(folder / "app.log")] == ["log output resumed", "urgent", "kept"]
    assert capsys.readouterr().err.count("\n") == 1


def test_a_read_only_directory_neither_stops_nor_loses_anything(short_directory: Path) -> None:
    """L5: given no right to make files, the present one is appended to; once it is moved, errors wait for a new one."""
    short_directory.chmod(0o755)
    folder = short_directory / "logs"
    folder.mkdir()
    if os.getuid() == 0:
        os.chown(folder, 65534, 65534)

    def work() -> None:
        if os.getuid() == 0:  # whom no directory refuses anything
            os.setgid(65534)
            os.setuid(65534)
        path = folder / "app.log"
        with configure(file=path, rotation=Rotation(max_bytes=4096, compress=False)) as handle:
            folder.chmod(0o555)
            for number in range(100):
                log.error("n", number=number)
                assert handle.flush()
            assert [file.name for file in folder.iterdir() if "Z-" in file.name] == []
            folder.chmod(0o755)
            path.rename(folder / "moved")
            folder.chmod(0o555)
            log.error("n", number=100)
            assert not handle.flush(0.1)
            folder.chmod(0o755)
            healed(handle)

    ended(forked(work))
    told = [json.loads(line) for name in ("moved", "app.log") for line in (folder / name).read_text().splitlines()]
    assert [event["number"] for event in told if event["event"] == "n"] == list(range(101))
    refusals = [event["event"] for event in told if "cannot be put aside" in event["event"]]
    assert len(refusals) == 1


def test_closing_descriptors_leaves_none_behind(tmp_path: Path) -> None:
    """A hundred configurations and rotations leave no descriptor open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for turn in range(100):
        with configure(file=tmp_path / "app.log") as handle:
            log.info("x")
            assert handle.flush()
            (tmp_path / "app.log").rename(tmp_path / f"{turn}")
            log.info("y")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", ["file", "stream"])
def test_forks_while_another_thread_logs(kind: str, tmp_path: Path) -> None:
    """L6: given forks while a thread is writing, each child logs, and all lines of all processes are there once."""
    path = tmp_path / "app.log"
    go_on = True
    numbers = 0

    def load() -> None:
        nonlocal numbers
        while go_on:
            log.error("parent", number=numbers)
            numbers += 1
            time.sleep(0)

    def work(child: int) -> None:
        signal.alarm(10)
        log.error("child", number=child)
        assert handle.flush(5)

    with path.open("a", encoding="utf-8") as stream:
        out: dict[str, Any] = {"file": path} if kind == "file" else {"stream": stream, "format": "json"}
        with configure(**out) as handle:
            thread = threading.Thread(target=load)
            thread.start()
            try:
                for child in range(20):
                    ended(forked(partial(work, child)))
            finally:
                go_on = False
                thread.join()
    told = events_of(path)
    assert [event["number"] for event in told if event["event"] == "child"] == list(range(20))
    assert [event["number"] for event in told if event["event"] == "parent"] == list(range(numbers))


class Hostile:
    """Raises whatever it is told to when shown."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __repr__(self) -> str:
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("x"), RecursionError(), MemoryError()], ids=repr)
def test_an_object_that_cannot_be_shown_is_told_so(error: Exception, written: Any, alone: Any) -> None:
    """L7: given a `__repr__` that raises, in a field or an argument, the record is written without it."""
    log.info("field", value=Hostile(error), more=1)
    with alone():
        logging.getLogger("x").info("argument %r", Hostile(error))
    field, argument = written.events
    assert field["value"] == f"[unprintable Hostile: {type(error).__name__}]"
    assert field["more"] == 1
    assert argument["event"] == f"argument %r [unformatted: {type(error).__name__}]"


@pytest.mark.parametrize("logger", [log, logging.getLogger("tests.faults")], ids=["ours", "standard"])
def test_no_error_is_lost_at_the_end_of_the_stack(logger: Any, configured: Callable[..., Any], alone: Any) -> None:
    """L7: given calls as deep as they go, each ERROR that a call told is there, or that there was one."""
    written, handle = configured(service="media", backlog=5000)
    deepest = 0

    def down(number: int) -> None:
        nonlocal deepest
        logger.error("at %d", number)
        deepest = number
        down(number + 1)

    with alone(), suppress(RecursionError):
        down(1)
    events = [event for event in written.events if event["level"] == "error"]
    assert len(events) >= deepest > 100
    assert handle.dropped == 0
    assert {(event["service"], event["ts"][:2]) for event in events} == {("media", "20")}
    assert {event["logger"] for event in events} <= {"tests.faults", "postrmagic_core.log"}


def test_a_record_that_cannot_be_written_says_whose_it_was(configured: Callable[..., Any]) -> None:
    """L7: given a record whose time is none, one is told in its place; on the console too."""
    for form in ("json", "console"):
        written, handle = configured(service="media", format=form)
        given = {"name": "made.by.hand", "levelno": 40, "levelname": "ERROR", "msg": "x", "created": None}
        logging.root.handlers[-1].handle(logging.makeLogRecord(given))
        given["levelno"] = None
        logging.root.handlers[-1].handle(logging.makeLogRecord(given))
        first, second = written.lines
        handle.close()
        assert all(part in first for part in ("made.by.hand", "unwritable record: TypeError", "media"))
        assert all(part in second for part in ("postrmagic_core.log", "unwritable record", "media"))
        assert all(re.search(r"\d\d:\d\d:\d\d\.\d\d\d", line) for line in (first, second))


def test_a_record_made_while_writing_another_is_counted(configured: Callable[..., Any]) -> None:
    """L7: given a `__repr__` that logs, there is no recursion: the outer record is written, the inner one counted."""

    class Talkative:
        def __repr__(self) -> str:
            log.info("inner", value=self)
            return "talkative"

    written, handle = configured()
    log.info("outer", value=Talkative())
    assert [event["value"] for event in written.events] == ["talkative"]
    assert handle.dropped == 1


def test_containers_that_break_are_contained(written: Any) -> None:
    """L7: containers that lie, circles, and numbers JSON lacks leave a line that parses."""

    class Liar(dict[str, int]):
        def items(self) -> Any:
            raise KeyError("no")

    circle: list[object] = []
    circle.append(circle)
    log.info("x", liar=Liar(a=1), circle=circle, big=10**5000, nan=float("nan"), **{"odd key": {(1, 2): 3}})
    assert written.last["liar"] == "[unprintable Liar: KeyError]"
    assert written.last["big"] == "[large number]"
    assert written.last["nan"] == "nan"
    assert written.last["odd key"] == {"(1, 2)": 3}


def test_wrong_arguments_are_contained(written: Any, alone: Any) -> None:
    """L7: a message whose arguments do not fit, or that is no text, is kept."""
    with alone():
        logging.getLogger("x").info("%d things", "no")
        logging.getLogger("x").info(Hostile(ValueError()))
    assert [event["event"] for event in written.events] == [
        "%d things [unformatted: TypeError]",
        "[Hostile] [unformatted: ValueError]",
    ]


def test_an_exception_that_cannot_be_shown_is_told_so(written: Any) -> None:
    """L7: an exception whose `__str__` raises still has its type and its frames."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError

    try:
        raise Broken
    except Broken:
        log.exception("x")
    assert written.last["exception"]["message"] == "[unprintable: ValueError]"
