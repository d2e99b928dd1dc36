"""Rotation: when, under which name, what is kept; and that on files, by a clock that is told."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.log.adapters.file import FileSink
from postrmagic_core.log.interface import Rotation
from postrmagic_core.log.rotation import Aside, due, following, tidying
from postrmagic_core.testing.clock import FakeClock
from postrmagic_core.testing.waiting import until
from tests.log.outlets import files_of, filled, lines_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("every", "size", "later", "expected"),
    [
        ("never", 99, timedelta(days=400), False),
        ("never", 100, timedelta(), True),
        ("hour", 1, timedelta(minutes=59, seconds=59), False),
        ("hour", 1, timedelta(hours=1), True),
        ("hour", 1, timedelta(days=1), True),
        ("day", 1, timedelta(hours=11), False),
        ("day", 1, timedelta(hours=12), True),
        ("day", 0, timedelta(days=9), False),
        ("day", 1, -timedelta(days=9), False),
    ],
)
def test_when(every: Literal["never", "hour", "day"], size: int, later: timedelta, expected: bool) -> None:
    """From a size on, and when a new hour or day has begun; never what is empty, nor because a clock went back."""
    rotation = Rotation(max_bytes=100, every=every)
    assert due(rotation, size, NOON, NOON + later) is expected
    assert not due(Rotation(max_bytes=None, every="never"), 10**12, NOON, NOON + later)


def test_names_say_when_and_ascend() -> None:
    """In the same second and though the clock goes back; what is called otherwise is left alone."""
    first = following(None, NOON.replace(microsecond=7))
    names = [first, following(first, NOON), following(following(first, NOON), NOON - timedelta(hours=1))]
    assert [name.name("app.log") for name in names] == [f"app.log.20260101T120000Z-{n}" for n in (1, 2, 3)]
    assert following(first, NOON + timedelta(seconds=1)).number == 1
    for name in (
        "app.log",
        "app.log.1",
        "app.log.20260101T120000Z-0",
        "app.log.20269901T120000Z-1",
        "xapp.log.20260101T120000Z-1",
    ):
        assert Aside.parse("app.log", name) is None


@given(st.integers(0, 4_000_000_000), st.integers(1, 10**9), st.booleans())
def test_a_name_is_read_as_it_was_written(seconds: int, number: int, packed: bool) -> None:
    """Whatever the second, the number and the file's own name."""
    aside = Aside(datetime.fromtimestamp(seconds, UTC), number, packed)
    assert Aside.parse("a.b+c", aside.name("a.b+c")) == aside


def _names(*ages: float, ending: str = "") -> list[str]:
    return [Aside(NOON - timedelta(days=age), 1).name("app.log") + ending for age in ages]


def test_what_is_kept() -> None:
    """The newest by number, none beyond an age; a file and its compressed self are one; others are left alone."""
    rotation = Rotation(keep_files=3, keep_days=10)
    others = ["app.log", ".app.log.lock", "other.log.20200101T000000Z-1", "app.log.bak"]
    plan = tidying(rotation, "app.log", [*_names(1, 3), *_names(1, 2, 4, ending=".gz"), *others], NOON)
    assert (plan.remove, plan.compress) == (_names(4, ending=".gz"), _names(3, 1))
    plan = tidying(rotation, "app.log", [*_names(11, 9), *others], NOON)
    assert (plan.remove, plan.compress) == (_names(11), _names(9))
    assert tidying(Rotation(compress=False), "app.log", _names(1), NOON).compress == []
    (name,) = _names(1)
    assert tidying(rotation, "app.log", [f".{name}.unfinished"], NOON).remove == [f".{name}.unfinished"]
    assert tidying(rotation, "app.log", [name, f".{name}.unfinished"], NOON).remove == []


Opener = Callable[..., FileSink]


@pytest.fixture
def clock() -> FakeClock:
    """Noon of the first of January 2026."""
    return FakeClock(NOON)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "logs" / "app.log"


@pytest.fixture
def opened(path: Path, clock: FakeClock) -> Iterator[Opener]:
    """Opens sinks as several processes would; they are closed after the test."""
    sinks: list[FileSink] = []

    def open_one(**rotation: object) -> FileSink:
        wanted = Rotation(**{"max_bytes": None, "every": "day", "compress": False, **rotation})  # type: ignore[arg-type]  # named by the tests
        sinks.append(FileSink(path, wanted, clock=clock))
        return sinks[-1]

    yield open_one
    for sink in sinks:
        sink.close()


def _aside(path: Path) -> list[str]:
    return [file.name.removeprefix(f"{path.name}.") for file in files_of(path)[:-1]]


def test_by_size_and_by_day(path: Path, clock: FakeClock, opened: Opener) -> None:
    """L5: each file ends before the batch after it became due, idle or not; nothing is lost, the order stays."""
    sink = opened(max_bytes=20)
    for number in range(4):
        sink.write([b"line %d of it" % number])
    clock.advance(12 * 3600)
    sink.idle()
    sink.idle()
    sink.write([b"tomorrow"])
    assert _aside(path) == ["20260101T120000Z-1", "20260102T000000Z-1"]
    assert path.read_bytes() == b"tomorrow\n"
    assert lines_of(path) == [*(b"line %d of it" % number for number in range(4)), b"tomorrow"]
    assert [file.stat().st_mode & 0o777 for file in files_of(path)] == [0o640] * 3


def test_the_day_of_a_file_is_that_of_its_beginning(path: Path, clock: FakeClock, opened: Opener) -> None:
    """L5: given a process that ends and one that starts tomorrow, yesterday's file is put aside by the latter."""
    sink = opened()
    sink.write([b"yesterday"])
    sink.close()
    clock.advance(11 * 3600)
    opened().write([b"yesterday too"])
    clock.advance(2 * 3600)
    later = opened()
    os.utime(path)  # the file's times tell when it was written to last, by real clocks
    later.write([b"today"])
    assert (files_of(path)[0].read_bytes(), path.read_bytes()) == (b"yesterday\nyesterday too\n", b"today\n")


def test_others_follow(path: Path, clock: FakeClock, opened: Opener) -> None:
    """L5: given three processes, one puts the file aside, once, and the others append to the new one."""
    sinks = [opened(max_bytes=50) for _ in range(3)]
    for number in range(30):
        sinks[number % 3].write([b"line %02d of the three" % number])
    assert lines_of(path) == [b"line %02d of the three" % number for number in range(30)]
    assert len(files_of(path)) == 10
    assert all(file.stat().st_size == 63 for file in files_of(path)[:-1])


def test_what_is_aside_is_compressed_when_all_have_left(path: Path, opened: Opener) -> None:
    """L5: given a process that still has the file open, it may write to it; compressed it has its time and content."""
    first, second = opened(max_bytes=10, compress=True), opened(max_bytes=10, compress=True)
    first.write([b"before the turn"])
    (before,) = [path.stat()]
    first.write([b"after"])
    (aside,) = files_of(path)[:-1]
    time.sleep(0.3)  # as long as it takes to compress it many times
    assert os.write(second.fileno(), b"not noticed yet\n")
    assert aside.exists()
    second.idle()
    packed = aside.with_name(f"{aside.name}.gz")
    until(lambda: packed.exists() and not aside.exists(), "it was not compressed")
    assert gzip.decompress(packed.read_bytes()) == b"before the turn\nnot noticed yet\n"
    assert packed.stat().st_mode & 0o777 == before.st_mode & 0o777
    assert abs(packed.stat().st_mtime - before.st_mtime) < 5
    assert sorted(file.name for file in path.parent.iterdir()) == sorted([".app.log.lock", path.name, packed.name])


def test_old_files_go(path: Path, clock: FakeClock, opened: Opener) -> None:
    """L5: beyond number or age, compressed or not, whoever made them; what is unfinished is done again."""
    sink = opened(max_bytes=1, keep_files=3, compress=True)
    old = path.with_name(Aside(NOON - timedelta(days=100), 1).name(path.name) + ".gz")
    old.write_bytes(b"x")
    for number in range(6):
        sink.write([b"%d" % number])
        clock.advance(1)
    left = {path.with_name(f"app.log.2026010{1}T12000{second}Z-1.gz") for second in (3, 4, 5)}
    until(lambda: set(files_of(path)[:-1]) == left, "too much or too little is left")


def test_a_directory_that_refuses_leaves_the_file_as_it_is(
    path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """L5: given that no file can be renamed there, lines go on into the same one; a record says so once a minute."""
    sink = opened(max_bytes=10)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        for number in range(5):
            sink.write([b"line %d of it" % number])
    assert caplog.messages == ["the log file cannot be put aside: Permission denied"]
    assert path.read_bytes().count(b"\n") == 5


@pytest.mark.parametrize("content", [b"", b"\xff\xff", b"1\n2\n3", b"1\nx\n\n\n\n"])
def test_a_broken_note_is_made_anew(path: Path, clock: FakeClock, opened: Opener, content: bytes) -> None:
    """L5: given a lock's file that a full disk left half written, nothing is overwritten and names still ascend."""
    sink = opened(max_bytes=1)
    sink.write([b"first"])
    sink.write([b"second"])
    path.with_name(".app.log.lock").write_bytes(content)
    sink.write([b"third"])
    assert _aside(path) == ["20260101T120000Z-1", "20260101T120000Z-2"]
    assert lines_of(path) == [b"first", b"second", b"third"]


def test_no_symbolic_link_is_followed(path: Path, tmp_path: Path, opened: Opener) -> None:
    """Given a link in the log's place, or something that is no file, it is not written to."""
    sink = opened()
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        sink.write([b"x"])
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="no regular file"):
        sink.write([b"x"])
    path.unlink()
    sink.write([b"x"])
    assert not (tmp_path / "elsewhere").exists()
    assert path.read_bytes() == b"x\n"


def test_a_note_from_beyond_all_time_is_made_anew(path: Path, opened: Opener) -> None:
    """L5: given a lock's file that gives the present file an impossible beginning, lines are written all the same."""
    opened().close()
    path.with_name(".app.log.lock").write_text(f"{path.stat().st_ino}\n{10**30}\n\nlog")
    sink = opened(max_bytes=1)
    for line in (b"first", b"second"):
        sink.write([line])
    assert lines_of(path) == [b"first", b"second"]
    assert str(10**30) not in path.with_name(".app.log.lock").read_text()


def test_a_disk_without_room_for_the_compressed_file(
    path: Path, clock: FakeClock, opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    """L5: nothing unfinished stays on it, nor is it tried again with every file put aside, but a minute later."""
    sink = opened(max_bytes=1, compress=True)
    large = path.with_name(Aside(NOON - timedelta(days=1), 1).name(path.name))
    large.write_bytes(os.urandom(100_000))
    with filled(path, 1000):
        for number in range(4):
            sink.write([b"%d" % number])
            until(lambda: caplog.messages)
            time.sleep(0.05)  # as long as it takes to try many times
    assert len(caplog.messages) == 1
    assert "cannot be tidied" in caplog.text
    assert not [file.name for file in path.parent.iterdir() if file.name.endswith((".unfinished", ".gz"))]
    clock.advance(60)
    sink.write([b"4"])
    until(lambda: not large.exists(), "it was not tried again")


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_bytes": 0},
        {"every": "week"},
        {"keep_files": 0},
        {"keep_files": -1},
        {"keep_days": 0},
        {"keep_days": float("nan")},
        {"keep_days": 1e12},
    ],
)
def test_a_rotation_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """When it is made: later it would be a file without end, or one without a past."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong)) if "every" not in wrong else "every hour"):
        Rotation(**wrong)
