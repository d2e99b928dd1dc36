"""A full disk, a killed writer, a rotated file, a fork, a hostile object: the application goes on."""

from __future__ import annotations

import errno
import io
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.log import configure, get_logger
from postrmagic_core.log.adapters.file import FileSink
from postrmagic_core.log.adapters.stream import StreamSink

pytestmark = pytest.mark.fault

log = get_logger("tests.faults")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Every line of the file, parsed."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` as a process of its own."""
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_full_disk_drops_counts_and_heals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """L1: given ENOSPC, records are dropped and counted, stderr says so once, and writing resumes by itself."""
    path = tmp_path / "app.log"
    path.symlink_to("/dev/full")
    with configure(file=path) as handle:
        for number in range(3):
            log.info("lost", number=number)
        assert handle.dropped == 3
        complaint = capsys.readouterr().err
        assert complaint.count("\n") == 1
        assert os.strerror(errno.ENOSPC) in complaint
        path.unlink()
        log.info("kept")
    resumed, kept = lines_of(path)
    assert (resumed["event"], resumed["dropped"], kept["event"]) == ("log output resumed", 3, "kept")


def test_a_half_written_line_is_ended_before_the_next(tmp_path: Path) -> None:
    """L1: given a disk that takes half a line, what follows after space is found begins on a fresh line."""
    path = tmp_path / "app.log"
    done = run(
        """
        import resource, sys
        from postrmagic_core.log import configure, get_logger
        log = get_logger("x")
        with configure(file=sys.argv[1]) as handle:
            log.info("first")
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
            log.info("y" * 4000)
            assert handle.dropped == 1
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            log.info("last")
        """,
        str(path),
    )
    assert done.returncode == 0, done.stderr
    first, half, *rest = path.read_text().split("\n")[:-1]
    assert json.loads(first)["event"] == "first"
    assert len(first) + 1 + len(half) == 2000
    assert [json.loads(line)["event"] for line in rest] == ["log output resumed", "last"]


def test_a_closed_stream_is_an_output_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """L1: a stream closed under us raises nothing in the application."""
    stream = io.StringIO()
    with configure(stream=stream) as handle:
        stream.close()
        log.info("lost")
        assert handle.dropped == 1
    assert "output failed" in capsys.readouterr().err


def test_after_a_kill_the_next_start_begins_on_a_fresh_line(tmp_path: Path) -> None:
    """L3: given a file that ends in half a line, the next process ends it first; all lines written before are there."""
    path = tmp_path / "app.log"
    done = run(
        """
        import os, signal, sys
        from postrmagic_core.log import configure, get_logger
        log = get_logger("x")
        configure(file=sys.argv[1])
        for number in range(100):
            log.info("n", number=number)
        os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND), b'{"half')
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        str(path),
    )
    assert done.returncode == -signal.SIGKILL
    with configure(file=path):
        log.info("again")
    *whole, half, again = path.read_text().split("\n")[:-1]
    assert [json.loads(line)["number"] for line in whole] == list(range(100))
    assert half == '{"half'
    assert json.loads(again)["event"] == "again"


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_lines_of_many_processes_never_mix(tmp_path: Path) -> None:
    """L4: 4 processes write 500 lines of more than 4 KiB each to one file: every line parses, none is missing."""
    path = tmp_path / "app.log"
    ready, go = os.pipe()
    writers = []
    for writer in range(4):
        child = os.fork()
        if child == 0:  # pragma: no cover - runs in the child
            os.close(go)
            with configure(file=path):
                os.read(ready, 1)  # ends when the parent closes its side: all start together
                for number in range(500):
                    log.info("n", writer=writer, number=number, filler=str(writer) * 4200)
            os._exit(0)
        writers.append(child)
    os.close(ready)
    os.close(go)
    assert [os.waitpid(child, 0)[1] for child in writers] == [0, 0, 0, 0]
    written = [(line["writer"], line["number"]) for line in lines_of(path)]
    assert sorted(written) == [(writer, number) for writer in range(4) for number in range(500)]


def test_a_renamed_file_is_followed_without_loss(tmp_path: Path) -> None:
    """L5: given a rotation by rename while threads write, every line is in one of the files."""
    path = tmp_path / "app.log"

    def write(writer: int) -> None:
        for number in range(200):
            log.info("n", writer=writer, number=number)

    with configure(file=path):
        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
        for thread in threads:
            thread.start()
        for turn in range(5):
            path.rename(tmp_path / f"app.log.{turn}")
            log.info("turned")
        for thread in threads:
            thread.join()
        path.rename(tmp_path / "app.log.last")
        log.info("after")
        assert [line["event"] for line in lines_of(path)] == ["after"]
    written = [line for file in tmp_path.iterdir() for line in lines_of(file)]
    numbers = sorted((line["writer"], line["number"]) for line in written if line["event"] == "n")
    assert numbers == [(writer, number) for writer in range(3) for number in range(200)]


def test_a_removed_directory_is_an_output_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """L5: a file that cannot be opened again is counted as dropped until it can."""
    folder = tmp_path / "logs"
    with configure(file=folder / "app.log") as handle:
        (folder / "app.log").unlink()
        folder.rmdir()
        log.info("lost")
        assert handle.dropped == 1
        folder.mkdir()
        log.info("kept")
    assert [line["event"] for line in lines_of(folder / "app.log")] == ["log output resumed", "kept"]
    assert capsys.readouterr().err.count("\n") == 1


def test_closing_descriptors_leaves_none_behind(tmp_path: Path) -> None:
    """A hundred configurations and rotations leave no descriptor open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for turn in range(100):
        with configure(file=tmp_path / "app.log"):
            log.info("x")
            (tmp_path / "app.log").rename(tmp_path / f"{turn}")
            log.info("y")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("kind", ["file", "stream"])
def test_a_forked_child_logs_though_another_thread_held_the_lock(kind: str, tmp_path: Path) -> None:
    """L6: given a fork while another thread is writing, the child's first record does not wait for that thread."""
    path = tmp_path / "app.log"
    with path.open("a", encoding="utf-8") as stream:
        sink = FileSink(path) if kind == "file" else StreamSink(stream)
        sink._lock.acquire()  # as a thread in the middle of write() has
        child = os.fork()
        if child == 0:  # pragma: no cover - runs in the child
            signal.alarm(5)
            sink.write("{}")
            os._exit(0)
        sink._lock.release()
        assert os.waitpid(child, 0)[1] == 0
        sink.close()
    assert path.read_text() == "{}\n"


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
